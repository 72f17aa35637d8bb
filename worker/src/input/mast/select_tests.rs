#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::input::mast::protocol::{Answer, answer};

fn dataset(name: &str) -> Dataset {
    name.parse().unwrap()
}

fn row(file: &str, suffix: &str) -> ProductRow {
    ProductRow {
        file: Some(file.to_owned()),
        suffix: Some(suffix.to_owned()),
        description: Some(format!("DADS {suffix} file")),
        obs_collection: Some("HST".to_owned()),
        size: Some(2880),
    }
}

fn chosen(name: &str, rows: &[ProductRow]) -> Result<Vec<String>, SelectError> {
    let dataset = dataset(name);
    let products = exposures(&dataset, dataset.instrument().unwrap(), rows)?;
    Ok(products.into_iter().map(|p| p.file.to_string()).collect())
}

#[test]
fn an_imager_gets_its_association_and_the_raw_files_of_all_members() {
    let rows = [
        row("j8cb01u3q_raw.fits", "RAW"),
        row("j8cb010b0_asn.fits", "ASN"),
        row("j8cb01u2q_raw.fits", "RAW"),
        row("j8cb01u2q_raw.fits", "RAW"),
        row("j8cb01u2q_raw.jpg", "RAW"),
        row("j8cb01u2q_raw.fits.gz", "RAW"),
        row("j8cb01u2q_flt.fits", "FLT"),
        row("j8cb01u2q_spt.fits", "SPT"),
        row("j8cb01u2q_rawtag.fits", "RAWTAG"),
        row("j8cb01u2q_x.fits", "raw"),
    ];
    assert_eq!(
        chosen("j8cb010b0", &rows).unwrap(),
        [
            "j8cb010b0_asn.fits",
            "j8cb01u2q_raw.fits",
            "j8cb01u3q_raw.fits"
        ]
    );
}

#[test]
fn every_instrument_has_its_suffixes() {
    let count = |instrument| suffixes(instrument).len();
    let counts: Vec<usize> = Instrument::ALL.into_iter().map(count).collect();
    assert_eq!(counts, [2, 2, 5, 13]);
    for instrument in Instrument::ALL {
        let name = format!("{}abc01010", instrument.letter());
        let rows: Vec<ProductRow> = suffixes(instrument)
            .iter()
            .map(|s| row(&format!("{name}_{}.fits", s.to_lowercase()), s))
            .collect();
        assert_eq!(chosen(&name, &rows).unwrap().len(), rows.len());
    }
}

#[test]
fn a_dataset_without_an_exposure_is_none() {
    for (name, suffix) in [
        ("j8cb010b0", "ASN"),
        ("octka8050", "EPC"),
        ("octka8050", "TAG"),
        ("lbgu18010", "SPT"),
        ("lbgu18010", "PHA_A"),
    ] {
        let rows = [row(&format!("{name}_x.fits"), suffix)];
        let error = chosen(name, &rows).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("RAW"), "{error}");
    }
    assert!(chosen("octka8050", &[row("octka8050_wav.fits", "WAV")]).is_ok());
    assert!(chosen("lbgu19qaq", &[row("lbgu19qaq_rawacq.fits", "RAWACQ")]).is_ok());
}

#[test]
fn other_collections_are_left_alone() {
    let mut other = row("j8cb01u2q_raw.fits", "RAW");
    other.obs_collection = Some("HLA".to_owned());
    assert!(chosen("j8cb01u2q", std::slice::from_ref(&other)).is_err());
    other.obs_collection = None;
    assert!(chosen("j8cb01u2q", &[other]).is_ok());
}

