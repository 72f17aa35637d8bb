//! What people ask for, as fields: the order of a batch (direct invocation, `.json` and `.yaml`
//! lists) and the body of a request.
//!
//! Unknown fields and wrong types are refused with the list of what is allowed: a mistyped
//! `memory_bins` that is ignored costs a night of jobs.

pub mod dataset_list;
pub mod details;
pub mod document;
pub mod offers;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{BatchListFormat, Layout};
use caldp_core::resources::MemoryBin;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::uri::S3Uri;

use crate::resources::{Overrides, Priority, Scale};
use dataset_list::DatasetListError;
use details::Details;
use document::{Field, Fields, OrderError, document};

const ORDER_FIELDS: [Field; 10] = [
    (
        "datasets",
        "a list of names or of {dataset, why, n_files, ...}, or a text of names separated by white space",
    ),
    ("s3_output_bucket", "s3://bucket or s3://bucket/prefix"),
    ("job_definition", "a text"),
    ("job_queue", "a text"),
    ("batch_name", "letters, digits, '_' and '-'"),
    ("layout", "tree or calcloud"),
    ("dry_run", "true or false"),
    ("context", "a CRDS context like hst_1234.pmap"),
    (
        "priority",
        "a whole number, 0 to 9999: higher goes first among jobs with results in the same place",
    ),
    ("overrides", "the fields of a request"),
];

const REQUEST_FIELDS: [Field; 7] = [
    ("memory_bin", "0 to 3"),
    ("timeout_scale", "a number above 0"),
    (
        "retries",
        "a whole number: infrastructure retries to count as used",
    ),
    (
        "memory_retries",
        "a whole number: memory retries to count as used",
    ),
    (
        "timeout_retries",
        "a whole number: retries with more time to count as used",
    ),
    ("context", "a CRDS context like hst_1234.pmap"),
    ("dry_run", "true or false"),
];

/// The body of a request message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestBody {
    /// What changes for the next run.
    #[serde(flatten)]
    pub overrides: Overrides,
    /// The CRDS context to use instead of the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// The order of a batch: what is to be run, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The datasets, each once, in the order given.
    pub datasets: Vec<Dataset>,
    /// What is said of them besides.
    pub details: Details,
    /// Where results go; none for the default below the deployment's bucket.
    pub output: Option<S3Uri>,
    /// A job definition for all memory bins; none for the deployment's.
    pub job_definition: Option<String>,
    /// A job queue for all memory bins; none for the deployment's.
    pub job_queue: Option<String>,
    /// The batch's name; none for one made of the number of datasets and the time.
    pub batch_name: Option<BatchName>,
    /// The layout; none for the deployment's.
    pub layout: Option<Layout>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// The CRDS context; none for the job definition's default.
    pub context: Option<String>,
    /// Which of the jobs with results in the same place go first, on queues with fair shares.
    pub priority: Option<Priority>,
    /// What differs from the usual resources.
    pub overrides: Overrides,
}

impl Order {
    /// An order of nothing but names.
    pub fn of(datasets: Vec<Dataset>) -> Self {
        Self {
            datasets,
            details: Details::default(),
            output: None,
            job_definition: None,
            job_queue: None,
            batch_name: None,
            layout: None,
            dry_run: false,
            context: None,
            priority: None,
            overrides: Overrides::default(),
        }
    }

    /// The order in a decoded JSON or YAML document. Line numbers of bad names count the entries
    /// of a list, or the lines of a text.
    ///
    /// # Errors
    /// [`OrderError`] for unknown or wrong fields and bad names.
    pub fn from_value(value: &Value) -> Result<Self, OrderError> {
        let fields = Fields::new(value, "the batch's order", &ORDER_FIELDS)?;
        let (datasets, details) = match fields.get("datasets") {
            Some(Value::String(text)) => (dataset_list::from_text(text)?, Details::default()),
            Some(Value::Array(items)) => details::of_items(items)?,
            Some(other) => return Err(fields.wrong("datasets", other)),
            None => return Err(DatasetListError::Empty.into()),
        };
        Ok(Self {
            datasets,
            details,
            output: fields.parsed("s3_output_bucket")?,
            job_definition: fields.text("job_definition", is_aws_name)?,
            job_queue: fields.text("job_queue", is_aws_name)?,
            batch_name: fields.parsed("batch_name")?,
            layout: fields.parsed("layout")?,
            dry_run: fields.flag("dry_run")?,
            context: fields.text("context", is_context)?,
            priority: fields.priority()?,
            overrides: match fields.get("overrides") {
                Some(value) => {
                    let inner = Fields::new(value, "the overrides", &REQUEST_FIELDS)?;
                    inner.overrides()?
                }
                None => Overrides::default(),
            },
        })
    }

