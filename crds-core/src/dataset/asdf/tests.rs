#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn file(tree: &str) -> Vec<u8> {
    let mut bytes = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n".to_vec();
    bytes.extend_from_slice(tree.as_bytes());
    bytes.extend_from_slice(b"\n...\n\xd3BLK\x00\x30 binary\n...\n");
    bytes
}

fn header(tree: &str) -> Header {
    read_from(Cursor::new(file(tree))).unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "one file and what is in it")]
fn a_tree_reads_as_python_reads_it() {
    // Written by asdf 6.0 with asdf-astropy 0.11; the values are what CRDS 14.0.3 makes of it.
    let tree = "\
asdf_library: !core/software-1.0.0 {author: The ASDF Developers, name: asdf}
history:
  entries:
  - !core/history_entry-1.0.0 {description: made for a test, time: ! '2026-11-21 05:38:14+00:00'}
  - !core/history_entry-1.0.0 {description: 'second: entry', time: 2026-11-21T05:38:14.5}
  extensions:
  - !core/extension_metadata-1.0.0
    software: !core/software-1.0.0 {name: asdf, version: 6.0.0}
roman:
  data: !core/ndarray-1.1.0
    source: 0
    shape: [10]
  meta:
    instrument: &wfi {detector: WFI01, name: WFI, optical_element: F158}
    again: *wfi
    exposure:
      flag: true
      no: a key that is not a text
      lamp: off
      frame_time: 3.04
      list: [a, 1, 2.5, true, null, {a: 1}, it's]
      ma_table_number: 3
      none: null
      read_pattern:
      - [1]
      - [2, 3]
      start_time: !time/time-1.4.0 2020-10-28T16:31:53.824
      end_time: !time/time-1.4.0 {value: '2020-10-28 16:31:54', scale: utc}
      telescope: !<asdf://stsci.edu/datamodels/roman/tags/telescope-1.0.0> ROMAN
    date: 2020-01-02 03:04:05.600000
    day: 2020-01-02
    empty: {}
    multi: 'a

      b'
    num: '12'
    neg: -5
    oct: 017
    hex: 0x1F
    exp: 1.0e+20
    notexp: 1e20
    small: 1.0e-07
    big: 123_456_789_012_345_678_901
    cplx: !core/complex-1.0.0 (1+2j)
    nan: .nan
    inf: -.inf
    3: three
    unicode: é
    Name: lower wins
    name: last wins";
    let header = header(tree);
    let pairs: Vec<(&str, &str)> = header.iter().collect();
    let expected = [
        ("ASDF_LIBRARY.AUTHOR", "The ASDF Developers"),
        ("ASDF_LIBRARY.NAME", "asdf"),
        (
            "HISTORY.ENTRIES",
            "(\"SUPRESSED_NONSTD_TYPE: 'HistoryEntry'\", \"SUPRESSED_NONSTD_TYPE: 'HistoryEntry'\")",
        ),
        (
            "HISTORY.EXTENSIONS",
            "(\"SUPRESSED_NONSTD_TYPE: 'ExtensionMetadata'\",)",
        ),
        ("ROMAN.DATA", "SUPRESSED_NONSTD_TYPE: 'NDArrayType'"),
        ("ROMAN.META.INSTRUMENT.DETECTOR", "WFI01"),
        ("ROMAN.META.INSTRUMENT.NAME", "WFI"),
        ("ROMAN.META.INSTRUMENT.OPTICAL_ELEMENT", "F158"),
        ("ROMAN.META.AGAIN.DETECTOR", "WFI01"),
        ("ROMAN.META.AGAIN.NAME", "WFI"),
        ("ROMAN.META.AGAIN.OPTICAL_ELEMENT", "F158"),
        ("ROMAN.META.EXPOSURE.FLAG", "True"),
        ("ROMAN.META.EXPOSURE.LAMP", "False"),
        ("ROMAN.META.EXPOSURE.FRAME_TIME", "3.04"),
        (
            "ROMAN.META.EXPOSURE.LIST",
            "('a', '1', '2.5', 'True', \"SUPRESSED_NONSTD_TYPE: 'NoneType'\", \"SUPRESSED_NONSTD_TYPE: 'dict'\", \"it's\")",
        ),
        ("ROMAN.META.EXPOSURE.MA_TABLE_NUMBER", "3"),
        (
            "ROMAN.META.EXPOSURE.NONE",
            "SUPRESSED_NONSTD_TYPE: 'NoneType'",
        ),
        ("ROMAN.META.EXPOSURE.READ_PATTERN", "(('1',), ('2', '3'))"),
        ("ROMAN.META.EXPOSURE.START_TIME", "2020-10-28T16:31:53"),
        ("ROMAN.META.EXPOSURE.END_TIME", "2020-10-28T16:31:54"),
        ("ROMAN.META.EXPOSURE.TELESCOPE", "ROMAN"),
        ("ROMAN.META.DATE", "2020-01-02T03:04:05.599999"),
        ("ROMAN.META.DAY", "SUPRESSED_NONSTD_TYPE: 'date'"),
        ("ROMAN.META.MULTI", "a\nb"),
        ("ROMAN.META.NUM", "12"),
        ("ROMAN.META.NEG", "-5"),
        ("ROMAN.META.OCT", "15"),
        ("ROMAN.META.HEX", "31"),
        ("ROMAN.META.EXP", "1e+20"),
        ("ROMAN.META.NOTEXP", "1e20"),
        ("ROMAN.META.SMALL", "1e-07"),
        ("ROMAN.META.BIG", "123456789012345678901"),
        ("ROMAN.META.CPLX", "(1+2j)"),
        ("ROMAN.META.NAN", "nan"),
        ("ROMAN.META.INF", "-inf"),
        ("ROMAN.META.UNICODE", "é"),
        ("ROMAN.META.NAME", "last wins"),
        (
            "HISTORY",
            "2026-11-21 05:38:14+00:00 :: made for a test\n2026-11-21 05:38:14 :: second: entry",
        ),
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn a_file_may_have_no_tree() {
    let bare = read_from(Cursor::new(b"#ASDF 1.0.0\n\xd3BLK\x00\x30 binary")).unwrap();
    assert_eq!(bare.iter().count(), 1);
    assert_eq!(header("{}").get("HISTORY"), Some("UNDEFINED"));
}

#[test]
fn long_trees_are_read_whole() {
    let lines: Vec<String> = (0..30_000).map(|n| format!("key{n}: {n}")).collect();
    assert_eq!(header(&lines.join("\n")).get("KEY29999"), Some("29999"));
}

#[test]
fn damaged_and_hostile_files_are_refused() {
    let problem = |bytes: &[u8]| read_from(Cursor::new(bytes)).unwrap_err().to_string();
    assert!(problem(b"SIMPLE  =").contains("not an ASDF file"));
    assert!(problem(b"").contains("not an ASDF file"));
    let whole = file("a: 1");
    assert!(problem(&whole[..60]).contains("no end"));
    assert!(problem(b"#ASDF 1.0.0\n%YAML 1.1\n---\na: 1\n\xd3BLK").contains("no end"));
    assert!(problem(&file("a: [1")).contains("cannot be read"));
    assert!(problem(&file("a: *b")).contains("cannot be read"));
    assert!(problem(b"#ASDF 1\n---\na: \xff\n...\n").contains("UTF-8"));
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(problem(&file(&deep)).contains("64 levels"));
    // Ten levels of ten aliases each.
    let mut bomb = String::from("l0: &l0 {a: 1}\n");
    for level in 1..10 {
        let inside: Vec<String> = (0..10).map(|n| format!("k{n}: *l{}", level - 1)).collect();
        let line = format!("l{level}: &l{level} {{{}}}\n", inside.join(", "));
        bomb.push_str(&line);
    }
    assert!(problem(&file(bomb.trim_end())).contains("keywords"));
    let mut bomb = String::from("l0: &l0 [a]\n");
    for level in 1..10 {
        let inside = vec![format!("*l{}", level - 1); 10].join(", ");
        let line = format!("l{level}: &l{level} [{inside}]\n");
        bomb.push_str(&line);
    }
    assert!(problem(&file(bomb.trim_end())).contains("items in a list"));
    let endless = [b"#ASDF 1.0.0\n---\n".to_vec(), vec![b'x'; 17 << 20]].concat();
    assert!(problem(&endless).contains("16 MiB"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_tree_is_read_or_refused(tree in "[-a-z0-9:{}\\[\\], \n&*!'\"|>.%#~]{0,200}") {
        let _ = read_from(Cursor::new(file(&tree)));
    }
}
