//! The calibration programs a test runs: the real ones where they can be installed, stand-ins where
//! they cannot or where it is not them that are tested, all in one directory, any of them with a few
//! lines of shell before it that bring about what is to be tested.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::registry_programs;

/// What stands in for each program: for HSTCAL, because no package registry has it; for drizzlepac,
/// which takes seconds, where it is not what is tested.
const STANDINS: [(&str, &str); 6] = [
    ("calacs.e", "hstcal.py"),
    ("calwf3.e", "hstcal.py"),
    ("cs0.e", "hstcal.py"),
    ("runastrodriz", "drizzlepac.py"),
    ("runsinglehap", "drizzlepac.py"),
    ("runmultihap", "drizzlepac.py"),
];

/// Names a directory with the real HSTCAL, to be run instead of its stand-ins.
const REAL_HSTCAL: &str = "CALDP_TEST_HSTCAL";

/// The one of drizzlepac's programs for which the bundled data suffice.
const DRIZZLE: &str = "runastrodriz";

/// A directory of programs.
#[derive(Debug)]
pub struct Programs {
    directory: TempDir,
    drizzling: Drizzling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drizzling {
    StoodInFor,
    Real,
}

impl Programs {
    /// Stand-ins for HSTCAL and drizzlepac, and the real `calcos`.
    ///
    /// # Panics
    /// When the real programs are not installed: a test that needs one does not pass without.
    pub fn new() -> Self {
        Self::with(Drizzling::StoodInFor)
    }

    /// A stand-in for HSTCAL only: the real `calcos` and `runastrodriz`.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn with_real_drizzling() -> Self {
        Self::with(Drizzling::Real)
    }

    fn with(drizzling: Drizzling) -> Self {
        let programs = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            drizzling,
        };
        for (name, _) in STANDINS {
            programs.before(name, "");
        }
        programs.before("calcos", "");
        programs
    }

    /// Has `script`, lines of shell, run in the program's working directory and environment
    /// before it.
    pub fn before(&self, name: &str, script: &str) {
        let call = self.call(name);
        self.write(name, &format!("{script}\nexec {call} \"$@\""));
    }

    /// How the shell calls a program.
    fn call(&self, name: &str) -> String {
        let real = format!("'{}'", registry_programs().join(name).display());
        if name == DRIZZLE && self.drizzling == Drizzling::Real {
            return real;
        }
        let hstcal = std::env::var_os(REAL_HSTCAL);
        match (STANDINS.iter().find(|(p, _)| *p == name), hstcal) {
            (Some((program, "hstcal.py")), Some(directory)) => {
                format!("'{}'", Path::new(&directory).join(program).display())
            }
            (Some((program, standin)), _) => {
                let python = registry_programs().join("python");
                let standin = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("standins")
                    .join(standin);
                // Nothing is written beside the sources.
                format!(
                    "'{}' -B '{}' {program}",
                    python.display(),
                    standin.display()
                )
            }
            (None, _) => real,
        }
    }

    /// Puts a program of shell in the place of another.
    pub fn replace(&self, name: &str, script: &str) {
        self.write(name, script);
    }

    /// The search path with these programs before those of the system.
    pub fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.directory.path().display())
    }

    /// Where the programs are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, script: &str) {
        let path = self.directory.path().join(name);
        // Replaced, not overwritten: a program that runs cannot be written to.
        let part = path.with_extension("part");
        fs::write(&part, format!("#!/bin/sh\n{script}\n")).expect("a file can be written");
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(part, path).expect("a file can be renamed");
    }
}