    /// The order of a list of lines, the comments beside names being why they are in it.
    ///
    /// # Errors
    /// [`OrderError::Names`] for bad names.
    pub fn from_lines(bytes: &[u8]) -> Result<Self, OrderError> {
        let mut order = Self::of(dataset_list::from_bytes(bytes)?);
        order.details = Details::of_lines(dataset_list::text(bytes)?);
        Ok(order)
    }

    /// The order of a table (CSV) with a column `dataset`, and any of those of features and `why`.
    ///
    /// # Errors
    /// [`OrderError::Names`] for bad names and values.
    pub fn from_table(bytes: &[u8]) -> Result<Self, OrderError> {
        let text = dataset_list::text(bytes)?;
        let (datasets, details) = details::of_table(text.as_bytes())?;
        Ok(Self {
            details,
            ..Self::of(datasets)
        })
    }

    /// The order in a list of any format.
    ///
    /// # Errors
    /// [`OrderError`]
    pub fn from_list(bytes: &[u8], format: BatchListFormat) -> Result<Self, OrderError> {
        match format {
            BatchListFormat::Lines => Self::from_lines(bytes),
            BatchListFormat::Table => Self::from_table(bytes),
            BatchListFormat::Json | BatchListFormat::Yaml => Self::from_document(bytes),
        }
    }

    /// The order in the bytes of a `.json` or `.yaml` list.
    ///
    /// # Errors
    /// [`OrderError`]
    pub fn from_document(bytes: &[u8]) -> Result<Self, OrderError> {
        Self::from_value(&document(bytes, "the batch's list")?)
    }
}

impl RequestBody {
    /// The fields of a request's body, JSON or YAML. An empty body asks for nothing special.
    ///
    /// # Errors
    /// [`OrderError`] for unknown or wrong fields.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OrderError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value = document(bytes, "the request")?;
        if value.is_null() || value.as_str() == Some("") {
            return Ok(Self::default());
        }
        let fields = Fields::new(&value, "the request", &REQUEST_FIELDS)?;
        Ok(Self {
            overrides: fields.overrides()?,
            context: fields.text("context", is_context)?,
            dry_run: fields.flag("dry_run")?,
        })
    }
}

impl Fields<'_> {
    fn priority(&self) -> Result<Option<Priority>, OrderError> {
        let priority = self.get("priority").map(|value| {
            let number = value.as_u64().and_then(|n| Priority::try_from(n).ok());
            number.ok_or_else(|| self.wrong("priority", value))
        });
        priority.transpose()
    }

    /// The fields of a request that change the next run.
    fn overrides(&self) -> Result<Overrides, OrderError> {
        let memory_bin = self.get("memory_bin").map(|value| {
            let memory_bin = value.as_u64().and_then(MemoryBin::new);
            memory_bin.ok_or_else(|| self.wrong("memory_bin", value))
        });
        let timeout_scale = self.get("timeout_scale").map(|value| {
            let scale = value.as_f64().and_then(|f| Scale::try_from(f).ok());
            scale.ok_or_else(|| self.wrong("timeout_scale", value))
        });
        Ok(Overrides {
            memory_bin: memory_bin.transpose()?,
            timeout_scale: timeout_scale.transpose()?,
            retries: self.count("retries")?,
            memory_retries: self.count("memory_retries")?,
            timeout_retries: self.count("timeout_retries")?,
        })
    }
}

/// Names and ARNs of queues and definitions.
fn is_aws_name(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_:/.".contains(&b))
}

/// A context goes into the environment of every job, and one that CRDS cannot know fails them all:
/// rules of HST by their file, `latest`, names like `hst-operational`, and dates.
pub(crate) fn is_context(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    let dated = |text: &str| text.len() > 4 && text.bytes().take(4).all(|b| b.is_ascii_digit());
    text.len() <= 100
        && text.bytes().all(plain)
        && (text == "latest"
            || text.starts_with("hst-")
            || text.starts_with("hst_") && text.strip_suffix(".pmap").is_some()
            || dated(text) && text.as_bytes()[4] == b'-')
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
