//! What orders and requests may say.

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
fn a_priority_is_one_that_aws_takes() {
    let order = |priority: Value| {
        Order::from_value(&json!({"datasets": "j8cb010b0", "priority": priority}))
    };
    let priority = order(json!(9999)).unwrap().priority.map(i32::from);
    assert_eq!(priority, Some(9999));
    for bad in [json!(10_000), json!(-1), json!(1.5), json!("high")] {
        let text = order(bad).unwrap_err().to_string();
        assert!(text.contains("priority"), "{text}");
    }
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
