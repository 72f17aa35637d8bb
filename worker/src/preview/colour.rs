//! Which mosaics of a visit or sky cell make its colour preview: the filters' pivot wavelengths
//! decide. Making the picture is left to `fitscut`.

use caldp_core::dataset::{Dataset, Kind};
use std::collections::BTreeMap;

/// Pivot wavelengths of ACS filters in Ångström (for ramp filters their middle), by name.
#[rustfmt::skip]
const ACS: &[(&str, u32)] = &[
    ("clear", 6200), ("f115lp", 1150), ("f122m", 1220), ("f125lp", 1250), ("f140lp", 1400), ("f150lp", 1500), ("f165lp", 1650), ("f220w", 2228), ("f250w", 2710), ("f330w", 3354), ("f344n", 3434), ("f435w", 4297), ("f475w", 4760), ("f502n", 5022), ("f550m", 5580), ("f555w", 5346), ("f606w", 5907), ("f625w", 6318), ("f658n", 6584), ("f660n", 6602), ("f775w", 7764), ("f814w", 8333), ("f850lp", 9445), ("f892n", 8917), ("fr1016n", 10165), ("fr388n", 3880), ("fr423n", 4235), ("fr459m", 4590), ("fr462n", 4620), ("fr505n", 5045), ("fr551n", 5510), ("fr601n", 6010), ("fr647m", 6470), ("fr656n", 6560), ("fr716n", 7160), ("fr782n", 7815), ("fr853n", 8985), ("fr914m", 9140), ("fr931n", 9315),
];

/// The same of WFC3.
#[rustfmt::skip]
const WFC3: &[(&str, u32)] = &[
    ("f098m", 9864), ("f105w", 10552), ("f110w", 11534), ("f125w", 12486), ("f126n", 12585), ("f127m", 12740), ("f128n", 12832), ("f130n", 13006), ("f132n", 13188), ("f139m", 13838), ("f140w", 13923), ("f153m", 15322), ("f160w", 15369), ("f164n", 16404), ("f167n", 16642), ("f200lp", 4883), ("f218w", 2224), ("f225w", 2359), ("f275w", 2704), ("f280n", 2831), ("f300x", 2807), ("f336w", 3355), ("f343n", 3435), ("f350lp", 5846), ("f373n", 3730), ("f390m", 3897), ("f390w", 3921), ("f395n", 3955), ("f410m", 4109), ("f438w", 4325), ("f467m", 4683), ("f469n", 4688), ("f475w", 4773), ("f475x", 4939), ("f487n", 4871), ("f502n", 5010), ("f547m", 5447), ("f555w", 5308), ("f600lp", 7444), ("f606w", 5887), ("f621m", 6219), ("f625w", 6242), ("f631n", 6304), ("f645n", 6454), ("f656n", 6561), ("f657n", 6567), ("f658n", 6584), ("f665n", 6656), ("f673n", 6766), ("f680n", 6877), ("f689m", 6876), ("f763m", 7612), ("f775w", 7647), ("f814w", 8024), ("f845m", 8436), ("f850lp", 9166), ("f953n", 9530), ("fq232n", 2413), ("fq243n", 2468), ("fq378n", 3792), ("fq387n", 3874), ("fq422m", 4219), ("fq436n", 4367), ("fq437n", 4371), ("fq492n", 4933), ("fq508n", 5091), ("fq575n", 5758), ("fq619n", 6199), ("fq634n", 6349), ("fq672n", 6716), ("fq674n", 6731), ("fq727n", 7275), ("fq750n", 7503), ("fq889n", 8892), ("fq906n", 9058), ("fq924n", 9248), ("fq937n", 9372),
];

/// A colour preview to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Colour {
    /// The name of the picture, without its ending.
    pub(super) name: String,
    /// The mosaic of the longest wavelength.
    pub(super) red: String,
    /// The one of the lower median, where there are at least three.
    pub(super) green: Option<String>,
    /// The one of the shortest.
    pub(super) blue: String,
}

/// The parts of a mosaic's file name.
struct Mosaic<'a> {
    file: &'a str,
    /// Proposal and visit, or the sky cell.
    origin: String,
    instrument: &'a str,
    detector: &'a str,
    filter: &'a str,
    /// The visit's root name, or the layer.
    label: String,
    suffix: &'a str,
}

impl Mosaic<'_> {
    fn wavelength(&self) -> Option<u32> {
        let filters = match self.instrument {
            "acs" => ACS,
            "wfc3" => WFC3,
            _ => return None,
        };
        let (_, wavelength) = filters.iter().find(|(name, _)| *name == self.filter)?;
        Some(*wavelength)
    }
}

