//! What orders may ask for: queues, definitions and output paths that this deployment's jobs can use.
//!
//! An order for others would be taken, and then each of its jobs denied what it needs, or never heard of
//! again: it is refused before anything is done.

use std::borrow::Cow;

use storage::hint::Hint;
use storage::uri::S3Uri;

use super::Order;
use crate::memory_bins::MemoryBins;

/// The folder in which batches have their results, each in a folder of its own.
const BATCHES: &str = "data";

/// What orders may ask for besides what is the deployment's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    queues: Names,
    definitions: Names,
    outputs: Names,
}

/// An order asks for something that this deployment does not have.
#[derive(Debug, thiserror::Error)]
#[error("refused: this deployment has no {what} {name:?}")]
pub struct NotOffered {
    what: &'static str,
    name: String,
    /// What there is.
    allowed: String,
    /// The variable that allows more.
    variable: &'static str,
}

impl Hint for NotOffered {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let Self {
            allowed, variable, ..
        } = self;
        Some(format!("there are {allowed}; {variable} allows others").into())
    }
}

/// Names that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    Any,
    These(Vec<String>),
}

impl Names {
    fn new(list: &str) -> Self {
        let names = list.split(',').map(str::trim).filter(|n| !n.is_empty());
        let names: Vec<String> = names.map(str::to_owned).collect();
        if names.iter().any(|name| name == "*") {
            Self::Any
        } else {
            Self::These(names)
        }
    }

    fn list(&self) -> &[String] {
        match self {
            Self::Any => &[],
            Self::These(names) => names,
        }
    }

    /// Refuses a name that is neither among these nor the deployment's own.
    fn check(
        &self,
        what: &'static str,
        variable: &'static str,
        name: &str,
        own: &[&str],
    ) -> Result<(), NotOffered> {
        let bare = bare(name);
        let accepted = self.list().iter().map(|n| self::bare(n));
        if *self == Self::Any || own.contains(&bare) || accepted.into_iter().any(|n| n == bare) {
            return Ok(());
        }
        let others = self.list().iter().map(String::as_str);
        Err(NotOffered {
            what,
            name: name.to_owned(),
            allowed: own
                .iter()
                .copied()
                .chain(others)
                .collect::<Vec<_>>()
                .join(", "),
            variable,
        })
    }
}

impl Offers {
    /// The variable that names queues.
    pub const QUEUES: &'static str = "CALDP_ALLOWED_QUEUES";
    /// The variable that names definitions.
    pub const DEFINITIONS: &'static str = "CALDP_ALLOWED_DEFINITIONS";
    /// The variable that names prefixes of output paths.
    pub const OUTPUTS: &'static str = "CALDP_ALLOWED_OUTPUTS";

    /// What the three variables list, separated by commas.
    pub fn new(queues: &str, definitions: &str, outputs: &str) -> Self {
        Self {
            queues: Names::new(queues),
            definitions: Names::new(definitions),
            outputs: Names::new(outputs),
        }
    }

    /// Refuses an order that this deployment cannot carry out.
    ///
    /// # Errors
    /// With what there is.
    pub fn check(&self, order: &Order, bins: &MemoryBins) -> Result<(), NotOffered> {
        if let Some(queue) = &order.job_queue {
            let own = bins.queues();
            self.queues.check("job queue", Self::QUEUES, queue, &own)?;
        }
        if let Some(definition) = &order.job_definition {
            let (own, names) = (bins.definitions(), &self.definitions);
            names.check("job definition", Self::DEFINITIONS, definition, &own)?;
        }
        match &order.output {
            Some(output) => self.check_output(output),
            None => Ok(()),
        }
    }

    fn check_output(&self, output: &S3Uri) -> Result<(), NotOffered> {
        let root = output.key().trim_end_matches('/');
        let below = |folder: &str| {
            let rest = root.strip_prefix(folder.trim_matches('/'));
            rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
        };
        let is_it = |folder: &String| root == folder.trim_matches('/') || below(folder);
        if self.outputs == Names::Any
            || root.is_empty()
            || below(BATCHES)
            || self.outputs.list().iter().any(is_it)
        {
            return Ok(());
        }
        let bucket = output.bucket();
        let folders = self.outputs.list().iter().map(String::as_str);
        let there = [BATCHES].into_iter().chain(folders).map(|folder| {
            let folder = folder.trim_matches('/');
            format!("paths below s3://{bucket}/{folder}/")
        });
        let root = format!("s3://{bucket} itself");
        Err(NotOffered {
            what: "output path",
            name: output.to_string(),
            allowed: there.chain([root]).collect::<Vec<_>>().join(", "),
            variable: Self::OUTPUTS,
        })
    }
}

/// The name of a queue or definition, without what an ARN has before it and a revision after it.
fn bare(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((bare, revision)) if revision.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use storage::hint::explain;

    use super::*;

    fn checked(offers: &Offers, fields: &str) -> Result<(), String> {
        let site = |n: u32| crate::memory_bins::Site {
            queue: format!("q{n}"),
            on_demand_queue: None,
            definition: format!("d{n}"),
            hourly_price: 0.0,
        };
        let bins = MemoryBins::new([site(2), site(8), site(16), site(64)]);
        let order = format!("{{\"datasets\": \"j8cb010b0\", {fields}}}");
        let order = Order::from_document(order.as_bytes()).unwrap();
        offers
            .check(&order, &bins)
            .map_err(|e| explain(&e).to_string())
    }

    #[test]
    fn what_the_deployment_has_is_accepted_and_nothing_else() {
        let usual = Offers::new("", "", "");
        for good in [
            r#""job_queue": "q8""#,
            r#""job_queue": "arn:aws:batch:us-east-1:1:job-queue/q8""#,
            r#""job_definition": "d64""#,
            r#""job_definition": "arn:aws:batch:us-east-1:1:job-definition/d64:3""#,
            r#""s3_output_bucket": "s3://hst-out""#,
            r#""s3_output_bucket": "s3://hst-out/data/spring""#,
        ] {
            assert_eq!(checked(&usual, good), Ok(()), "{good}");
        }
        for (bad, listed) in [
            (
                r#""job_queue": "mine""#,
                "q2, q8, q16, q64; CALDP_ALLOWED_QUEUES",
            ),
            (
                r#""job_definition": "d8x:1""#,
                "d2, d8, d16, d64; CALDP_ALLOWED_DEFINITIONS",
            ),
            (
                r#""s3_output_bucket": "s3://hst-out/o""#,
                "s3://hst-out/data/",
            ),
            (
                r#""s3_output_bucket": "s3://hst-out/data""#,
                "s3://hst-out itself",
            ),
            (
                r#""s3_output_bucket": "s3://hst-out/database/x""#,
                "CALDP_ALLOWED_OUTPUTS",
            ),
        ] {
            let refused = checked(&usual, bad).unwrap_err();
            assert!(refused.contains(listed), "{refused}");
        }
    }

    #[test]
    fn variables_allow_more() {
        let more = Offers::new("mine, other", "*", "o");
        for good in [
            r#""job_queue": "other""#,
            r#""job_definition": "anything:3""#,
            r#""s3_output_bucket": "s3://hst-out/o/p""#,
            r#""s3_output_bucket": "s3://hst-out/o""#,
            r#""s3_output_bucket": "s3://hst-out/data/spring""#,
        ] {
            assert_eq!(checked(&more, good), Ok(()), "{good}");
        }
        assert!(checked(&more, r#""job_queue": "third""#).is_err());
    }
}
