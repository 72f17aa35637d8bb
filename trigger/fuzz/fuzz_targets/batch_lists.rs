//! Any bytes are a list of names, an order, a request, or a clear error; names come out once.
#![no_main]

use std::collections::HashSet;

use caldp_trigger::order::dataset_list::from_bytes;
use caldp_trigger::order::{Order, RequestBody};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(datasets) = from_bytes(bytes) {
        let once: HashSet<_> = datasets.iter().collect();
        assert_eq!(once.len(), datasets.len());
    }
    let _ = Order::from_table(bytes);
    if let Ok(order) = Order::from_document(bytes) {
        assert!(!order.datasets.is_empty());
    }
    let _ = RequestBody::from_bytes(bytes);
});
