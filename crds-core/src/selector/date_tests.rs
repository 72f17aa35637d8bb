#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;

use super::super::moment::{DAY, DAYS};
use super::*;

#[test]
fn dates_are_read_as_python_reads_them() {
    for (text, expected) in [
        ("Dec 01 1993 00:00:00 UT", "1993-12-01 00:00:00"),
        ("Feb 08 2006 01:02AM", "2006-02-08 01:02:00"),
        ("12/21/1999 05:42:35", "1999-12-21 05:42:35"),
        ("1999-12-21T05:42:35", "1999-12-21 05:42:35"),
        ("1999/12/21T05:42.5", "1999-12-21 05:42:00"),
        ("19970114:053714", "1997-01-14 05:37:14"),
        ("21/12/99 05:42:00 PM", "1999-12-21 17:42:00"),
        ("29-02-04", "2004-02-29 00:00:00"),
        ("July 27, 1999 00:00:00", "1999-07-27 00:00:00"),
        ("03-Jan-2013", "2013-01-03 00:00:00"),
        ("Mar 21 2001 12:00:00 am", "2001-03-21 00:00:00"),
        ("2017-03-05 12:00:10.29", "2017-03-05 12:00:10.289999"),
        ("2017-03-05 +1:1_0:1e1", "2017-03-05 01:10:10"),
        ("2017-03-05 01:02:03:999", "2017-03-05 01:02:03"),
    ] {
        let parsed = parse(text).map(Moment::text);
        // `1999/12/21T05:42.5` has its fraction on the minutes, which no form allows.
        if text.contains(".5") {
            assert!(parsed.is_err());
        } else {
            assert_eq!(parsed.as_deref(), Ok(expected), "{text}");
        }
    }
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "",
        "UNDEFINED",
        "2017-03-05 UNDEFINED",
        "2017-02-29 00:00:00",
        "2017-03-05 24:00:00",
        "2017-03-05 00:00:60",
        "2017-03-05 -1:00:00",
        "2017-03-05 00",
        "2017-3-5",
        "0000-01-01",
        "31/12/45",
        "2017-03-05 00:00:nan",
        "Foo 1 2000",
        "2017-03-05T00:00:00.1234567",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    for (text, reason) in [
        (
            "2018-01-01 23:59:60",
            "the second, 60, is out of range (0 to 59)",
        ),
        (
            "2018-01-01 23:59:60.5",
            "the second, 60, is out of range (0 to 59)",
        ),
        (
            "2018-01-01T23:59:60",
            "the second, 60, is out of range (0 to 59)",
        ),
        (
            "Jan 1 2018 23:59:60",
            "the second, 60, is out of range (0 to 59)",
        ),
        (
            "20180101:235960",
            "the second, 60, is out of range (0 to 59)",
        ),
        (
            "2018-01-01 12:60:00",
            "the minute, 60, is out of range (0 to 59)",
        ),
        (
            "2018-01-01 24:00:00",
            "the hour, 24, is out of range (0 to 23)",
        ),
        (
            "2018-02-29 00:00:00",
            "the day, 29, is out of range (1 to 28)",
        ),
        (
            "2018-13-01 00:00:00",
            "the month, 13, is out of range (1 to 12)",
        ),
        (
            "0000-01-01 00:00:00",
            "the year, 0, is out of range (1 to 9999)",
        ),
    ] {
        assert_eq!(parse(text), Err(reason.to_owned()), "{text}");
    }
}

#[test]
fn thresholds_follow_text_order() {
    for (key, threshold) in [
        ("2009-05-14 00:00:00", "2009-05-14 00:00:00"),
        ("2009-05-14 00:00:00.500000", "2009-05-14 00:00:00.500000"),
        ("2009-05-14", "2009-05-14 00:00:00"),
        ("2012-02-29 23:59", "2012-02-29 23:59:00"),
        ("2002-03-30T00:00:00", "2002-03-31 00:00:00"),
        ("2012-02-30 00:00:00", "2012-03-01 00:00:00"),
        ("", "0001-01-01 00:00:00"),
    ] {
        assert_eq!(Moment::threshold(key).text(), threshold, "{key}");
    }
    assert_eq!(Moment::threshold("Dec 31 2020 12:30:01"), Moment::NEVER);
}

proptest! {
    #[test]
    fn text_order_is_time_order(a in 0..DAYS * DAY, b in 0..DAYS * DAY, key in "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{0,10}") {
        let (a, b) = (Moment(a), Moment(b));
        prop_assert_eq!(a.cmp(&b), a.text().cmp(&b.text()));
        prop_assert_eq!(parse(&a.text()).map(|m| m.text().get(..19).map(str::to_owned)), Ok(a.text().get(..19).map(str::to_owned)));
        prop_assert_eq!(a >= Moment::threshold(&key), a.text() >= key);
    }

    #[test]
    fn whole_seconds_survive(seconds in 0..DAYS * 86_400) {
        let moment = Moment(seconds * 1_000_000);
        prop_assert_eq!(parse(&moment.text()), Ok(moment));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,30}", odd in "[0-9/: apmJan,UTD.+_-]{0,30}") {
        let _ = parse(&text);
        let _ = parse(&odd);
        let _ = Moment::threshold(&text);
    }
}
