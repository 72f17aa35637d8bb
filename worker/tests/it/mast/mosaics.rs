//! Mosaics: what their poller files name.

use std::path::Path;

use caldp_core::dataset::Dataset;
use caldp_tests::MastServer;
use caldp_worker::input::events::InputEvents;
use caldp_worker::input::mast::{self, Fetched, InputRequest, MastError, SelectionWarning};
use caldp_worker::input::poller::Poller;
use caldp_worker::membership::file_name::FileName;
use storage::hint::explain;

use super::{client, directory, fits, names};

fn visit_server() -> MastServer {
    let server = MastServer::start();
    for (exposure, suffixes) in [
        ("j8ph01g0q", "flc flt"),
        ("j8ph01g1q", "flt"),
        ("j8ph01g2q", "flc"),
    ] {
        let observation = server.add_observation(exposure);
        for suffix in suffixes.split(' ') {
            let content = fits(2880, suffix.as_bytes()[2]);
            server.add_product(observation, &format!("{exposure}_{suffix}.fits"), &content);
            let hap = format!("hst_9774_01_acs_wfc_f814w_{}_{suffix}.fits", &exposure[..8]);
            server.add_product(observation, &hap, &content);
        }
    }
    server.add_observation("j8ph02g0q");
    server
}

async fn fetch_mosaic(
    server: &MastServer,
    dataset: &str,
    poller: &str,
    into: &Path,
) -> Result<Fetched, MastError> {
    let dataset: Dataset = dataset.parse().unwrap();
    let poller = Poller::parse(&dataset, poller.as_bytes()).unwrap();
    let request = InputRequest::new(&dataset, Some(&poller))?;
    mast::fetch(&client(server), &request, into, &InputEvents::channel().0).await
}

#[tokio::test]
async fn a_visit_gets_what_its_poller_names_and_says_what_was_replaced() {
    let server = visit_server();
    let into = directory();
    let poller = "j8ph01g0q_flc.fits\nj8ph01g1q_flc.fits\n";
    let fetched = fetch_mosaic(&server, "acs_8ph_01", poller, into.path())
        .await
        .unwrap();
    assert_eq!(
        names(&fetched.files),
        ["j8ph01g0q_flc.fits", "j8ph01g1q_flt.fits"]
    );
    let expected = SelectionWarning::FltForFlc {
        wanted: FileName::parse("j8ph01g1q_flc.fits").unwrap(),
        used: FileName::parse("j8ph01g1q_flt.fits").unwrap(),
    };
    assert_eq!(fetched.warnings, [expected]);
    let dataset: Dataset = "acs_8ph_01".parse().unwrap();
    let parsed = Poller::parse(&dataset, poller.as_bytes()).unwrap();
    let rewritten = parsed.rewritten(|file| fetched.replacement(file));
    assert_eq!(rewritten, "j8ph01g0q_flc.fits\nj8ph01g1q_flt.fits\n");
    let poller = "j8ph01g9q_flc.fits\n";
    let error = fetch_mosaic(&server, "acs_8ph_01", poller, into.path())
        .await
        .unwrap_err();
    assert!(
        explain(&error).to_string().contains("j8ph01g9q_flc.fits"),
        "{error}"
    );
}

#[tokio::test]
async fn a_sky_cell_gets_files_of_the_mosaic_pipeline() {
    let server = visit_server();
    let into = directory();
    let line = |exposure: &str| {
        let file = format!("hst_9774_01_acs_wfc_f814w_{exposure}_flc.fits");
        format!("{file},9774,8PH,01,90.0,F814W,WFC,skycell-p2381x06y09,NEW,{file}\n")
    };
    let poller = line("j8ph01g0") + &line("j8ph01g2");
    let dataset = "skycell-p2381x06y09";
    let fetched = fetch_mosaic(&server, dataset, &poller, into.path())
        .await
        .unwrap();
    assert_eq!(fetched.files.len(), 2);
    assert!(
        names(&fetched.files)
            .iter()
            .all(|name| name.starts_with("hst_9774_01_acs"))
    );
    assert_eq!(fetched.warnings, []);
}

#[tokio::test]
async fn a_mosaic_without_a_poller_file_is_refused() {
    let dataset: Dataset = "acs_8ph_01".parse().unwrap();
    let error = explain(&InputRequest::new(&dataset, None).unwrap_err()).to_string();
    assert!(error.contains("acs_8ph_01_input.out"), "{error}");
}
