//! Mosaics of a visit and of a sky cell, from the poller file to colour previews. The mosaic programs
//! are stand-ins: what is tested is everything around them.

use super::host::{Host, assert_code};
use caldp_core::layout::Layout;
use std::fs;
use std::process::Command;

/// A mosaic, its exposures and what must come of them.
struct Mosaic {
    dataset: &'static str,
    program: &'static str,
    failure: i32,
    /// Name of the file and its filter.
    exposures: &'static [(&'static str, &'static str)],
    products: &'static [&'static str],
    /// The name of the colour preview, and the filters of its channels.
    colour: (&'static str, [&'static str; 3]),
    thumbnail: u16,
}

const VISIT: Mosaic = Mosaic {
    dataset: "acs_8ph_01",
    program: "runsinglehap",
    failure: 40,
    exposures: &[
        ("j8ph01g0q_flc.fits", "CLEAR1L;F435W"),
        ("j8ph01g1q_flc.fits", "F606W;CLEAR2L"),
        ("j8ph01g2q_flc.fits", "F606W;CLEAR2L"),
        ("j8ph01g3q_flc.fits", "F775W;CLEAR2L"),
        ("j8ph01g4q_flc.fits", "CLEAR1L;F814W"),
    ],
    products: &[
        "acs_8ph_01_manifest.txt",
        "astrodrizzle.log",
        "hst_9774_01_acs_wfc_f435w_j8ph01_drc.fits",
        "hst_9774_01_acs_wfc_f435w_j8ph01_point-cat.ecsv",
        "hst_9774_01_acs_wfc_f435w_j8ph01_trl.txt",
        "hst_9774_01_acs_wfc_f606w_j8ph01_drc.fits",
        "hst_9774_01_acs_wfc_f606w_j8ph01_point-cat.ecsv",
        "hst_9774_01_acs_wfc_f606w_j8ph01_trl.txt",
        "hst_9774_01_acs_wfc_f775w_j8ph01_drc.fits",
        "hst_9774_01_acs_wfc_f775w_j8ph01_point-cat.ecsv",
        "hst_9774_01_acs_wfc_f775w_j8ph01_trl.txt",
        "hst_9774_01_acs_wfc_f814w_j8ph01_drc.fits",
        "hst_9774_01_acs_wfc_f814w_j8ph01_point-cat.ecsv",
        "hst_9774_01_acs_wfc_f814w_j8ph01_trl.txt",
        "hst_9774_01_acs_wfc_total_j8ph01_drc.fits",
        "hst_9774_01_acs_wfc_total_j8ph01_point-cat.ecsv",
        "hst_9774_01_acs_wfc_total_j8ph01_trl.txt",
    ],
    colour: (
        "hst_9774_01_acs_wfc_total_j8ph01_drc_color",
        ["f814w", "f606w", "f435w"],
    ),
    thumbnail: 128,
};

const CELL: Mosaic = Mosaic {
    dataset: "skycell-p2381x06y09",
    program: "runmultihap",
    failure: 41,
    exposures: &[
        ("hst_9774_01_acs_wfc_f814w_j8ph01g0_flc.fits", "F814W"),
        ("hst_9774_01_acs_wfc_f606w_j8ph01g2_flc.fits", "F606W"),
        ("hst_9774_02_acs_wfc_f435w_j8ph02g4_flc.fits", "F435W"),
    ],
    products: &[
        "hst_skycell-p2381x06y09_acs_wfc_f435w_all_drc.fits",
        "hst_skycell-p2381x06y09_acs_wfc_f435w_all_trl.txt",
        "hst_skycell-p2381x06y09_acs_wfc_f606w_all_drc.fits",
        "hst_skycell-p2381x06y09_acs_wfc_f606w_all_trl.txt",
        "hst_skycell-p2381x06y09_acs_wfc_f814w_all_drc.fits",
        "hst_skycell-p2381x06y09_acs_wfc_f814w_all_trl.txt",
        "skycell-p2381x06y09_manifest.txt",
    ],
    colour: (
        "hst_skycell-p2381x06y09_acs_wfc_total_all_drc_color",
        ["f814w", "f606w", "f435w"],
    ),
    thumbnail: 512,
};

impl Mosaic {
    fn poller(&self) -> String {
        let cell = if self.failure == 41 {
            format!("{},NEW,", self.dataset)
        } else {
            String::new()
        };
        let line = |(file, filters): &(&str, &str)| {
            format!("{file},9774,8PH,01,90.0,{filters},WFC,{cell}{file}\n")
        };
        self.exposures.iter().map(line).collect()
    }

