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

use crate::resources::{Overrides, Scale};
use dataset_list::DatasetListError;
use details::Details;
use document::{Field, Fields, OrderError, document};

const ORDER_FIELDS: [Field; 9] = [
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

/// A context goes into the environment of a job; CRDS also knows symbolic ones (`hst-latest`).
fn is_context(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use serde_json::json;
    use storage::hint::explain;

    use super::*;

    #[test]
    fn an_order_has_a_list_or_a_text_of_names() {
        let list = Order::from_value(&json!({"datasets": ["J8CB010B0", "j8cb010b1"]})).unwrap();
        let text = Order::from_value(&json!({"datasets": "J8CB010B0 j8cb010b1"})).unwrap();
        assert_eq!(list, text);
        assert_eq!(list.datasets.len(), 2);
    }

    #[test]
    fn a_list_says_why_and_what_is_known() {
        let lines =
            Order::from_lines(b"j8cb010b0 # DARKFILE x.fits -> y.fits\n# all of them\nj8cb010b1\n");
        let table = Order::from_table(
            b"why,dataset,n_files,total_mb\nDARKFILE x.fits -> y.fits,J8CB010B0,,\n,j8cb010b1,5,69\n",
        );
        let items = Order::from_value(&json!({"datasets": [
            {"dataset": "j8cb010b0", "why": "DARKFILE x.fits\n-> y.fits"},
            {"dataset": "j8cb010b1", "n_files": 5, "total_mb": "69", "drizcorr": "PERFORM", "subarray": false},
        ]}));
        let (lines, table, items) = (lines.unwrap(), table.unwrap(), items.unwrap());
        for order in [&lines, &table, &items] {
            let [first, second] = order.datasets.as_slice() else {
                unreachable!("{order:?}");
            };
            let why = order.details.why(first).unwrap();
            assert_eq!(why.to_string(), "DARKFILE x.fits -> y.fits");
            assert_eq!(order.details.why(second), None);
        }
        let known = |order: &Order| order.details.features(&order.datasets[1]);
        assert_eq!(known(&lines).files, None);
        assert_eq!(known(&table).input_mb, Some(69.0));
        assert_eq!(known(&items).files, Some(5));
        assert_eq!(
            (known(&items).drizzle, known(&items).subarray),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn what_a_list_cannot_mean_refuses_it() {
        let refused = |order: Result<Order, OrderError>| order.unwrap_err().to_string();
        let text = refused(Order::from_table(
            b"dataset,n_files\nj8cb010b0,1e9\nnope,1\nj8cb010b1,2\n",
        ));
        for part in [
            "2 bad names",
            "line 2: \"j8cb010b0\": n_files cannot be true",
            "line 3: \"nope\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(refused(Order::from_table(b"name\nj8cb010b0\n")).contains("dataset"));
        let text = refused(Order::from_value(&json!({"datasets": [
            {"dataset": "j8cb010b0", "files": 5}, 7, {"n_files": 2},
        ]})));
        for part in [
            "line 1: \"j8cb010b0\": unknown field \"files\"",
            "line 2: \"7\"",
            "line 3: \"\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn every_field_is_understood() {
        let order = Order::from_document(
            b"datasets:\n  - j8cb010b0\ns3_output_bucket: s3://hst-out/data/x\njob_definition: d:3\n\
              job_queue: q\nbatch_name: spring-2026\nlayout: calcloud\ndry_run: true\n\
              context: hst_1234.pmap\noverrides:\n  memory_bin: 2\n  timeout_scale: 1.5\n  retries: 0\n",
        )
        .unwrap();
        assert_eq!(order.output.unwrap().key(), "data/x");
        assert_eq!(order.batch_name.unwrap().as_str(), "spring-2026");
        assert_eq!(order.layout, Some(Layout::Calcloud));
        assert!(order.dry_run);
        assert_eq!(order.overrides.memory_bin, MemoryBin::new(2));
        assert_eq!(order.overrides.retries, Some(0));
    }

    #[test]
    fn unknown_fields_and_wrong_types_list_what_is_allowed() {
        for (body, part) in [
            (&b"memory_bins: 3"[..], "unknown field \"memory_bins\""),
            (b"memory_bin: 4", "memory_bin"),
            (b"memory_bin: high", "\"high\""),
            (b"timeout_scale: -1", "timeout_scale"),
            (b"timeout_scale: [2]", "a list of 1"),
            (b"retries: 1.5", "retries"),
            (b"- 1", "not a set of fields"),
            (b"{\"dry_run\": \"yes\"}", "dry_run"),
        ] {
            let error = RequestBody::from_bytes(body).unwrap_err();
            let text = explain(&error).to_string();
            assert!(text.contains(part), "{part} in {text}");
            assert!(text.contains("allowed are memory_bin (0 to 3)"), "{text}");
        }
    }

    #[test]
    fn an_empty_body_asks_for_nothing_special() {
        for body in [&b""[..], b" \n", b"null\n...\n", b"''", b"{}"] {
            assert_eq!(
                RequestBody::from_bytes(body).unwrap(),
                RequestBody::default(),
                "{body:?}"
            );
        }
    }

    #[test]
    fn names_that_would_reach_keys_are_checked() {
        let order = json!({"datasets": "j8cb010b0", "batch_name": "../x"});
        assert!(Order::from_value(&order).is_err());
        let order = json!({"datasets": "j8cb010b0", "s3_output_bucket": "s3://b/../c"});
        assert!(Order::from_value(&order).is_err());
        let order = json!({"datasets": "j8cb010b0", "context": "x y"});
        assert!(Order::from_value(&order).is_err());
    }

    #[test]
    fn broken_documents_say_where() {
        let text = RequestBody::from_bytes(b"{\"memory_bin\": ")
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 1"), "{text}");
        assert!(Order::from_document(b"datasets: [j8cb010b0").is_err());
        let deep = "[".repeat(100_000);
        assert!(Order::from_document(deep.as_bytes()).is_err());
    }

    #[test]
    fn bad_names_in_an_order_have_their_place() {
        let text = Order::from_value(&json!({"datasets": ["j8cb010b0", "nope"]}))
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 2"), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_body_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RequestBody::from_bytes(&bytes).map_err(|e| e.to_string());
            let _ = Order::from_document(&bytes).map_err(|e| e.to_string());
            let _ = Order::from_table(&bytes).map_err(|e| e.to_string());
            let _ = Order::from_lines(&bytes).map_err(|e| e.to_string());
        }

        #[test]
        fn what_is_written_is_read_back(
            bin in proptest::option::of(0u64..4), scale in proptest::option::of(1u16..360),
            retries in any::<Option<u32>>(), dry_run in any::<bool>(),
        ) {
            let body = RequestBody {
                overrides: Overrides {
                    memory_bin: bin.and_then(MemoryBin::new),
                    timeout_scale: scale.and_then(|s| Scale::try_from(f64::from(s) / 4.0).ok()),
                    retries,
                    memory_retries: None,
                    timeout_retries: None,
                },
                context: None,
                dry_run,
            };
            let bytes = serde_json::to_vec(&body).unwrap();
            prop_assert_eq!(RequestBody::from_bytes(&bytes).unwrap(), body);
        }
    }
}
