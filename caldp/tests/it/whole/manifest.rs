//! Every bundled dataset gives the products that the real programs were seen to leave, from every
//! kind of input, in both layouts.

use super::host::{Host, Origin, assert_code};
use caldp_core::layout::Layout;
use caldp_tests::{fixtures, long_variants};
use serde_json::Value;
use std::fs;
use std::process::Command;

fn facts(dataset: &str) -> Value {
    let manifest = fs::read(fixtures().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["datasets"][dataset].clone()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// One run, and everything that is known of its end.
fn gives_its_products(dataset: &str, from: Origin, layout: Layout) {
    let host = Host::with(dataset).in_layout(layout).drizzling_for_real();
    let output = host.command(dataset, from).output().unwrap();
    assert_code(&output, 0);
    assert_eq!(host.state(dataset), "processed");
    host.assert_clean();
    assert_delivered(&host, dataset);
    assert_drizzled(&host, dataset);
}

/// What the real drizzlepac leaves is an image of its own, not one of those that it was made of, and
/// says which version made it.
fn assert_drizzled(host: &Host, dataset: &str) {
    let delivered = host.delivered(dataset);
    for (name, bytes) in delivered
        .iter()
        .filter(|(name, _)| name.ends_with("_drz.fits"))
    {
        let path = host.world.path().join(name);
        fs::write(&path, bytes).unwrap();
        let header = crds_core::dataset::fits::read(&path).unwrap();
        assert_eq!(header.get("DRIZCORR"), Some("COMPLETE"), "{name}");
        let version = header.get("D001VER").unwrap().trim();
        let record = host.provenance(dataset);
        assert_eq!(record["versions"]["runastrodriz"], version, "{record}");
    }
}

/// Everything the manifest knows of a dataset was stored, and nothing else.
pub(crate) fn assert_delivered(host: &Host, dataset: &str) {
    let facts = facts(dataset);
    let delivered = host.delivered(dataset);
    let wanted: Vec<String> = ["inputs", "products", "stage2_products"]
        .into_iter()
        .flat_map(|key| texts(&facts[key]))
        .collect();
    for name in &wanted {
        let bytes = delivered.get(name);
        assert!(bytes.is_some_and(|b| !b.is_empty()), "{dataset}: {name}");
    }
    for name in delivered.keys().filter(|name| !name.contains('/')) {
        assert!(wanted.contains(name), "{dataset}: {name} is no product");
    }
    for log in [
        "process.txt",
        "preview.txt",
        "process_metrics.txt",
        "preview_metrics.txt",
        "provenance.json",
    ] {
        assert!(!host.log(dataset, log).is_empty(), "{dataset}: {log}");
    }

    // Every image and spectrum that has a preview has one, and a thumbnail.
    let suffixes: &[&str] = match dataset.as_bytes()[0] {
        b'j' => &["crj", "drz", "raw", "flt"],
        b'i' => &["drz", "flt", "ima", "raw"],
        b'o' => &["x1d", "sx1"],
        _ => &["x1d", "x1dsum", "x1dsum3"],
    };
    let (extension, magic): (_, &[u8]) = match dataset.as_bytes()[0] {
        b'j' | b'i' => ("jpg", &[0xff, 0xd8, 0xff]),
        _ => ("png", b"\x89PNG"),
    };
    let pictured = wanted.iter().filter_map(|name| {
        let root = name.strip_suffix(".fits")?;
        let suffix = root.rsplit('_').next()?;
        suffixes.contains(&suffix).then_some(root)
    });
    for root in pictured {
        for ending in ["", "_thumb"] {
            let name = format!("previews/{root}{ending}.{extension}");
            let picture = delivered.get(&name);
            assert!(picture.is_some_and(|p| p.starts_with(magic)), "{name}");
        }
    }
    assert_references(host, dataset, &facts);
}

/// The raw files among the products name the references that Python CRDS chose.
fn assert_references(host: &Host, dataset: &str, facts: &Value) {
    let delivered = host.delivered(dataset);
    for (raw, keywords) in facts["bestrefs"].as_object().unwrap() {
        let path = host.world.path().join(raw);
        fs::write(&path, &delivered[raw]).unwrap();
        let header = crds_core::dataset::fits::read(&path).unwrap();
        for (keyword, value) in keywords.as_object().unwrap() {
            assert_eq!(header.get(keyword), value.as_str(), "{raw}: {keyword}");
        }
    }
}

/// Each kind of input and each layout; all pairs of them when there is time.
fn everywhere(dataset: &str) {
    let all = long_variants("every pair of input and layout");
    for (n, from) in Origin::ALL.into_iter().enumerate() {
        for (m, layout) in Layout::ALL.into_iter().enumerate() {
            if all || (n + m) % Layout::ALL.len() == 0 {
                gives_its_products(dataset, from, layout);
            }
        }
    }
}

/// The same where every run takes the real `calcos` its time: each layout once.
fn once_in_each_layout(dataset: &str, origins: [Origin; 2]) {
    if long_variants("every pair of input and layout") {
        return everywhere(dataset);
    }
    for (layout, from) in Layout::ALL.into_iter().zip(origins) {
        gives_its_products(dataset, from, layout);
    }
}

macro_rules! images_and_long_slits {
    ($($dataset:ident)*) => {
        $(
            #[test]
            fn $dataset() {
                everywhere(stringify!($dataset));
            }
        )*
    };
}

images_and_long_slits! {
    ib8t01010 ib8t02a3q j8cb010b0 j8cb02u4q octka6030 octka7040 octka8050
}

#[test]
fn lbgu17qnq() {
    once_in_each_layout("lbgu17qnq", [Origin::Directory, Origin::Mast]);
}

#[test]
fn lbgu18010() {
    once_in_each_layout("lbgu18010", [Origin::Mast, Origin::S3]);
}

#[test]
fn lbgu19qaq() {
    once_in_each_layout("lbgu19qaq", [Origin::Directory, Origin::Mast]);
}

/// Both segments of the far ultraviolet leave 0.7 GB.
#[test]
fn lcxv13040() {
    if long_variants("every pair of input and layout") {
        everywhere("lcxv13040");
    } else {
        gives_its_products("lcxv13040", Origin::S3, Layout::Tree);
    }
}

#[test]
fn the_archive_opens_with_every_tool() {
    let dataset = "j8cb010b0";
    let host = Host::with(dataset).in_layout(Layout::Calcloud);
    assert_code(&host.run(dataset), 0);
    let expected: Vec<String> = host
        .delivered(dataset)
        .into_keys()
        .map(|name| format!("{dataset}/{name}"))
        .collect();
    let archive = host.world.path().join("archive.tar.gz");
    let bytes = host.stored(dataset, &format!("{dataset}.tar.gz"));
    fs::write(&archive, bytes).unwrap();
    let python = caldp_tests::registry_programs().join("python");
    let script = "import sys, tarfile\n\
        with tarfile.open(sys.argv[1]) as archive:\n    \
        for m in archive.getmembers():\n        \
        assert len(archive.extractfile(m).read()) == m.size\n        \
        print(m.name)";
    let listed = |command: &mut Command| {
        let output = command.arg(&archive).output().unwrap();
        assert_code(&output, 0);
        let mut names: Vec<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(listed(Command::new(python).args(["-c", script])), expected);
    assert_eq!(listed(Command::new("tar").arg("-tzf")), expected);
    assert!(listed(Command::new("gunzip").arg("--test")).is_empty());
}