impl Default for Programs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Output};

    use super::*;
    use crate::{fixtures, unpack_fixture};

    /// A working directory of a dataset whose raw files name their references.
    struct WorkingDirectory {
        programs: Programs,
        folder: TempDir,
        references: String,
    }

    impl WorkingDirectory {
        fn new(dataset: &str) -> Self {
            let folder = tempfile::tempdir().expect("a temporary directory");
            for path in unpack_fixture(dataset, folder.path()) {
                point_to_references(dataset, &path);
            }
            let references = fixtures().join("crds/references/hst");
            Self {
                programs: Programs::new(),
                folder,
                references: format!("{}/", references.display()),
            }
        }

        fn run(&self, program: &str, arguments: &[&str], references: &str) -> Output {
            Command::new(self.programs.directory().join(program))
                .args(arguments)
                .current_dir(self.folder.path())
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .envs(["iref", "jref", "oref"].map(|name| (name, references)))
                .output()
                .expect("the stand-in starts")
        }

        fn status(&self, program: &str, arguments: &[&str]) -> Option<i32> {
            self.run(program, arguments, &self.references).status.code()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path()).expect("it can be read");
            let name = |entry: std::io::Result<fs::DirEntry>| {
                let name = entry.expect("it can be read").file_name();
                name.to_string_lossy().into_owned()
            };
            let mut names: Vec<String> = entries.map(name).collect();
            names.sort_unstable();
            names
        }
    }

    /// Writes the references of the manifest into a raw header, over the cards that are there.
    fn point_to_references(dataset: &str, path: &Path) {
        let manifest = fs::read(fixtures().join("manifest.json")).expect("the manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let name = path.file_name().expect("a file").to_string_lossy();
        let chosen = &manifest["datasets"][dataset]["bestrefs"][&*name];
        let mut bytes = fs::read(path).expect("the raw file");
        for (keyword, value) in chosen.as_object().into_iter().flatten() {
            let value = value.as_str().expect("text");
            let card = bytes
                .chunks_exact_mut(80)
                .find(|card| card.starts_with(format!("{keyword:<8}=").as_bytes()));
            if let Some(card) = card {
                let text = format!("{:<80}", format!("{keyword:<8}= '{value}'"));
                card.copy_from_slice(text.as_bytes());
            }
        }
        fs::write(path, bytes).expect("the raw file is ours");
    }

    fn cleared(names: &[&str], folder: &Path) {
        for name in names {
            fs::remove_file(folder.join(name)).expect("the file is there");
        }
    }

    #[test]
    fn the_standins_for_images_end_as_the_real_programs_were_seen_to_end() {
        for (program, dataset, exposure, missing) in [
            ("calacs.e", "j8cb010b0", "j8cb01u3q", 2),
            ("calwf3.e", "ib8t01010", "ib8t01a2q", 115),
        ] {
            let table = format!("{dataset}_asn.fits");
            let bench = WorkingDirectory::new(dataset);
            let without_slash = bench.references.trim_end_matches('/');
            let output = bench.run(program, &[&table], without_slash);
            assert_eq!(output.status.code(), Some(missing), "{program}");
            assert!(String::from_utf8(output.stdout).is_err(), "{program}");
            let left = bench.names();
            assert!(
                left.iter().any(|n| n.ends_with("_blv_tmp.fits")),
                "{left:?}"
            );

            let bench = WorkingDirectory::new(dataset);
            assert_eq!(
                bench.run(program, &[&table], "").status.code(),
                Some(missing)
            );
            let bench = WorkingDirectory::new(dataset);
            let long = format!("/{}/", "c".repeat(260));
            let output = bench.run(program, &[&table], &long);
            assert_eq!(output.status.signal(), Some(6), "{program}");

            let bench = WorkingDirectory::new(dataset);
            assert_eq!(bench.status(program, &[&table]), Some(0), "{program}");
            assert_eq!(bench.status(program, &[&table]), Some(2), "outputs there");
            let two = [&*table, &*format!("{exposure}_raw.fits")];
            assert_eq!(bench.status(program, &two), Some(2), "two inputs");
            assert_eq!(bench.status(program, &["none_raw.fits"]), Some(2));
            assert_eq!(bench.status("runastrodriz", &["-n", "1", &table]), Some(0));
            let drizzled = format!("{}1_drz.fits", &dataset[..8]);
            assert!(bench.names().contains(&drizzled), "{:?}", bench.names());

            let bench = WorkingDirectory::new(dataset);
            cleared(&[&format!("{exposure}_raw.fits")], bench.folder.path());
            assert_eq!(bench.status(program, &[&table]), Some(2), "member missing");
            assert_eq!(bench.status("runastrodriz", &["-n", "1", &table]), Some(1));
            cleared(&[&table], bench.folder.path());
            assert_eq!(bench.status("runastrodriz", &["-n", "1", &table]), Some(0));
        }
    }

    #[test]
    fn the_standin_for_spectra_ends_as_the_real_program_was_seen_to_end() {
        let bench = WorkingDirectory::new("octka7040");
        let raw = "octka7040_raw.fits";
        assert_eq!(bench.run("cs0.e", &["-tv", raw], "").status.code(), Some(2));
        let bench = WorkingDirectory::new("octka7040");
        assert_eq!(bench.status("cs0.e", &["-tv", raw]), Some(0));
        assert_eq!(
            bench.names(),
            ["octka7040_flt.fits", raw, "octka7040_x1d.fits"]
        );
        assert_eq!(bench.status("cs0.e", &["-tv", raw]), Some(2));
        let output = bench.run("cs0.e", &["-tv", "none_raw.fits"], "");
        assert_eq!(output.status.signal(), Some(11));
        // The first one's data under the second one's name.
        assert_eq!(
            bench.status("cs0.e", &["-tv", raw, "octka9990_raw.fits"]),
            Some(0)
        );
        assert!(bench.names().contains(&"octka9990_flt.fits".to_owned()));
    }

    #[test]
    fn without_a_switch_an_association_fails_in_one_program_and_not_in_the_other() {
        for (program, dataset, status) in
            [("calacs.e", "j8cb010b0", 2), ("calwf3.e", "ib8t01010", 0)]
        {
            let bench = WorkingDirectory::new(dataset);
            let files = bench.names();
            for raw in files.iter().filter(|name| name.ends_with("_raw.fits")) {
                crate::switch_off(&bench.folder.path().join(raw));
            }
            let table = format!("{dataset}_asn.fits");
            assert_eq!(bench.status(program, &[&table]), Some(status), "{program}");
            assert_eq!(bench.names(), files, "{program}");
        }
    }

    #[test]
    fn without_a_switch_nothing_is_made_and_nothing_fails() {
        for (program, dataset, raw) in [
            ("calacs.e", "j8cb02u4q", "j8cb02u4q_raw.fits"),
            ("calwf3.e", "ib8t02a3q", "ib8t02a3q_raw.fits"),
            ("cs0.e", "octka7040", "octka7040_raw.fits"),
        ] {
            let bench = WorkingDirectory::new(dataset);
            crate::switch_off(&bench.folder.path().join(raw));
            assert_eq!(bench.status(program, &[raw]), Some(0), "{program}");
            assert_eq!(bench.names(), [raw], "{program}");
        }
    }
}
