//! The rules that are compared: one new set, and the old ones that datasets name, each loaded once
//! whichever thread asks first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crds_core::header::condition;
use crds_core::names::{ContextName, ContextNameError, ReferenceType};
use crds_core::rules::Context;
use crds_core::{Client, ClientError};
use storage::hint::with_causes;
use tokio::runtime::Handle;

/// How many different contexts datasets may name.
const MAX_CONTEXTS: usize = 256;

/// The rules of both sides.
pub(super) struct Rules {
    client: Client,
    handle: Handle,
    new: Arc<Context>,
    /// By type and instrument of the new rules: the keyword that switches the step off.
    switches: HashMap<ReferenceType, HashMap<String, String>>,
    /// Those of old contexts, in the order in which they were asked for.
    old: Box<[OnceLock<Arc<Context>>]>,
    /// Where in `old` the rules of a name are, or why there are none.
    known: Mutex<HashMap<String, Result<usize, String>>>,
}

impl Rules {
    /// Loads the new rules; without a name those in use.
    pub(super) async fn load(
        client: Client,
        new: Option<&ContextName>,
    ) -> Result<Self, ClientError> {
        client.refuse_remote()?;
        let file = client.context_file(new).await?;
        let new = client.rules(&file, None).await?;
        let mut switches: HashMap<ReferenceType, HashMap<String, String>> = HashMap::new();
        for (instrument, name, key) in new.switches() {
            let of_type = switches.entry(name.clone()).or_default();
            of_type.insert(instrument.to_owned(), key);
        }
        Ok(Self {
            client,
            handle: Handle::current(),
            new,
            switches,
            old: (0..MAX_CONTEXTS).map(|_| OnceLock::new()).collect(),
            known: Mutex::default(),
        })
    }

    /// The new rules.
    pub(super) fn new_rules(&self) -> &Context {
        &self.new
    }

    /// Whom to ask about files.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Where what is asynchronous is waited for, from a thread of its own.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The rules of a name, or why there are none. Called from threads that may block.
    pub(super) fn old_rules(&self, name: &str) -> Result<&Context, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = if let Some(place) = known.get(name) {
            place.clone()
        } else {
            let place = self.load_old(name, known.len());
            known.insert(name.to_owned(), place.clone());
            place
        };
        drop(known);
        let context = self.old.get(place?).and_then(OnceLock::get);
        context.map(Arc::as_ref).ok_or_else(too_many)
    }

    fn load_old(&self, name: &str, place: usize) -> Result<usize, String> {
        let cell = self.old.get(place).ok_or_else(too_many)?;
        let asked: ContextName = name.parse().map_err(|e: ContextNameError| e.to_string())?;
        let context = async {
            let file = self.client.context_file(Some(&asked)).await?;
            self.client.rules(&file, None).await
        };
        let context = self.handle.block_on(context);
        let context = context.map_err(|error: ClientError| with_causes(&error).to_string())?;
        cell.get_or_init(|| context);
        Ok(place)
    }

    /// The keyword that switches a type's step off, when it says so in this header.
    pub(super) fn switched_off<'h>(
        &self,
        instrument: &str,
        reference_type: &ReferenceType,
        header: impl DoubleEndedIterator<Item = (&'h str, &'h str)>,
    ) -> Option<&str> {
        let switch = self.switches.get(reference_type)?.get(instrument)?;
        let mut own = header
            .rev()
            .filter(|(key, _)| key.eq_ignore_ascii_case(switch));
        let (_, value) = own.next()?;
        (condition(value) == "OMIT").then_some(switch)
    }
}

fn too_many() -> String {
    format!("datasets name more than {MAX_CONTEXTS} contexts")
}
