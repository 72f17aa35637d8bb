//! The function's log: one JSON object a line, as the log queries of AWS read it.
//!
//! The fields of the spans that a line is logged in stand beside its own, so that `requestId`, `batch`
//! and `dataset` can be asked for as they are: `filter dataset = "j8cb010b0"`. Metrics are lines in
//! `CloudWatch`'s embedded metric format.

use std::fmt;

use caldp_trigger::metric;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Starts the log, on standard output. `RUST_LOG` or Lambda's `AWS_LAMBDA_LOG_LEVEL` say how much.
/// Metrics are written at any level, in this namespace.
pub(crate) fn init(namespace: String) {
    let level = std::env::var("RUST_LOG").or_else(|_| std::env::var("AWS_LAMBDA_LOG_LEVEL"));
    let filter = EnvFilter::try_new(level.unwrap_or_default());
    let filter = filter
        .ok()
        .filter(|filter| !filter.to_string().is_empty())
        .unwrap_or_else(|| EnvFilter::new("info"));
    let always = format!("{}=info", metric::TARGET).parse();
    let filter = match always {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(JsonFields::new())
        .event_format(OneObject { namespace })
        .with_writer(std::io::stdout)
        .init();
}

/// Writes an event and its spans as one object.
struct OneObject {
    namespace: String,
}

impl<S> FormatEvent<S, JsonFields> for OneObject
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let mut set = |name: &str, value: Value| line.insert(name.to_owned(), value);
        set("timestamp", Timestamp::now().to_string().into());
        set("level", event.metadata().level().to_string().into());
        set("target", event.metadata().target().into());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(&fields.fields).ok());
            line.extend(fields.unwrap_or_else(Map::new));
        }
        event.record(&mut FieldVisitor(&mut line));
        if event.metadata().target() == metric::TARGET {
            self.embed_metric(&mut line);
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

impl OneObject {
    /// Makes a line one that `CloudWatch` makes a metric of: a count of one, whose dimensions are fields of
    /// the line.
    fn embed_metric(&self, line: &mut Map<String, Value>) {
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let name = text(line.remove("metric"));
        let dimensions = text(line.remove("dimensions"));
        let dimensions: Vec<&str> = dimensions.split(',').collect();
        for dimension in &dimensions {
            // CloudWatch takes no numbers
            if let Some(value @ Value::Number(_)) = line.get_mut(*dimension) {
                *value = value.to_string().into();
            }
        }
        let metric = json!({
            "Timestamp": Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": self.namespace, "Dimensions": [dimensions],
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        });
        line.insert("_aws".to_owned(), metric);
        line.insert(name, 1.into());
    }
}

/// Collects the fields of an event.
struct FieldVisitor<'a>(&'a mut Map<String, Value>);

impl FieldVisitor<'_> {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
