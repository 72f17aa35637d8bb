//! The table of the environment variables that the worker reads. It is the only place that spells
//! their names; the help of the commands and `ENVIRONMENT.md` are made from it. The variables of
//! CRDS that are only handed on are in the table of `crds-core`.
#![allow(
    rustdoc::invalid_html_tags,
    reason = "the texts are shown by --help as they are"
)]

use std::fmt::Write as _;

/// One environment variable.
struct Variable {
    name: &'static str,
    /// Whether it is about a run and has no option of its own, so that the help lists it.
    in_help: bool,
    meaning: &'static str,
}

macro_rules! variables {
    ($($constant:ident $in_help:literal $name:literal $meaning:literal)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*
        const VARIABLES: &[Variable] =
            &[$(Variable { name: $name, in_help: $in_help, meaning: $meaning }),*];
    };
}

variables! {
    HOME_DIRECTORY false "CALDP_HOME" "Below this directory the working directory is made; `--home` says it too."
    LAYOUT false "CALDP_LAYOUT" "How results are laid out, `tree` or `calcloud`; `--layout` says it too."
    INPUT_URI false "CALDP_INPUT_URI" "Where `caldp-process-aws` takes inputs from, instead of MAST; `--input` says it too."
    PROGRAM_TIMEOUT false "CALDP_PROGRAM_TIMEOUT" "The longest that one calibration program may run, in seconds; `--program-timeout` says it too."
    ARCHIVE_LIMIT false "CALDP_ARCHIVE_LIMIT" "The most that an archive of inputs may hold unpacked, in GiB; `--archive-limit` says it too."
    SIMULATE_ERROR true "CALDP_SIMULATE_ERROR" "An exit status: the matching step fails with it."
    MAST_URL true "CALDP_MAST_URL" "The server of MAST."
    MAST_TOKEN true "MAST_API_TOKEN" "The token of an account that may see exclusive data in MAST."
    CRDS_BUCKET true "CRDSBUCKET" "s3://<bucket> with config/hst, references/hst and pickles/hst, for caldp-config-aws."
    CONTEXT true "CRDS_CONTEXT" "The context whose rules choose references."
    CONTEXT_OF_JOB false "CRDSCONTEXT" "The same, as older job definitions spell it."
    SHARED_REFERENCES false "CALDP_SHARED_REFERENCES" "A directory in which the jobs of one machine share references, each checked by whoever takes it; where it is not set, each fetches its own."
    SHARED_REFERENCES_LIMIT false "CALDP_SHARED_REFERENCES_GIB" "The most that directory may hold, in GiB: 50 unless this says otherwise. What was used longest ago is removed, as it is when the disk is nearly full."
    CSYS_VERSION true "CSYS_VER" "The calibration software's version, written into raw files."
    DATA_PROCESSING_VERSION true "AWSDPVER" "The data processing's version, written into raw files."
    SYSTEM_VERSION true "AWSYSVER" "The system's version, written into raw files."
    IMAGE false "CALDP_IMAGE" "The image that the program runs in, for the record; set by the image."
    IN_IMAGE false "CALDP_DOCKER" "Whether the program runs in the image; set by the image."
    JOB_ID false "AWS_BATCH_JOB_ID" "The job, for the record; set by AWS Batch."
    JOB_INDEX false "AWS_BATCH_JOB_ARRAY_INDEX" "Which line of a list is the job's; set by AWS Batch."
    THREADS false "OMP_NUM_THREADS" "How many threads a calibration program may start; where it is not set, the job's processors say it. `calacs.e` is told by `--nthreads`, `calwf3.e` only where it is one: more than one it counts itself."
    CONTAINER_METADATA false "ECS_CONTAINER_METADATA_URI_V4" "Where the job's processors are told; set by AWS."
    INSTANCE_TYPE false "CALDP_INSTANCE_TYPE" "The type of the machine, for the record."
    LOG true "RUST_LOG" "What is logged, as in `warn,caldp_worker=debug`."
    USER_HOME false "HOME" "The cache of caldp-config-offsite and caldp-config-aws is in `crds_cache` there."
    AWS_KEY false "AWS_ACCESS_KEY_ID" "Credentials; `caldp doctor` says where they come from."
    AWS_SECRET false "AWS_SECRET_ACCESS_KEY" "Credentials, as above."
    AWS_PROFILE false "AWS_PROFILE" "Credentials, as above."
    AWS_CREDENTIALS_FILE false "AWS_SHARED_CREDENTIALS_FILE" "Credentials, as above."
    AWS_CONFIG_FILE false "AWS_CONFIG_FILE" "Credentials, as above."
    AWS_WEB_IDENTITY false "AWS_WEB_IDENTITY_TOKEN_FILE" "Credentials, as above."
    AWS_CONTAINER_RELATIVE false "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" "Credentials, as above; set by AWS."
    AWS_CONTAINER_FULL false "AWS_CONTAINER_CREDENTIALS_FULL_URI" "Credentials, as above; set by AWS."
}

