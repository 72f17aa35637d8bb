//! The context that operators chose for the bucket of results. A run asks for it where nobody else has
//! named one, so the rules that are looked at here must be those it would use.

use super::finding::{Area, Finding, Level};
use super::{PATIENCE, Situation, access};
use crate::config::{Origin, Settings};
use crate::operator;
use crate::references::CONTEXT;
use storage::s3::Access;

/// The settings with which a run would ask CRDS, and what is to be said of the operators' choice.
pub(super) async fn settings(situation: &Situation) -> (Settings, Option<Finding>) {
    let mut settings = situation.settings.clone();
    let bucket = situation.request.output.bucket();
    let (None, Some(bucket)) = (settings.get(CONTEXT), bucket) else {
        return (settings, None);
    };
    let subject = "operators' context";
    let finding = |level, text: String| Some(Finding::new(Area::References, subject, level, text));
    let s3 = access::client(Access::Environment).await;
    let found = match tokio::time::timeout(PATIENCE, operator::context(&s3, bucket)).await {
        Err(_) => {
            let text = format!("no answer within {} s", PATIENCE.as_secs());
            finding(Level::Problem, text)
                .map(|found| found.hint("check the network and AWS_ENDPOINT_URL"))
        }
        Ok(Err(error)) => finding(Level::Problem, error.to_string()),
        Ok(Ok(None)) => finding(Level::Note, format!("none is chosen in s3://{bucket}")),
        Ok(Ok(Some((context, place)))) => {
            let text = format!("{context} is chosen by {place}");
            settings.set(CONTEXT, context, Origin::Operator(place));
            finding(Level::Ok, text)
        }
    };
    (settings, found)
}
