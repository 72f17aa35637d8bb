#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::value::LONGEST_TEXT;

fn card(text: &str) -> Card {
    let mut records = text.as_bytes().chunks(CARD_LENGTH).map(|chunk| {
        let mut record = [b' '; CARD_LENGTH];
        record[..chunk.len()].copy_from_slice(chunk);
        record
    });
    let mut card = Card::from_record(&records.next().unwrap_or([b' '; CARD_LENGTH]));
    records.for_each(|record| card.extend(&record));
    card
}

fn read(text: &str) -> (String, Value, String) {
    let parsed = card(text).parse();
    (parsed.keyword, parsed.value, parsed.comment)
}

#[test]
fn continue_records_lengthen_strings_only() {
    let long = format!(
        "{:80}{:80}{:80}",
        "A       = 'one &'", "CONTINUE  'it''s &' / first", "CONTINUE  'three  ' / second"
    );
    assert_eq!(
        read(&long),
        (
            "A".into(),
            Value::Text("one it's three".into()),
            "first second".into()
        )
    );
    let number = format!("{:80}{:80}", "A       = 5 / c", "CONTINUE  'x'");
    assert_eq!(
        read(&number),
        ("A".into(), Value::Integer("5".into()), "c".into())
    );
}

#[test]
fn cards_are_written_in_the_usual_look() {
    let written = |keyword, value, comment| {
        let card = Card::new(keyword, &value, comment);
        assert_eq!(card.image().len(), CARD_LENGTH);
        String::from_utf8(card.image().to_vec())
            .unwrap()
            .trim_end()
            .to_owned()
    };
    let text = |text: &str| CardValue::Text(text.into());
    assert_eq!(
        written("A", text("N/A"), "c"),
        "A       = 'N/A     '           / c"
    );
    assert_eq!(written("A", text(""), "c"), "A       = '' / c");
    assert_eq!(
        written("IDCTAB", text("jref$0123456789.fits"), "c"),
        "IDCTAB  = 'jref$0123456789.fits' / c"
    );
    assert_eq!(
        written("RANDSEED", CardValue::Integer(1), ""),
        "RANDSEED=                    1"
    );
    let full = "x".repeat(LONGEST_TEXT);
    assert_eq!(
        written("A", text(&full), "lost"),
        format!("A       = '{full}'")
    );
    assert!(text(&format!("{full}x")).refusal().is_some());
    assert!(text(&"'".repeat(35)).refusal().is_some());
    assert!(text("tab\t").refusal().is_some());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        keyword in "[A-Z][A-Z0-9_-]{0,7}",
        text in "[ -~]{0,68}",
        number in any::<i64>(),
        comment in "([!-~][ -~]{0,20})?",
    ) {
        prop_assume!(!matches!(keyword.as_str(), "COMMENT" | "HISTORY" | "CONTINUE" | "HIERARCH" | "END"));
        for value in [CardValue::Text(text), CardValue::Integer(number)] {
            if value.refusal().is_some() {
                continue;
            }
            let parsed = Card::new(&keyword, &value, &comment).parse();
            prop_assert_eq!(&parsed.keyword, &keyword);
            prop_assert!(parsed.value.is(&value), "{:?} read as {:?}", value, parsed.value);
            prop_assert!(comment.starts_with(&parsed.comment));
        }
    }

    #[test]
    fn any_bytes_are_read(image in proptest::collection::vec(any::<u8>(), 80..81)) {
        let record: [u8; CARD_LENGTH] = image.try_into().unwrap();
        let mut card = Card::from_record(&record);
        card.parse();
        card.extend(&record);
        card.parse();
    }
}
