//! Which files are products of the calibration programs, by their suffixes. Raw files come with
//! them where somebody packed a finished dataset; a product that were taken for an input could pass
//! for one that this run made.
//! Source: the suffixes of the HST instruments' data handbooks and of drizzlepac.

use super::file_name::suffix;

const SUFFIXES: [&str; 40] = [
    // Images: exposures, combined, drizzled, headerlets, intermediate files.
    "flt",
    "flc",
    "ima",
    "crj",
    "crc",
    "sfl",
    "drz",
    "drc",
    "flt_hlet",
    "flc_hlet",
    "blv_tmp",
    "blc_tmp",
    "crj_tmp",
    "crc_tmp", //
    // Spectra of STIS.
    "x1d",
    "x2d",
    "sx1",
    "sx2", //
    // Events, images and spectra of COS.
    "corrtag",
    "corrtag_a",
    "corrtag_b",
    "flt_a",
    "flt_b",
    "counts",
    "counts_a",
    "counts_b",
    "lampflash",
    "lampflash_a",
    "lampflash_b",
    "x1dsum",
    "x1dsum1",
    "x1dsum2",
    "x1dsum3",
    "x1dsum4",
    "x1d_a",
    "x1d_b",
    "csum",
    "csum_a",
    "csum_b",
    "x1d_prev",
];

/// Whether `<root>_<suffix>.fits` is made by a calibration program or as a preview.
pub(crate) fn is_product(name: &str) -> bool {
    suffix(name).is_some_and(|suffix| SUFFIXES.contains(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_from_raw_files_and_what_comes_with_them() {
        for product in [
            "j8cb010b1_crj.fits",
            "lcxv13f1q_corrtag_a.fits",
            "ib8t01a1q_flt_hlet.fits",
        ] {
            assert!(is_product(product), "{product}");
        }
        for input in [
            "j8cb010b0_asn.fits",
            "lcxv13f1q_rawtag_a.fits",
            "octka8050_wav.fits",
            "lbgu19qaq_rawacq.fits",
            "lcxv13f1q_spt.fits",
            "flt.fits",
            "j8cb010b1_crj.txt",
        ] {
            assert!(!is_product(input), "{input}");
        }
    }
}