/// The variables without an option of their own, for the help of the commands.
pub fn help() -> String {
    let mut text =
        String::from("Environment variables without an option (all: worker/ENVIRONMENT.md):\n");
    for variable in VARIABLES.iter().filter(|variable| variable.in_help) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<20}  {}", variable.name, variable.meaning);
    }
    text.truncate(text.trim_end().len());
    text
}

/// The document `ENVIRONMENT.md`.
#[cfg(test)]
fn markdown() -> String {
    let mut text = String::from(
        "# Environment variables\n\n\
         Every variable that `caldp-process`, `caldp-process-aws` and `caldp-doctor` read. An empty \
         value counts as not set. All `CRDS_*` variables have their effect as well: see \
         [crds-core](../crds-core/ENVIRONMENT.md). The configurations set some of them; \
         `caldp-process <dataset> --print-config` shows the values and where each comes from.\n\n\
         | variable | meaning |\n|---|---|\n",
    );
    for variable in VARIABLES {
        let _ = writeln!(text, "| `{}` | {} |", variable.name, variable.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::path::Path;

    #[test]
    fn the_document_is_in_step_with_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ENVIRONMENT.md");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let fresh = std::env::temp_dir().join("caldp-ENVIRONMENT.md");
        if written != markdown() {
            std::fs::write(&fresh, markdown()).unwrap();
        }
        assert!(written == markdown(), "copy {} over it", fresh.display());
    }

    #[test]
    fn no_other_file_spells_a_variable() {
        let of_crds = include_str!("../../../crds-core/ENVIRONMENT.md");
        let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                if path.ends_with("tests") {
                    continue;
                }
                files.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            } else if is_code(&path) {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                for literal in code.split('"').filter(|text| is_variable(text)) {
                    let known = VARIABLES.iter().any(|variable| variable.name == literal);
                    let of_crds = !known && of_crds.contains(&format!("`{literal}`"));
                    assert!(of_crds, "{} spells {literal}", path.display());
                }
            }
        }
    }

    #[test]
    fn what_the_trigger_sets_has_the_same_names() {
        use caldp_core::{array, job_command};
        assert_eq!(JOB_INDEX, array::INDEX_VARIABLE);
        assert_eq!(LAYOUT, job_command::LAYOUT_VARIABLE);
        assert_eq!(CONTEXT, job_command::CONTEXT_VARIABLE);
    }

    fn is_code(path: &Path) -> bool {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "variables.rs"
    }

    fn is_variable(text: &str) -> bool {
        let prefixes = ["CALDP_", "CRDS", "AWS", "MAST_", "CSYS_", "RUST_"];
        prefixes.iter().any(|prefix| text.starts_with(prefix))
            && text != "CRDS"
            && !text.ends_with('_')
            && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    }
}
