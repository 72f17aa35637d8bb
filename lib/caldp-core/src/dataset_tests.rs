#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

#[test]
fn an_exposure_is_lower_cased_and_knows_its_prefixes() {
    let dataset = Dataset::parse("J8CB010B0").unwrap();
    assert_eq!(dataset.name(), "j8cb010b0");
    assert_eq!(dataset.kind(), Kind::Ipppssoot);
    assert_eq!(dataset.folder(), "acs");
    assert_eq!(
        (dataset.ippps(), dataset.ipppss()),
        (Some("j8cb0"), Some("j8cb01"))
    );
}

#[test]
fn the_first_letter_tells_the_instrument() {
    let of = |name: &str| Dataset::parse(name).unwrap().instrument().unwrap();
    assert_eq!(of("j8cb010b0"), Instrument::Acs);
    assert_eq!(of("iabs02uaq"), Instrument::Wfc3);
    assert_eq!(of("o3st02blq"), Instrument::Stis);
    assert_eq!(of("lcyid1030"), Instrument::Cos);
}

#[test]
fn a_visit_maps_to_the_ipppss_of_its_exposures() {
    let visit = Dataset::parse("acs_8ph_01").unwrap();
    assert_eq!(
        (visit.kind(), visit.folder(), visit.ipppss(), visit.ippps()),
        (Kind::Svm, "acs", Some("j8ph01"), Some("j8ph0"))
    );
    let visit = Dataset::parse("WFC3_abc_2X").unwrap();
    assert_eq!(
        (visit.name(), visit.ipppss()),
        ("wfc3_abc_2x", Some("iabc2x"))
    );
}

#[test]
fn a_sky_cell_belongs_to_no_instrument() {
    let cell = Dataset::parse("skycell-p1234x05y06").unwrap();
    assert_eq!(
        (
            cell.kind(),
            cell.instrument(),
            cell.folder(),
            cell.ipppss(),
            cell.ippps()
        ),
        (Kind::Mvm, None, "mvm", None, None)
    );
}

#[test]
fn other_hst_letters_are_named() {
    let error = Dataset::parse("U2AB0101T").unwrap_err().to_string();
    assert!(
        error.contains("WFPC2") && error.contains("not supported"),
        "{error}"
    );
    for letter in "unvwxyzef".chars() {
        let error = Dataset::parse(&format!("{letter}2ab0101t")).unwrap_err();
        assert!(matches!(error, DatasetError::Unsupported { .. }), "{error}");
    }
}

#[test]
fn anything_else_is_refused() {
    for bad in [
        "",
        " ",
        "j8cb010b",
        "j8cb010b00",
        "j8cb010b0 ",
        " j8cb010b0",
        "j8cb010b0\n",
        "../j8cb01",
        "j8cb/10b0",
        "j8cb010b\0",
        "j8cb010é",
        "a8cb010b0",
        "all",
        "stis_abc_01",
        "acs_8ph_1",
        "acs_8ph_001",
        "acs_8p_01",
        "acs_8ph",
        "acs__",
        "acs_8ph_01_x",
        "acs_8p!_01",
        "skycell-p123x05y06",
        "skycell-p1234x05y0a",
        "skycell-p1234x05y06x",
        "skycell-",
        "$(reboot)",
    ] {
        let error = Dataset::parse(bad).unwrap_err();
        assert!(
            matches!(error, DatasetError::Malformed { .. }),
            "{bad:?}: {error}"
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn an_error_does_not_repeat_a_whole_file() {
    let error = Dataset::parse(&"x".repeat(100_000))
        .unwrap_err()
        .to_string();
    assert!(error.len() < 400, "{}", error.len());
}

#[test]
fn json_carries_the_name_and_is_checked_on_the_way_in() {
    let dataset: Dataset = serde_json::from_str(r#""J8CB010B0""#).unwrap();
    assert_eq!(serde_json::to_string(&dataset).unwrap(), r#""j8cb010b0""#);
    assert!(serde_json::from_str::<Dataset>(r#""../x""#).is_err());
}

proptest! {
    #[test]
    fn every_name_of_a_known_shape_round_trips(
        name in "[ijloIJLO][a-zA-Z0-9]{8}|(acs|wfc3|ACS)_[a-zA-Z0-9]{3}_[a-zA-Z0-9]{2}|skycell-p[0-9]{4}x[0-9]{2}y[0-9]{2}"
    ) {
        let dataset = Dataset::parse(&name).unwrap();
        prop_assert_eq!(dataset.name(), name.to_ascii_lowercase());
        prop_assert_eq!(&Dataset::parse(&dataset.to_string()).unwrap(), &dataset);
        let json = serde_json::to_string(&dataset).unwrap();
        prop_assert_eq!(serde_json::from_str::<Dataset>(&json).unwrap(), dataset);
    }

    #[test]
    fn no_text_panics_and_what_is_accepted_is_safe_in_a_path(text in ".*") {
        if let Ok(dataset) = Dataset::parse(&text) {
            prop_assert!(dataset.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)));
        }
    }
}
