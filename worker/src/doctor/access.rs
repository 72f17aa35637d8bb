//! What is not on this machine: credentials, buckets, the archive.
//!
//! A bucket is listed, as a run does; the place of results also gets an object that is deleted at
//! once, because nothing less proves that products can be stored there.

use super::finding::{Area, Finding, Level};
use super::{PATIENCE, Situation, network};
use crate::config::variables;
use crate::input::source::Source;
use crate::input::{mast, public_bucket};
use bytes::Bytes;
use crds_core::config::{Config, FileUri};
use futures_util::future::join_all;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::hint::Hint;
use storage::home::expand;
use storage::retry::RetryPolicy;
use storage::s3::{Access, Delimiter, ErrorKind, Precondition, S3, S3Options, Timeouts};
use storage::uri::{Location, S3Uri};

/// The object that is written and deleted below the place of results. It is no message, so
/// nothing is triggered by it.
const PROBE: &str = ".caldp-doctor";

fn finding(subject: impl Into<String>, level: Level, text: impl Display) -> Finding {
    Finding::new(Area::Access, subject, level, text)
}

/// What a run does at a place on S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Inputs,
    PublicInputs,
    Results,
    References,
}

pub(super) async fn check(situation: Arc<Situation>) -> Vec<Finding> {
    let places = places(&situation);
    let signed = places.iter().any(|(_, what)| *what != Use::PublicInputs);
    let mut findings = vec![credentials(signed)];
    let buckets = async {
        let (mine, public) = (client(Access::Environment), client(Access::Anonymous));
        let (mine, public) = tokio::join!(mine, public);
        let looks = places.iter().map(|(place, what)| match what {
            Use::PublicInputs => bucket(&public, place, *what),
            _ => bucket(&mine, place, *what),
        });
        join_all(looks).await
    };
    let buckets = tokio::time::timeout(PATIENCE, buckets);
    let (buckets, archive) = tokio::join!(buckets, archive(&situation));
    findings.extend(buckets.unwrap_or_else(|_| {
        let text = format!("no answer within {} s", PATIENCE.as_secs());
        vec![finding("S3", Level::Problem, text).hint(
            "check the network, AWS_ENDPOINT_URL, AWS_REGION, and where the credentials are from",
        )]
    }));
    findings.push(archive);
    findings.extend(results(&situation.request.output));
    findings
}

/// The places on S3 that a run would use, each once.
fn places(situation: &Situation) -> Vec<(S3Uri, Use)> {
    let mut places = Vec::new();
    match (&situation.request.input, &situation.request.dataset) {
        (Some(Source::S3(place) | Source::Mast(Some(Location::S3(place)))), _) => {
            places.push((place.clone(), Use::Inputs));
        }
        (Some(Source::PublicBucket), Some(dataset)) => {
            if let Some(prefix) = public_bucket::prefix(dataset.name()) {
                let uri = S3Uri::new(public_bucket::BUCKET, &prefix);
                places.extend(uri.ok().map(|uri| (uri, Use::PublicInputs)));
            }
        }
        _ => {}
    }
    if let Location::S3(place) = &situation.request.output {
        places.push((place.clone(), Use::Results));
    }
    if let Ok(config) = Config::from_vars(situation.settings.variables()) {
        let uris = [
            config.config_uri,
            config.mapping_uri,
            config.reference_uri,
            config.pickle_uri,
        ];
        for uri in uris.into_iter().flatten() {
            if let FileUri::S3(place) = uri {
                let public = place.bucket() == public_bucket::BUCKET;
                let what = if public {
                    Use::PublicInputs
                } else {
                    Use::References
                };
                places.push((place, what));
            }
        }
    }
    places
}

/// A client that gives up soon.
pub(super) async fn client(access: Access) -> S3 {
    S3::new(S3Options {
        access,
        retry: RetryPolicy {
            tries: 2,
            total: Duration::from_secs(4),
            base: Duration::from_millis(100),
            cap: Duration::from_millis(500),
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        },
        ..S3Options::default()
    })
    .await
}

async fn bucket(s3: &S3, place: &S3Uri, what: Use) -> Finding {
    let subject = place.to_string();
    let prefix = match place.key() {
        "" => String::new(),
        key => format!("{key}/"),
    };
    let listed = s3
        .list(place.bucket(), &prefix, Delimiter::Slash)
        .next_page()
        .await;
    let entries = match listed {
        Ok(page) => page.map_or(0, |page| page.objects.len() + page.prefixes.len()),
        // Rules and references are read by name; not being able to list them stops nobody.
        Err(error) if what == Use::References && error.kind() == ErrorKind::AccessDenied => {
            return Finding::of_error(Area::Access, subject, Level::Warning, &error);
        }
        Err(error) => return Finding::of_error(Area::Access, subject, Level::Problem, &error),
    };
    match what {
        Use::Results => match written(s3, place).await {
            Ok(()) => finding(
                subject,
                Level::Ok,
                "can be listed, written and deleted from",
            ),
            Err(error) => Finding::of_error(Area::Access, subject, Level::Problem, &*error),
        },
        _ if entries == 0 => finding(subject, Level::Problem, "nothing is there")
            .hint("check the bucket and the prefix"),
        _ => finding(subject, Level::Ok, "can be listed"),
    }
}

async fn written(s3: &S3, place: &S3Uri) -> Result<(), Box<dyn Hint + Send>> {
    let uri = place.join(PROBE).map_err(boxed)?;
    s3.put_bytes(&uri, Bytes::new(), &Precondition::None)
        .await
        .map_err(boxed)?;
    s3.delete(&uri).await.map_err(boxed)
}

