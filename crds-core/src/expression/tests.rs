#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;

use super::*;

struct Pairs(Vec<String>);

impl Names for Pairs {
    fn value(&self, number: usize) -> Result<Cow<'_, str>, String> {
        match &*self.0[number] {
            "DETECTOR" => Ok("WFC".into()),
            "GAIN" => Ok("2.0".into()),
            "EMPTY" => Ok("".into()),
            other => Err(format!("name '{other}' is not defined")),
        }
    }
}

fn holds(text: &str) -> Result<bool, String> {
    let mut names = Vec::new();
    let expression = Expression::new("e", text, &mut |name| {
        names.push(name.to_owned());
        names.len() - 1
    })
    .map_err(|error| error.to_string())?;
    expression.holds(&Pairs(names))
}

#[test]
fn expressions_hold_as_in_python() {
    for (text, expected) in [
        ("True", true),
        ("(False)", false),
        ("(DETECTOR == \"WFC\")", true),
        ("DETECTOR != 'WFC' or GAIN in [\"1.0\",\"2.0\"]", true),
        ("not DETECTOR == 'WFC' and NOSUCH", false),
        ("GAIN not in ('1.0',)", true),
        ("'F' in DETECTOR", true),
        ("GAIN == 2.0", false),
        ("GAIN != 2.0", true),
        ("'1.0' < GAIN <= '2.0'", true),
        ("EMPTY", false),
        ("DETECTOR", true),
        ("()", false),
        ("[0]", true),
        ("not not EMPTY", false),
        ("1 == 1.0 == True", true),
        ("(1, 'a') == (1, 'a')", true),
        ("(1,) == [1]", false),
        ("(1, 2) < (1, 3)", true),
        ("EMPTY if DETECTOR == 'WFC' else True", false),
        ("None or 'x'", true),
        ("-1 < +1", true),
    ] {
        assert_eq!(holds(text), Ok(expected), "{text}");
    }
    for text in [
        "true",
        "GAIN > 1",
        "NOSUCH",
        "1 in 2",
        "None < 1",
        "",
        "f(1)",
        "a.b",
        "a[0]",
        "1 +",
        "1 + 1",
        "(1",
        "lambda: 1",
        "x if y",
        "not",
        "== 1",
    ] {
        assert!(holds(text).is_err(), "{text}");
    }
    assert!(holds(&"(".repeat(100_000)).is_err());
    assert_eq!(holds(&format!("{}1", "not ".repeat(100_001))), Ok(false));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[A-C()\\[\\]<>=!'\", 0-9.+-]{0,40}|( |not|and|or|if|else|in|A|1|\\(|\\)){0,20}") {
        let _ = holds(&text);
    }
}
