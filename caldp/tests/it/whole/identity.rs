//! Files that came under a dataset's name and are another's are never calibrated under it, and of
//! what is the dataset's nothing is left uncalibrated, wherever it comes from.

use super::host::{Host, Origin, assert_code};
use caldp_tests::unpack_fixture;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::path::Path;
use std::process::Output;

/// An archive of files: the names they get, and what they hold.
fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, &content[..])
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// The raw files of a bundled dataset.
fn fixture(dataset: &str) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = unpack_fixture(dataset, folder.path()).into_iter();
    files
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .collect()
}

fn renamed(files: Vec<(String, Vec<u8>)>, from: &str, to: &str) -> Vec<(String, Vec<u8>)> {
    let files = files.into_iter();
    files
        .map(|(name, content)| (name.replace(from, to), content))
        .collect()
}

/// How files are offered.
#[derive(Debug, Clone, Copy)]
enum Form {
    ArchiveInDirectory,
    LooseInDirectory,
    ArchiveOnS3,
    LooseOnS3,
    Mast,
}

const FORMS: [Form; 5] = [
    Form::ArchiveInDirectory,
    Form::LooseInDirectory,
    Form::ArchiveOnS3,
    Form::LooseOnS3,
    Form::Mast,
];

fn run(form: Form, dataset: &str, files: &[(String, Vec<u8>)]) -> (Host, Output) {
    let host = Host::new();
    let packed = format!("{dataset}.tar.gz");
    fs::create_dir_all(host.inputs()).unwrap();
    let origin = match form {
        Form::ArchiveInDirectory => {
            fs::write(host.inputs().join(packed), archive(files)).unwrap();
            Origin::Directory
        }
        Form::LooseInDirectory => {
            for (name, content) in files {
                fs::write(host.inputs().join(name), content).unwrap();
            }
            Origin::Directory
        }
        Form::ArchiveOnS3 => {
            host.put_archive(dataset, archive(files));
            Origin::S3
        }
        Form::LooseOnS3 => {
            for (name, content) in files {
                host.world.put(&format!("inputs/{name}"), content.clone());
            }
            Origin::S3
        }
        Form::Mast => {
            let observation = host.mast.add_observation(dataset);
            for (name, content) in files {
                host.mast.add_product(observation, name, content);
            }
            Origin::Mast
        }
    };
    let output = host.command(dataset, origin).output().unwrap();
    (host, output)
}

#[test]
fn files_of_another_dataset_are_not_calibrated_under_the_wrong_name() {
    let of_another = [
        ("j8cb02u5q", "j8cb02u4q"),
        ("ib8t02a9q", "ib8t02a3q"),
        ("octka9030", "octka6030"),
        ("lbgu17qzq", "lbgu17qnq"),
        ("j8cb020b0", "j8cb010b0"),
    ];
    for form in FORMS {
        for (dataset, fixed) in of_another {
            let (host, output) = run(form, dataset, &fixture(fixed));
            assert_code(&output, 21);
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().rev().take(2).collect::<Vec<_>>().concat();
            assert!(
                last.contains(dataset) && last.contains(fixed),
                "{form:?}: {last}"
            );
            assert_eq!(host.state(dataset), "error");
        }
    }
}

#[test]
fn a_file_whose_header_names_another_exposure_is_refused() {
    let cases = [
        // The raw file of a dataset, a member, an association table, one segment.
        (
            "j8cb02u5q",
            renamed(fixture("j8cb02u4q"), "j8cb02u4q", "j8cb02u5q"),
            "j8cb02u4q",
        ),
        (
            "j8cb010b0",
            {
                let mut files = fixture("j8cb010b0");
                let other = fixture("j8cb02u4q").remove(0).1;
                files
                    .iter_mut()
                    .find(|(name, _)| name.contains("u3q"))
                    .unwrap()
                    .1 = other;
                files
            },
            "j8cb02u4q",
        ),
        (
            "ib8t01090",
            renamed(fixture("ib8t01010"), "ib8t01010", "ib8t01090"),
            "ib8t01010",
        ),
        (
            "octka8090",
            renamed(fixture("octka8050"), "octka8050", "octka8090"),
            "octka8050",
        ),
        (
            "lbgu19qzq",
            renamed(fixture("lbgu19qaq"), "lbgu19qaq", "lbgu19qzq"),
            "lbgu19qaq",
        ),
    ];
    for form in FORMS {
        for (dataset, files, other) in &cases {
            let (_, output) = run(form, dataset, files);
            assert_code(&output, 21);
            let text = String::from_utf8_lossy(&output.stderr);
            let wanted = format!("input of {dataset}: its ROOTNAME is \"{other}\"");
            assert!(text.contains(&wanted), "{form:?}: {text}");
        }
    }
}

