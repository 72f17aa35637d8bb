//! `crds_s3_set`: the settings with which CRDS reads a mission's files from object storage.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::ValueEnum;

use crate::failure::Failure;
use crds_core::config::SubdirMode;

/// Prints the exports that make CRDS use a mission's S3 bucket: `source <(crds_s3_set roman ops)`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose files
    #[arg(default_value = "roman")]
    observatory: Mission,
    /// Which of the mission's caches
    #[arg(default_value = "ops")]
    environment: Environment,
    /// How references are sorted in the local cache: flat or instrument
    #[arg(env = "CRDS_REF_SUBDIR_MODE", default_value = "flat", value_parser = storage::hint::parsed::<SubdirMode>)]
    subdir_mode: SubdirMode,
    /// The local cache
    #[arg(long, env = "CRDS_PATH", default_value = "/tmp/crds_cache")]
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mission {
    Hst,
    Roman,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Environment {
    Ops,
    Test,
    Int,
    Dev,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let text = exports(args).map_err(Failure::usage)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn exports(args: &Args) -> Result<String, String> {
    let environment = match args.environment {
        Environment::Ops => "ops",
        Environment::Test => "test",
        Environment::Int => "int",
        Environment::Dev => "dev",
    };
    let (name, bucket, prefix) = match (args.observatory, args.environment) {
        (Mission::Roman, Environment::Ops) => {
            ("roman", "stpubdata".to_owned(), "/roman/crds".to_owned())
        }
        (Mission::Roman, _) => (
            "roman",
            "stpubdata-tst".to_owned(),
            format!("/roman/crds/{environment}"),
        ),
        (Mission::Hst, Environment::Ops | Environment::Test) => (
            "hst",
            format!("hst-crds-cache-{environment}"),
            String::new(),
        ),
        (Mission::Hst, _) => {
            return Err(format!(
                "there is no bucket for hst {environment}; there are ops and test"
            ));
        }
    };
    let part = |part: &str| format!("s3://{bucket}{prefix}/{part}/{name}");
    let mut variables = vec![
        ("CRDS_PATH", args.path.clone()),
        ("CRDS_OBSERVATORY", name.to_owned()),
        (
            "CRDS_SERVER_URL",
            format!("https://{name}-crds-serverless.stsci.edu"),
        ),
        ("CRDS_MODE", "s3".to_owned()),
        ("CRDS_S3_ENABLED", "1".to_owned()),
        ("CRDS_S3_RETURN_URI", "0".to_owned()),
        ("CRDS_S3_BUCKET", bucket.clone()),
        ("CRDS_S3_PREFIX", prefix.clone()),
        ("CRDS_REF_SUBDIR_MODE", args.subdir_mode.name().to_owned()),
        ("CRDS_CONFIG_URI", part("config")),
        ("CRDS_REFERENCE_URI", part("references")),
        ("CRDS_MAPPING_URI", part("mappings")),
        ("CRDS_DOWNLOAD_MODE", "plugin".to_owned()),
        (
            "CRDS_DOWNLOAD_PLUGIN",
            "crds_s3_get ${FILENAME} -d ${OUTPUT_PATH} -s ${FILE_SIZE} -c ${FILE_SHA1SUM}"
                .to_owned(),
        ),
    ];
    if args.observatory == Mission::Hst {
        // Its buckets have no rules, only pickles.
        variables.push(("CRDS_PICKLE_URI", part("pickles")));
    }
    let mut text = String::new();
    for (name, value) in variables {
        let quoted = value.replace('\'', r"'\''");
        let _ = writeln!(text, "export {name}='{quoted}'");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crds_core::Config;

    fn exported(observatory: Mission, environment: Environment) -> Result<Config, String> {
        let text = exports(&Args {
            observatory,
            environment,
            subdir_mode: SubdirMode::Flat,
            path: "/it's here".to_owned(),
        })?;
        let pairs = text.lines().map(|line| {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            let value = value
                .strip_prefix('\'')
                .unwrap()
                .strip_suffix('\'')
                .unwrap();
            (name.to_owned(), value.replace(r"'\''", "'"))
        });
        Ok(Config::from_vars(pairs).unwrap())
    }

    #[test]
    fn what_is_exported_is_what_the_documentation_says() {
        let roman = exported(Mission::Roman, Environment::Ops).unwrap();
        assert_eq!(
            roman.mapping_uri.unwrap().file("x.pmap"),
            "s3://stpubdata/roman/crds/mappings/roman/x.pmap"
        );
        assert!(roman.s3_enabled && roman.pickle_uri.is_none());
        let hst = exported(Mission::Hst, Environment::Test).unwrap();
        assert_eq!(
            hst.pickle_uri.unwrap().file("x"),
            "s3://hst-crds-cache-test/pickles/hst/x"
        );
        assert_eq!(
            hst.locations.cache.all.unwrap().to_str(),
            Some("/it's here")
        );
        assert!(exported(Mission::Hst, Environment::Dev).is_err());
    }
}
