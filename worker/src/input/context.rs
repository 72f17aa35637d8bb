//! What bringing inputs works with, wherever they come from.

use super::archive::Limits;
use super::events::InputEvents;
use super::mast;
use storage::s3::S3;

/// How many files are brought at once.
pub(super) const FILES_IN_FLIGHT: usize = 4;

/// What gathering works with.
#[derive(Debug)]
pub struct InputContext<'a> {
    /// The S3 client.
    pub s3: &'a S3Client,
    /// Where MAST is and how patiently it is asked.
    pub mast: mast::MastSettings,
    /// The most an archive may hold.
    pub limits: Limits,
    /// Who wants to know of files that are complete.
    pub events: InputEvents,
}

/// An S3 client that is made when it is first needed: a run on local files needs no credentials.
#[derive(Debug, Default)]
pub struct S3Client(tokio::sync::OnceCell<S3>);

impl S3Client {
    /// The client of the environment.
    pub async fn get(&self) -> &S3 {
        self.0.get_or_init(S3::from_env).await
    }
}
