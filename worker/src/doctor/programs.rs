//! The programs that datasets need: whether they are there, in which version and dialect.
//!
//! Programs are asked as little as tells: HSTCAL and fitscut in a fraction of a second, Python
//! programs through the metadata of their packages. What they do with data is for a run to see.

use super::finding::{Area, Finding, Level};
use super::{Situation, python};
use crate::calibrate::recipe::Recipe;
use crate::preview::{Dialect, draws_images};
use crate::process::locate::{find_program, source};
use crate::process::probe;
use crate::process::program::Environment;
use futures_util::future::join_all;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// How a program tells its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// As the first line of what it writes when called with `--version`.
    Option,
    /// As the Python package of this name.
    Package(&'static str),
    /// As `Option`; its help tells its dialect.
    Dialect,
}

/// Every program a run may call.
const PROGRAMS: &[(&str, Version)] = &[
    ("calacs.e", Version::Option),
    ("calwf3.e", Version::Option),
    ("cs0.e", Version::Option),
    ("calcos", Version::Package("calcos")),
    ("runastrodriz", Version::Package("drizzlepac")),
    ("runsinglehap", Version::Package("drizzlepac")),
    ("runmultihap", Version::Package("drizzlepac")),
    (FITSCUT, Version::Dialect),
];
const FITSCUT: &str = "fitscut";

pub(super) async fn check(situation: Arc<Situation>) -> Vec<Finding> {
    let environment: Environment = situation
        .settings
        .variables()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let dataset = situation.request.dataset.as_ref();
    let wanted = PROGRAMS.iter().filter(|(name, _)| match dataset {
        None => true,
        Some(dataset) => {
            let mut programs = Recipe::of(dataset).programs();
            programs.any(|program| program == *name) || (*name == FITSCUT && draws_images(dataset))
        }
    });
    let looked = wanted.map(|(name, version)| look(name, *version, &environment));
    let mut findings = join_all(looked).await;
    let lacking: Vec<String> = findings
        .iter()
        .filter(|finding| finding.level == Level::Problem)
        .map(|finding| finding.subject.clone())
        .collect();
    if dataset.is_none() {
        // What one instrument lacks does not stop the others: the instruments are what counts.
        for finding in &mut findings {
            finding.level = finding.level.min(Level::Warning);
        }
        findings.extend(instruments(&lacking));
    }
    findings
}

/// Looks for one program and asks it about itself.
async fn look(name: &str, version: Version, environment: &Environment) -> Finding {
    let finding = |level, text: String| Finding::new(Area::Programs, name, level, text);
    let missing = match version {
        // Without it pictures are drawn here.
        Version::Dialect => Level::Note,
        _ => Level::Problem,
    };
    let search = environment.get(OsStr::new("PATH")).map(AsRef::as_ref);
    let path = match find_program(name, search) {
        Ok(path) => path,
        Err(error) if error.not_executable.is_some() => {
            return Finding::of_error(Area::Programs, name, missing, &error);
        }
        Err(_) if version == Version::Dialect => {
            let text = "not found in PATH; caldp draws pictures of images itself";
            return finding(missing, text.to_owned());
        }
        Err(_) => return finding(missing, "not found in PATH".to_owned()).hint(source(name)),
    };
    let asked = match version {
        Version::Option | Version::Dialect => by_option(name, &path, missing, environment).await,
        Version::Package(package) => by_package(name, &path, package, environment).await,
    };
    let asked = match version {
        Version::Dialect if asked.level == Level::Ok => dialect(asked, environment).await,
        _ => asked,
    };
    asked.detail("path", path.display().to_string())
}

async fn by_option(name: &str, path: &Path, broken: Level, environment: &Environment) -> Finding {
    let finding = |level, text: String| Finding::new(Area::Programs, name, level, text);
    let shown = path.display();
    match probe::ask(name, &["--version"], environment).await {
        Err(error) => Finding::of_error(Area::Programs, name, broken, &error),
        Ok(answer) if answer.success => {
            let version = answer.first_line();
            finding(Level::Ok, format!("{version} ({shown})")).detail("version", version)
        }
        Ok(answer) => {
            let level = if answer.not_run {
                broken
            } else {
                Level::Warning
            };
            let text = format!(
                "{shown} --version {}: {}",
                answer.ending,
                answer.first_line()
            );
            finding(level, text).hint(format!("install it again: {}", source(name)))
        }
    }
}

async fn by_package(name: &str, path: &Path, package: &str, environment: &Environment) -> Finding {
    let finding = |level, text: String| Finding::new(Area::Programs, name, level, text);
    let shown = path.display();
    match python::package(path, package, environment).await {
        Ok(found) => finding(
            Level::Ok,
            format!(
                "{package} {}, Python {} ({shown})",
                found.version, found.python
            ),
        )
        .detail("version", found.version)
        .detail("python", found.python),
        Err(reason) => finding(Level::Problem, format!("{shown}: {reason}"))
            .hint(format!("install it again: {}", source(name))),
    }
}

/// Adds which dialect of the preview program it is.
async fn dialect(mut finding: Finding, environment: &Environment) -> Finding {
    let Ok(answer) = probe::ask(FITSCUT, &["--help"], environment).await else {
        return finding;
    };
    let dialect = Dialect::of_help(&answer.text);
    finding.text = format!("{}, {}", finding.text, dialect.description());
    finding.detail("dialect", dialect.name())
}

/// One line for each instrument. It is a problem only when no instrument has all its programs.
fn instruments(lacking: &[String]) -> Vec<Finding> {
    let lacks = |recipe: &Recipe| -> Vec<&'static str> {
        recipe
            .programs()
            .filter(|program| lacking.iter().any(|name| name == program))
            .collect()
    };
    let found = Recipe::ALL.map(|(name, recipe)| (name, lacks(recipe)));
    let any = found.iter().any(|(_, lacks)| lacks.is_empty());
    let unable = if any { Level::Note } else { Level::Problem };
    found
        .into_iter()
        .map(|(name, lacks)| {
            let (level, text) = match lacks.as_slice() {
                [] => (Level::Ok, "has every program it needs".to_owned()),
                lacks => (
                    unable,
                    format!("cannot run without {}", lacks.join(" and ")),
                ),
            };
            Finding::new(Area::Programs, name, level, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_of_every_recipe_is_in_the_table() {
        for (_, recipe) in Recipe::ALL {
            for program in recipe.programs() {
                assert!(
                    PROGRAMS.iter().any(|(name, _)| *name == program),
                    "{program}"
                );
            }
        }
    }

    #[test]
    fn an_instrument_can_run_when_its_own_programs_are_there() {
        let lacking: Vec<String> = ["calacs.e", "runsinglehap", "runmultihap"]
            .map(String::from)
            .into();
        let findings = instruments(&lacking);
        let level = |name: &str| findings.iter().find(|f| f.subject == name).map(|f| f.level);
        assert_eq!(level("acs"), Some(Level::Note));
        assert_eq!(level("wfc3"), Some(Level::Ok));
        let all: Vec<String> = PROGRAMS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let findings = instruments(&all);
        assert!(findings.iter().all(|f| f.level == Level::Problem));
    }
}
