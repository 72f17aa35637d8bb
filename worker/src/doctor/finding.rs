//! What a check found: of which area, about what, how bad it is, and what to do about it.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use storage::hint::{Hint, with_causes, with_hint};

/// How a finding bears on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; a run does not depend on it.
    Note,
    /// A run works, but without something, or may run into this later.
    Warning,
    /// No run works like this.
    Problem,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}

/// What is looked at, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Which settings apply.
    Configuration,
    /// The calibration and preview programs.
    Programs,
    /// The raw files.
    Inputs,
    /// The CRDS cache, rules and reference files.
    References,
    /// Credentials, buckets, servers.
    Access,
    /// Disk and memory.
    Machine,
}

impl Area {
    const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Programs => "programs",
            Self::Inputs => "inputs",
            Self::References => "references",
            Self::Access => "access",
            Self::Machine => "machine",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it belongs.
    pub area: Area,
    /// What it is about: a program, a place, a server.
    pub subject: String,
    /// How it bears on a run.
    pub level: Level,
    /// What was found, as a phrase.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What programs may want to know: version, path, dialect and so on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<&'static str, String>,
}

impl Finding {
    /// A finding without a remedy.
    pub(super) fn new(
        area: Area,
        subject: impl Into<String>,
        level: Level,
        text: impl fmt::Display,
    ) -> Self {
        Self {
            area,
            subject: subject.into(),
            level,
            text: text.to_string(),
            hint: None,
            details: BTreeMap::new(),
        }
    }

    /// A finding that is an error, with its causes and its hint.
    pub(super) fn of_error(
        area: Area,
        subject: impl Into<String>,
        level: Level,
        error: &(impl Hint + ?Sized),
    ) -> Self {
        let found = Self::new(area, subject, level, with_causes(error));
        match error.hint() {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }

    /// With a remedy, unless it has one already.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// With a detail for programs.
    pub(super) fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.insert(name, value.into());
        self
    }
}

impl fmt::Display for Finding {
    /// Lines with the level before and the hint below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<8} {}: ", self.level.word(), self.subject)?;
        let text = with_hint(&self.text, self.hint.as_deref());
        let mut lines = text.lines();
        f.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, "\n           {}", line.trim()))
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of the worker.
    pub caldp: &'static str,
    /// The dataset that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The configuration.
    pub config: String,
    /// Whether a run could work.
    pub usable: bool,
    /// All findings, by area.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Sorts the findings by area and judges them.
    pub(super) fn new(dataset: Option<String>, config: String, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.area);
        Self {
            caldp: env!("CARGO_PKG_VERSION"),
            dataset,
            config,
            usable: findings.iter().all(|f| f.level != Level::Problem),
            findings,
        }
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|f| f.level == level).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.dataset.as_deref().unwrap_or("any dataset");
        writeln!(f, "caldp {}: {what} with {}", self.caldp, self.config)?;
        let mut area = None;
        for finding in &self.findings {
            if area != Some(finding.area) {
                area = Some(finding.area);
                writeln!(f, "{}", finding.area.title())?;
            }
            writeln!(f, "{finding}")?;
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        match (problems, warnings) {
            (0, 0) => write!(f, "A run can work."),
            (0, n) => write!(f, "A run can work, with {n} warning{}.", plural(n)),
            (n, _) => {
                let sentence = format!("{n} problem{}: a run would fail.", plural(n));
                let hint = "worker/docs/native.md leads from nothing to a calibrated dataset";
                f.write_str(&with_hint(sentence, Some(hint)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_hint_of_an_error_becomes_the_hint() {
        let error = "nope".parse::<caldp_core::layout::Layout>().unwrap_err();
        let finding = Finding::of_error(Area::Programs, "x", Level::Problem, &error);
        assert_eq!(
            finding.to_string(),
            "  PROBLEM  x: \"nope\" is not a layout\n           hint: the layouts are tree and calcloud"
        );
    }

    #[test]
    fn one_problem_makes_a_run_impossible_and_a_warning_does_not() {
        let report = |level| {
            let finding = Finding::new(Area::Machine, "disk", level, "x");
            Report::new(None, "c".to_owned(), vec![finding])
        };
        assert!(report(Level::Warning).usable);
        assert!(!report(Level::Problem).usable);
        assert!(
            report(Level::Problem)
                .to_string()
                .contains("\n1 problem: a run would fail.\nhint: ")
        );
    }
}
