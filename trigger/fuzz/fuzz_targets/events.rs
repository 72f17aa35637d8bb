//! Any JSON is an event or a clear error; a job's event has a cause whatever it says.
#![no_main]

use caldp_trigger::event::{Event, classify};
use caldp_trigger::event::job_event::JobEvent;
use caldp_trigger::order::Order;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice(bytes) else {
        return;
    };
    match classify(value) {
        Ok(Event::Job(event)) => {
            if let Ok(event) = JobEvent::from_event(&event) {
                let _ = event.task();
                assert!(!event.evidence.finding().seen.is_empty());
            }
        }
        Ok(Event::Direct(value)) => drop(Order::from_value(&value)),
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
