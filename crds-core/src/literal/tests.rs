#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> LiteralError {
    parse("t.rmap", text).unwrap_err()
}

#[test]
fn reads_every_form_rules_use() {
    let text = "# first\n{'a' : (1, -2.5, .5, 5., 1e5, True, None,), \"b\" : [], () : ('x',),\n 'c': '''two\nlines''' \"+\" 'one', 1: {}, 'd': (7)}";
    let literal = parse("t", text).unwrap();
    assert_eq!(
        literal.to_string(),
        "{'a': (1, -2.5, 0.5, 5.0, 100000.0, True, None), 'b': [], (): ('x',), 'c': 'two\\nlines+one', 1: {}, 'd': 7}"
    );
}

#[test]
fn escapes_are_pythons() {
    let literal = parse(
        "t",
        r#"'\x41\u00e9\101\n\q\\\'' "\
more""#,
    )
    .unwrap();
    assert_eq!(literal.as_str(), Some("A\u{e9}A\n\\q\\'more"));
    assert_eq!(parse("t", r"r'\d'").unwrap().as_str(), Some("\\d"));
}

#[test]
fn the_last_of_equal_keys_wins_in_the_first_ones_place() {
    let literal = parse("t", "{'b': 1, 'a': 2, 'b': 3, 1: 4, 1.0: 5, True: 6}").unwrap();
    assert_eq!(literal.to_string(), "{'b': 3, 'a': 2, 1: 6}");
}

#[test]
fn errors_say_where() {
    let error = refusal("{'a': 1,\n  b: 2}");
    assert_eq!((error.line, error.column), (2, 3));
    assert_eq!(
        error.to_string(),
        "t.rmap, line 2, column 3: the name `b` is not a value"
    );
}

#[test]
fn refuses_everything_else() {
    for text in [
        "",
        "x",
        "f(1)",
        "Match({})",
        "{1, 2}",
        "{'a': 1",
        "'a",
        "'a\n'",
        "1_0",
        "0x1",
        "007",
        "1 + 2",
        "[x for x in y]",
        "lambda: 1",
        "a.b",
        "'a'[0]",
        "{[]: 1}",
        "b'x'",
        "f'x'",
        "--1",
        "(1,,)",
        "'\\x4'",
        "'\\N{DASH}'",
        "1j",
        "9999999999999999999999999999999999999999999",
    ] {
        assert!(parse("t", text).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = "[".repeat(100_000);
    assert!(refusal(&deep).problem.contains("nest"));
    let calls = format!("header = {{}}\nselector = {}", "Match({1:".repeat(100_000));
    assert!(
        parse_rules("t", &calls)
            .unwrap_err()
            .problem
            .contains("nest")
    );
}

#[test]
fn length_is_bounded() {
    let long = " ".repeat(MAX_BYTES + 1);
    assert!(refusal(&long).problem.contains("bytes"));
}

#[test]
fn rule_files_are_assignments() {
    let text = "header = {'a': 'b'}\n\ncomment = \"\"\"\nselector = nothing\n\"\"\"\nselector = Match({('A', 1.0): UseAfter({'d': 'f',}), },)\n";
    let rules = parse_rules("t", text).unwrap();
    assert_eq!(
        rules.selector.to_string(),
        "Match({('A', 1.0): UseAfter({'d': 'f'})})"
    );
    for text in [
        "header = {}",
        "import os\nheader = {}\nselector = {}",
        "header = {}\nselector = Match()",
        "header = {}\nselector = Match({}, {})",
        "header = {}\nselector = ClosestTime({})",
        "header = {}\nselector = eval({})",
        "header = {}\nselector.x = {}",
    ] {
        assert!(parse_rules("t", text).is_err(), "{text}");
    }
}

fn any_literal() -> impl Strategy<Value = Literal<'static>> {
    let leaf = prop_oneof![
        Just(Literal::None),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(Literal::Int),
        any::<f64>()
            .prop_filter("no NaN", |x| !x.is_nan())
            .prop_map(Literal::Float),
        any::<String>().prop_map(|s| Literal::Str(s.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Literal::Tuple),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Literal::List),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|pairs| {
                let mut unique: Vec<(Literal<'static>, Literal<'static>)> = Vec::new();
                for (key, value) in pairs {
                    let key = Literal::Str(key.into());
                    if unique.iter().all(|(k, _)| *k != key) {
                        unique.push((key, value));
                    }
                }
                Literal::Dict(unique)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(literal in any_literal()) {
        let text = literal.to_string();
        let read = parse("t", &text).unwrap();
        prop_assert_eq!(&read, &literal);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn no_text_panics(text in "[\\[\\](){}'\"\\\\:,.#a-zM0-9 \n\\-+é]{0,60}") {
        let _ = parse("t", &text);
        let _ = parse_rules("t", &format!("header = {text}"));
    }
}