    /// A host in which MAST has the exposures and the poller file lies in a directory and on S3.
    fn host(&self, layout: Layout) -> Host {
        let host = Host::new().in_layout(layout);
        let folder = host.world.path().join("pollers");
        fs::create_dir(&folder).unwrap();
        let name = format!("{}_input.out", self.dataset);
        fs::write(folder.join(&name), self.poller()).unwrap();
        host.world.put(&format!("pollers/{name}"), self.poller());
        let content = image();
        for (file, _) in self.exposures {
            let stem = file.strip_suffix("_flc.fits").unwrap();
            let exposure = stem.rsplit('_').next().unwrap();
            let observation = host.mast.add_observation(exposure);
            host.mast.add_product(observation, file, &content);
        }
        host
    }

    fn run(&self, host: &Host, pollers: &str) -> std::process::Output {
        let mut command: Command = host.worker();
        let input = format!("astroquery:{pollers}");
        command.args([
            "process",
            self.dataset,
            &input,
            "s3://hst",
            "caldp-config-aws",
        ]);
        command.output().unwrap()
    }

    fn assert_delivered(&self, host: &Host) {
        let delivered = host.delivered(self.dataset);
        let (previews, products): (Vec<&String>, Vec<&String>) = delivered
            .keys()
            .partition(|name| name.starts_with("previews/"));
        assert_eq!(products, self.products);
        let manifest = &delivered[&format!("{}_manifest.txt", self.dataset)];
        for name in String::from_utf8(manifest.clone()).unwrap().lines() {
            assert!(delivered.contains_key(name), "{name} is in the manifest");
        }
        let images = self
            .products
            .iter()
            .filter_map(|name| name.strip_suffix(".fits"));
        let mut pictures: Vec<String> = images
            .chain([self.colour.0])
            .flat_map(|root| ["", "_thumb"].map(|end| format!("previews/{root}{end}.jpg")))
            .collect();
        pictures.sort_unstable();
        assert_eq!(previews, pictures.iter().collect::<Vec<_>>());
        let thumbnail = format!("previews/{}_thumb.jpg", self.colour.0);
        let (width, height) = dimensions(&delivered[&thumbnail]);
        assert_eq!(width.max(height), self.thumbnail, "{thumbnail}");
        let full = format!("previews/{}.jpg", self.colour.0);
        assert_eq!(dimensions(&delivered[&full]), IMAGE);
        assert_eq!(colours(&delivered[&thumbnail]), 3);

        // The worker says what it drew of what; where the institute's fitscut did, its command tells.
        let told = ["preview.txt", "preview_metrics.txt"].map(|log| host.log(self.dataset, log));
        let told = String::from_utf8(told.concat()).unwrap();
        for (channel, filter) in ["red", "green", "blue"].iter().zip(self.colour.1) {
            let argument = told.split_whitespace().find(|word| {
                word.trim_start_matches('-')
                    .starts_with(&format!("{channel}="))
            });
            assert!(argument.is_some_and(|a| a.contains(filter)), "{told}");
        }
    }
}

/// The size of the exposures: larger than any thumbnail.
const IMAGE: (u16, u16) = (600, 560);

