#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn name() -> MappingName {
    "hst_9000.pmap".parse().unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    Context::from_pickle(&name(), bytes, Scope::All)
        .unwrap_err()
        .to_string()
}

fn fixture() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/crds/pickles/hst/hst_9000.pmap.pkl"
    );
    std::fs::read(path).unwrap()
}

#[test]
fn reads_what_python_crds_wrote() {
    let context = Context::from_pickle(&name(), &fixture(), Scope::All).unwrap();
    assert_eq!(context.name(), &name());
    let other = "hst_9001.pmap".parse().unwrap();
    assert!(Context::from_pickle(&other, &fixture(), Scope::All).is_err());
}

#[test]
fn refuses_what_crds_does_not_write_by_name() {
    assert!(refusal(b"\x80\x04cos\nsystem\n.").contains("os.system"));
    assert!(refusal(b"\x80\x04\x8c\x02os\x8c\x06system\x93.").contains("os.system"));
    assert!(refusal(b"\x80\x04ccrds.core.rmap\nPipelineContext\n)R.").contains("calls"));
    assert!(refusal(b"\x80\x02i.").contains("0x69"));
    assert!(refusal(b"\x80\x02P1\n.").contains("0x50"));
    assert!(refusal(b"\x80\x00N.").contains("protocol 0"));
    assert!(refusal(b"").contains("too early"));
}

#[test]
fn hostile_sizes_are_refused_quickly() {
    assert!(refusal(b"\x80\x04X\xff\xff\xff\xffx.").contains("too early"));
    assert!(refusal(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffx.").contains("too early"));
    assert!(refusal(b"\x80\x04Nr\xff\xff\xff\xff.").contains("out of order"));
    assert!(refusal(&vec![b'N'; 5_000_000]).contains("values"));
    assert!(refusal(&vec![b'N'; MAX_BYTES + 1]).contains("bytes"));
    // A list that holds itself, and tuples that double thirty times.
    assert!(!refusal(b"\x80\x04]\x94h\x00a.").is_empty());
    let mut doubling = b"\x80\x04N\x94".to_vec();
    for number in 0..30 {
        doubling.extend([b'h', number, b'h', number, 0x86, 0x94]);
    }
    doubling.push(b'.');
    assert!(!refusal(&doubling).is_empty());
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut bytes = fixture();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = Context::from_pickle(&name(), &bytes, Scope::All);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Context::from_pickle(&name(), &bytes, Scope::All).is_err());
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Context::from_pickle(&name(), &bytes, Scope::All).is_err());
    }
}