#[test]
fn every_raw_file_in_the_datasets_archive_is_given_references_and_calibrated() {
    let mut files = fixture("octka6030");
    files.extend(fixture("octka7040"));
    for form in [Form::ArchiveInDirectory, Form::ArchiveOnS3, Form::Mast] {
        let (host, output) = run(form, "octka6030", &files);
        assert_code(&output, 0);
        let record = host.provenance("octka6030");
        let of = |key: &str, field: &str| -> Vec<String> {
            let rows = record[key].as_array().unwrap().iter();
            rows.map(|row| row[field].as_str().unwrap().to_owned())
                .collect()
        };
        let raw = ["octka6030_raw.fits", "octka7040_raw.fits"];
        assert_eq!(of("headers", "file"), raw, "{form:?}");
        assert_eq!(
            of("programs", "command"),
            raw.map(|file| format!("cs0.e -tv {file}")),
            "{form:?}"
        );
        for product in ["octka6030_flt.fits", "octka7040_flt.fits"] {
            assert!(
                of("outputs", "name").contains(&product.to_owned()),
                "{record}"
            );
        }
    }
    // Loose files are shared with other datasets: only the dataset's own are its inputs.
    let (host, output) = run(Form::LooseInDirectory, "octka6030", &files);
    assert_code(&output, 0);
    assert_eq!(
        host.provenance("octka6030")["programs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_an_earlier_run_made_does_not_pass_for_a_product() {
    let mut files = fixture("j8cb02u4q");
    let stale = files[0].1.clone();
    files.push(("j8cb02u4q_flt.fits".to_owned(), stale));
    let (host, _) = run(Form::ArchiveOnS3, "j8cb02u4q", &files);
    host.programs.replace("calacs.e", "exit 0");
    let output = host.run("j8cb02u4q");
    assert_code(&output, 23);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("j8cb02u4q_flt.fits is missing"), "{text}");
}

#[test]
fn raw_files_with_something_behind_them_or_without_their_last_fill_are_calibrated() {
    // By the real calcos.
    let dataset = "lbgu17qnq";
    let whole = fixture(dataset).remove(0);
    let with = |content: Vec<u8>| vec![(whole.0.clone(), content)];
    let padded = [&whole.1[..], &[0; 2880]].concat();
    let unfilled = whole.1[..whole.1.len() - 1].to_vec();
    for (form, content) in [
        (Form::LooseInDirectory, &padded),
        (Form::ArchiveOnS3, &unfilled),
        (Form::Mast, &padded),
    ] {
        let (host, output) = run(form, dataset, &with(content.clone()));
        assert_code(&output, 0);
        assert_eq!(host.state(dataset), "processed");
    }
    let cut = whole.1[..whole.1.len() - 2881].to_vec();
    for (form, code) in [
        (Form::LooseInDirectory, 21),
        (Form::ArchiveOnS3, 21),
        (Form::LooseOnS3, 21),
        (Form::Mast, 22),
    ] {
        let (_, output) = run(form, dataset, &with(cut.clone()));
        assert_code(&output, code);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            text.contains("lbgu17qnq_rawtag.fits") && text.contains("truncated"),
            "{text}"
        );
    }
}

#[test]
fn an_empty_raw_file_is_named() {
    let mut files = fixture("octka7040");
    files.push(("octka7040_wav.fits".to_owned(), Vec::new()));
    let (_, output) = run(Form::ArchiveOnS3, "octka7040", &files);
    assert_code(&output, 21);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("octka7040_wav.fits: not a FITS file"),
        "{text}"
    );
}

#[test]
fn an_archive_of_an_earlier_run_is_calibrated_again() {
    let host = Host::with("j8cb02u4q").in_layout(caldp_core::layout::Layout::Calcloud);
    assert_code(&host.run("j8cb02u4q"), 0);
    let before = host.delivered("j8cb02u4q");
    let packed = host.stored("j8cb02u4q", "j8cb02u4q.tar.gz");
    host.put_archive("j8cb02u4q", packed);
    let output = host.run("j8cb02u4q");
    assert_code(&output, 0);
    let after = host.delivered("j8cb02u4q");
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
}

#[test]
fn an_archive_without_inputs_says_what_is_in_it() {
    for (files, said) in [
        (
            vec![("notes.txt".to_owned(), b"x".to_vec())],
            "it has \"notes.txt\"",
        ),
        (Vec::new(), "it has no files"),
        (
            renamed(fixture("j8cb02u4q"), "_raw", "_flt"),
            "it has \"j8cb02u4q_flt.fits\"",
        ),
    ] {
        for form in [Form::ArchiveInDirectory, Form::ArchiveOnS3] {
            let (_, output) = run(form, "j8cb02u4q", &files);
            assert_code(&output, 21);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(
                text.contains("holds no input of j8cb02u4q") && text.contains(said),
                "{text}"
            );
        }
    }
}