/// `hst_<proposal>_<visit>_<instrument>_<detector>_<filter>_<ipppss>_<suffix>.fits`, or
/// `hst_<skycell>_<instrument>_<detector>_<filter>_<layer>_<suffix>.fits`.
fn parse<'a>(dataset: &Dataset, file: &'a str) -> Option<Mosaic<'a>> {
    let parts: Vec<&str> = file.strip_suffix(".fits")?.split('_').collect();
    let (suffix, parts) = parts.split_last()?;
    let ("hst", parts) = parts.split_first().map(|(first, rest)| (*first, rest))? else {
        return None;
    };
    let origin_parts = match dataset.kind() {
        Kind::Mvm => 1,
        Kind::Svm | Kind::Ipppssoot => 2,
    };
    let (origin, parts) = parts.split_at_checked(origin_parts)?;
    let [instrument, detector, filter, label @ ..] = parts else {
        return None;
    };
    let label = label.join("_");
    // The mosaics of single exposures have longer names.
    let wanted = match dataset.kind() {
        Kind::Svm => Some(label.as_str()) == dataset.ipppss(),
        Kind::Mvm => origin == [dataset.name()] && !label.is_empty(),
        Kind::Ipppssoot => false,
    };
    wanted.then(|| Mosaic {
        file,
        origin: origin.join("_"),
        instrument,
        detector,
        filter,
        label,
        suffix,
    })
}

/// The colour preview of a dataset with these mosaics; `None` for fewer than two filters.
pub(super) fn choose<'a>(
    dataset: &Dataset,
    files: impl IntoIterator<Item = &'a str>,
) -> Option<Colour> {
    let mut by_wavelength = BTreeMap::new();
    for file in files {
        if let Some(mosaic) = parse(dataset, file)
            && let Some(wavelength) = mosaic.wavelength()
        {
            // Files come sorted: of one filter `drc`, the better, comes before `drz`.
            by_wavelength.entry(wavelength).or_insert(mosaic);
        }
    }
    let mosaics: Vec<&Mosaic> = by_wavelength.values().collect();
    let [blue, .., red] = mosaics[..] else {
        return None;
    };
    let green = (mosaics.len() > 2)
        .then(|| mosaics.get((mosaics.len() - 1) / 2))
        .flatten();
    Some(Colour {
        name: format!(
            "hst_{}_{}_{}_total_{}_{}_color",
            red.origin, red.instrument, red.detector, red.label, red.suffix
        ),
        red: red.file.to_owned(),
        green: green.map(|mosaic| mosaic.file.to_owned()),
        blue: blue.file.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(dataset: &str, files: &[&str]) -> Option<Colour> {
        choose(&Dataset::parse(dataset).unwrap(), files.iter().copied())
    }

    #[test]
    fn red_is_longest_and_green_the_lower_median() {
        let names: Vec<String> = ["f435w", "f606w", "f775w", "f814w", "total", "fxxx"]
            .map(|filter| format!("hst_9454_11_acs_hrc_{filter}_j8ph01_drz.fits"))
            .into();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let colour = of("acs_8ph_01", &names).unwrap();
        assert_eq!(colour.name, "hst_9454_11_acs_hrc_total_j8ph01_drz_color");
        assert!(colour.red.contains("f814w") && colour.blue.contains("f435w"));
        assert!(colour.green.unwrap().contains("f606w"));
        let two = of("acs_8ph_01", &names[..2]).unwrap();
        assert_eq!(two.green, None);
        assert_eq!(of("acs_8ph_01", &names[..1]), None);
    }

    #[test]
    fn other_visits_and_single_exposures_are_left_out() {
        let files = [
            "hst_9454_11_acs_hrc_f435w_j8ph01_drz.fits",
            "hst_9454_11_acs_hrc_f606w_j8ph01ab_drz.fits",
            "hst_9454_12_acs_hrc_f606w_j8ph02_drz.fits",
            "other.fits",
        ];
        assert_eq!(of("acs_8ph_01", &files), None);
    }

    #[test]
    fn sky_cells() {
        let colour = of(
            "skycell-p2381x06y09",
            &[
                "hst_skycell-p2381x06y09_acs_wfc_f435w_all_drc.fits",
                "hst_skycell-p2381x06y09_wfc3_ir_f160w_coarse-all_drz.fits",
                "hst_skycell-p2381x06y08_wfc3_ir_f105w_coarse-all_drz.fits",
            ],
        )
        .unwrap();
        assert_eq!(
            colour.name,
            "hst_skycell-p2381x06y09_wfc3_ir_total_coarse-all_drz_color"
        );
    }
}