/// An exposure of which a mosaic can be made: a slope with a bright square.
fn image() -> Vec<u8> {
    let (width, height) = IMAGE;
    let card = |keyword: &str, value: &str| format!("{:<80}", format!("{keyword:<8}= {value:>20}"));
    let block = |cards: &[String]| format!("{:<2880}", cards.concat() + "END");
    let first = [
        ("SIMPLE", "T"),
        ("BITPIX", "8"),
        ("NAXIS", "0"),
        ("EXTEND", "T"),
    ];
    let mut bytes = block(&first.map(|(keyword, value)| card(keyword, value))).into_bytes();
    let extension = [
        card("XTENSION", "'IMAGE   '"),
        card("BITPIX", "-32"),
        card("NAXIS", "2"),
        card("NAXIS1", &width.to_string()),
        card("NAXIS2", &height.to_string()),
        card("PCOUNT", "0"),
        card("GCOUNT", "1"),
        card("EXTNAME", "'SCI     '"),
    ];
    bytes.extend(block(&extension).into_bytes());
    for y in 0..height {
        for x in 0..width {
            let bright = (200..240).contains(&x) && (300..340).contains(&y);
            let value = if bright { 5000.0 } else { f32::from(x + y % 7) };
            bytes.extend(value.to_be_bytes());
        }
    }
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

/// The frame header of a JPEG file: after its marker come length, precision, height, width and the
/// number of colour components.
fn frame(picture: &[u8]) -> &[u8] {
    let start = picture
        .windows(2)
        .position(|marker| matches!(marker, [0xff, 0xc0..=0xc2]))
        .unwrap();
    &picture[start + 2..]
}

fn dimensions(picture: &[u8]) -> (u16, u16) {
    let at = |place: usize| u16::from_be_bytes([frame(picture)[place], frame(picture)[place + 1]]);
    (at(5), at(3))
}

fn colours(picture: &[u8]) -> u8 {
    frame(picture)[7]
}

#[test]
fn a_visit_and_a_sky_cell_give_their_products_in_both_layouts() {
    for mosaic in [VISIT, CELL] {
        for layout in Layout::ALL {
            let host = mosaic.host(layout);
            let pollers = match layout {
                Layout::Tree => host.world.path().join("pollers").display().to_string(),
                Layout::Calcloud => "s3://hst/pollers".to_owned(),
            };
            assert_code(&mosaic.run(&host, &pollers), 0);
            assert_eq!(host.state(mosaic.dataset), "processed");
            mosaic.assert_delivered(&host);
            host.assert_clean();
        }
    }
}

#[test]
fn an_exposure_that_is_only_there_uncorrected_is_used_and_said() {
    let host = Host::new();
    let content = image();
    for exposure in ["j8ph01g0q", "j8ph01g1q"] {
        let observation = host.mast.add_observation(exposure);
        let suffix = if exposure == "j8ph01g1q" {
            "flt"
        } else {
            "flc"
        };
        let name = format!("{exposure}_{suffix}.fits");
        host.mast.add_product(observation, &name, &content);
    }
    let poller = "j8ph01g0q_flc.fits\nj8ph01g1q_flc.fits\n";
    host.world.put("pollers/acs_8ph_01_input.out", poller);
    let seen = host.world.path().join("seen");
    let script = format!("cat acs_8ph_01_input.out > '{}'", seen.display());
    host.programs.before("runsinglehap", &script);
    assert_code(&VISIT.run(&host, "s3://hst/pollers"), 0);
    assert_eq!(host.state("acs_8ph_01"), "processed");
    let seen = fs::read_to_string(seen).unwrap();
    assert_eq!(seen, "j8ph01g0q_flc.fits\nj8ph01g1q_flt.fits\n");
    let log = String::from_utf8_lossy(&host.log("acs_8ph_01", "process.txt")).into_owned();
    assert!(log.contains("j8ph01g1q_flt.fits"), "{log}");
}

#[test]
fn nothing_viable_is_no_failure() {
    for mosaic in [VISIT, CELL] {
        for status in [55, 65] {
            let host = mosaic.host(Layout::Tree);
            let script = format!("echo nothing viable; exit {status}");
            host.programs.replace(mosaic.program, &script);
            assert_code(&mosaic.run(&host, "s3://hst/pollers"), 0);
            assert_eq!(host.state(mosaic.dataset), "processed");
            assert!(host.delivered(mosaic.dataset).is_empty());
            let notes = host.provenance(mosaic.dataset)["notes"].to_string();
            assert!(notes.contains(&format!("status {status}")), "{notes}");
        }
    }
}

#[test]
fn a_failure_has_the_code_of_its_kind_of_mosaic() {
    for mosaic in [VISIT, CELL] {
        let listed = "awk 'END { print \"hst_not_there_drc.fits\" }' /dev/null";
        let unfinished = format!("{listed} > {}_manifest.txt", mosaic.dataset);
        for script in ["exit 1", "exit 0", "kill -SEGV $$", &unfinished] {
            let host = mosaic.host(Layout::Tree);
            host.programs.replace(mosaic.program, script);
            assert_code(&mosaic.run(&host, "s3://hst/pollers"), mosaic.failure);
            assert_eq!(host.state(mosaic.dataset), "error", "{script}");
            assert_eq!(host.provenance(mosaic.dataset)["exit_code"], mosaic.failure);
            let keys = host.keys(mosaic.dataset);
            assert!(
                keys.iter().any(|key| key.starts_with("failed/")),
                "{keys:?}"
            );
            assert!(!keys.iter().any(|key| key.starts_with("hst_")), "{keys:?}");
        }
    }
}

#[test]
fn mosaics_are_made_of_a_directory_and_of_a_prefix_too() {
    let host = VISIT.host(Layout::Tree);
    let folder = host.world.path().join("pollers");
    for (file, _) in VISIT.exposures {
        fs::write(folder.join(file), image()).unwrap();
        host.world.put(&format!("pollers/{file}"), image());
    }
    for input in [&*format!("file:{}", folder.display()), "s3://hst/pollers"] {
        let mut command = host.worker();
        command.args([
            "process",
            VISIT.dataset,
            input,
            "s3://hst",
            "caldp-config-aws",
        ]);
        assert_code(&command.output().unwrap(), 0);
        VISIT.assert_delivered(&host);
    }
}