fn boxed(error: impl Hint + Send + 'static) -> Box<dyn Hint + Send> {
    Box::new(error)
}

/// Results on disk need a directory that can be written.
fn results(output: &Location) -> Option<Finding> {
    use super::place::Place;
    let directory = output.dir()?;
    let subject = format!("results in {output}");
    Some(match Place::of(directory) {
        Place::Writable => finding(subject, Level::Ok, "can be written"),
        Place::Creatable(_) => finding(subject, Level::Ok, "will be made"),
        _ => finding(subject, Level::Problem, "cannot be written")
            .hint("name a directory that can be written with --output file:<directory>"),
    })
}

/// The archive, which is only needed where inputs come from it.
async fn archive(situation: &Situation) -> Finding {
    let needed = match situation.request.input {
        Some(Source::Mast(_)) => Level::Problem,
        Some(Source::PublicBucket) => Level::Warning,
        _ => Level::Note,
    };
    let variable = |name: &'static str| situation.settings.get(name).map(str::to_owned);
    let settings = match mast::MastSettings::from_variables(variable) {
        Ok(settings) => settings,
        Err(error) => return Finding::of_error(Area::Access, "MAST", Level::Problem, &error),
    };
    let subject = settings.url.as_str().trim_end_matches('/').to_owned();
    let token = if settings.has_token() {
        "MAST_API_TOKEN is set"
    } else {
        "without MAST_API_TOKEN, so public data only"
    };
    match network::reach(&settings.url).await {
        Ok(time) => {
            let text = format!("answers ({} ms), {token}", time.as_millis());
            finding(subject, Level::Ok, text)
        }
        Err(why) => finding(subject, needed, format!("cannot be asked: {why}"))
            .hint("inputs from astroquery: need it; check the network and proxies"),
    }
}

/// Where the credentials come from; nothing of them is shown.
fn credentials(needed: bool) -> Finding {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let found = credentials_source(variable, Path::exists);
    match (found, needed) {
        (Some(source), _) => finding("credentials", Level::Ok, format!("from {source}")),
        (None, false) => finding("credentials", Level::Note, "none found, and none needed"),
        (None, true) => finding(
            "credentials",
            Level::Warning,
            "neither variables, files nor a job's role; only a machine's role can be meant",
        )
        .hint(ErrorKind::NoCredentials.hint().unwrap_or_default()),
    }
}

/// The first source of the AWS SDK's default chain that is there (AWS SDKs and Tools Reference
/// Guide, "Understand the credential provider chain"). The role of a machine comes last and can
/// only be asked for.
fn credentials_source(
    variable: impl Fn(&str) -> Option<String>,
    exists: impl Fn(&Path) -> bool,
) -> Option<String> {
    if variable(variables::AWS_KEY).is_some() && variable(variables::AWS_SECRET).is_some() {
        return Some("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
    }
    let profile = variable(variables::AWS_PROFILE).unwrap_or_else(|| "default".to_owned());
    let home = variable(variables::USER_HOME).unwrap_or_default();
    let files = [
        (variables::AWS_CREDENTIALS_FILE, ".aws/credentials"),
        (variables::AWS_CONFIG_FILE, ".aws/config"),
    ];
    for (name, usual) in files {
        let path = match variable(name) {
            // The SDK looks at a tilde, too.
            Some(text) => expand(&text, Some(Path::new(&home))).unwrap_or_else(|_| text.into()),
            None => Path::new(&home).join(usual),
        };
        // An empty or absent file is how credentials are switched off.
        if path != Path::new("/dev/null") && exists(&path) {
            return Some(format!("profile {profile} in {}", path.display()));
        }
    }
    if variable(variables::AWS_WEB_IDENTITY).is_some() {
        return Some(variables::AWS_WEB_IDENTITY.to_owned());
    }
    [
        variables::AWS_CONTAINER_RELATIVE,
        variables::AWS_CONTAINER_FULL,
    ]
    .into_iter()
    .find(|name| variable(name).is_some())
    .map(|name| format!("the role of this job ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(variables: &[(&str, &str)], files: &[&str]) -> Option<String> {
        credentials_source(
            |name| {
                let found = variables.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            },
            |path| files.iter().any(|file| Path::new(file) == path),
        )
    }

    #[test]
    fn credentials_are_named_by_where_they_are_and_never_shown() {
        let home = ("HOME", "/h");
        let key = ("AWS_ACCESS_KEY_ID", "AKIAX");
        let secret = ("AWS_SECRET_ACCESS_KEY", "s3cret");
        let role = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
        let found = source(&[home, key, secret, role], &["/h/.aws/config"]);
        let found = found.unwrap_or_default();
        assert!(found.starts_with("AWS_ACCESS_KEY_ID and"), "{found}");
        assert!(!found.contains("AKIAX") && !found.contains("s3cret"));
        assert_eq!(
            source(&[home, ("AWS_PROFILE", "hst"), role], &["/h/.aws/config"]).as_deref(),
            Some("profile hst in /h/.aws/config")
        );
        let elsewhere = ("AWS_CONFIG_FILE", "~/aws/config");
        assert_eq!(
            source(&[home, elsewhere], &["/h/aws/config"]).as_deref(),
            Some("profile default in /h/aws/config")
        );
        assert_eq!(
            source(&[home, key, role], &[]).as_deref(),
            Some("the role of this job (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)")
        );
        let off = ("AWS_CONFIG_FILE", "/dev/null");
        assert_eq!(source(&[home, off], &["/dev/null"]), None);
    }
}