#[test]
fn names_that_could_do_harm_and_contradictions_are_errors() {
    let good = row("j8cb01u2q_raw.fits", "RAW");
    for bad in [
        "../j8cb01u2q_raw.fits",
        "/etc/x.fits",
        "a\n.fits",
        "a b.fits",
        "fits",
    ] {
        let result = chosen("j8cb01u2q", &[good.clone(), row(bad, "RAW")]);
        match bad {
            "fits" => assert!(result.is_ok()),
            _ => assert!(matches!(result, Err(SelectError::Name { .. })), "{bad}"),
        }
    }
    // What is not wanted is not looked at.
    assert!(chosen("j8cb01u2q", &[good.clone(), row("../x.fits", "LOG")]).is_ok());
    let upper = row("J8CB01U2Q_raw.fits", "RAW");
    let mut longer = good.clone();
    longer.size = Some(5760);
    for other in [upper, longer.clone()] {
        let error = chosen("j8cb01u2q", &[good.clone(), other]).unwrap_err();
        assert!(matches!(error, SelectError::Ambiguous { .. }), "{error}");
    }
    let mut unknown = good;
    unknown.size = None;
    let dataset = dataset("j8cb01u2q");
    let products = exposures(&dataset, Instrument::Acs, &[unknown, longer]).unwrap();
    assert_eq!(products[0].size, Some(5760));
}

fn observed(text: &str, name: Option<&str>) -> usize {
    let text = format!(r#"{{"status":"COMPLETE","data":{text}}}"#);
    let Answer::Page(page) = answer(text.as_bytes()).unwrap() else {
        panic!("not a page");
    };
    observations(&page.rows, name).len()
}

#[test]
fn observations_are_those_of_the_name_in_any_case() {
    let rows = r#"[{"obsid":1,"obs_id":"J8CB010B0","obs_collection":"HST"},
        {"obsid":"1","obs_id":"j8cb010b0"},
        {"obsid":2,"obs_id":"j8cb010b1","obs_collection":"HST"},
        {"obsid":3,"obs_id":"j8cb010b0","obs_collection":"HLA"},
        {"obsid":null,"obs_id":"j8cb010b0"}]"#;
    assert_eq!(observed(rows, Some("j8cb010b0")), 1);
    assert_eq!(observed(rows, None), 2);
    assert_eq!(observed("[]", None), 0);
}

fn name(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}

#[test]
fn a_visit_takes_what_its_poller_names_from_the_exposure_pipeline() {
    let mut hap = row("j8ph01g1q_flc.fits", "FLC");
    hap.description = Some("HAP fits FLC".to_owned());
    let rows = [
        row("j8ph01g0q_flc.fits", "FLC"),
        row("j8ph01g0q_flt.fits", "FLT"),
        row("j8ph01g9q_flc.fits", "FLC"),
        hap,
    ];
    let wanted = name("j8ph01g0q_flc.fits");
    let (products, warnings) = mosaic(&dataset("acs_8ph_01"), &[&wanted], &rows).unwrap();
    assert_eq!((products.len(), warnings.len()), (1, 0));
    assert_eq!(products[0].file, wanted);
    let other = name("j8ph01g1q_flc.fits");
    let error = mosaic(&dataset("acs_8ph_01"), &[&wanted, &other], &rows).unwrap_err();
    assert_eq!(error, SelectError::NotListed(other.clone()));
    let (products, _) = mosaic(&dataset("skycell-p0001x01y01"), &[&other], &rows).unwrap();
    assert_eq!(products[0].file, other);
}

#[test]
fn flt_for_flc_is_said_and_flc_for_flt_never_happens() {
    let rows = [
        row("j8ph01g0q_flt.fits", "FLT"),
        row("j8ph01g1q_flc.fits", "FLC"),
    ];
    let wanted = name("j8ph01g0q_flc.fits");
    let used = name("j8ph01g0q_flt.fits");
    let dataset = dataset("acs_8ph_01");
    let (products, warnings) = mosaic(&dataset, &[&wanted, &used], &rows).unwrap();
    assert_eq!(products.len(), 1);
    assert_eq!(products[0].file, used);
    assert!(warnings[0].to_string().contains(used.as_str()));
    assert_eq!(warnings, [SelectionWarning::FltForFlc { wanted, used }]);
    let flt = name("j8ph01g1q_flt.fits");
    assert!(mosaic(&dataset, &[&flt], &rows).is_err());
}
