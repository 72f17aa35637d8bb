//! Whole calibrations with stand-ins that behave as the real programs do.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::run_log::Console;
use std::os::unix::fs::PermissionsExt as _;

/// A working directory with a bundled dataset, and a folder of programs.
struct Bench {
    folder: tempfile::TempDir,
    log: RunLog,
    cancel: CancellationToken,
}

impl Bench {
    fn new(dataset: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/raw");
        let archive = fixtures.join(format!("{dataset}.tar.gz"));
        let limits = crate::input::archive::Limits::default();
        crate::input::archive::unpack(&archive, &folder.path().join("work"), &limits).unwrap();
        let log = RunLog::create(&folder.path().join("process.txt"), Console::Quiet).unwrap();
        Self {
            folder,
            log,
            cancel: CancellationToken::new(),
        }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Installs a program: a shell script in which `product a b` makes b, complete, from a.
    fn program(&self, name: &str, script: &str) -> &Self {
        let path = self.folder.path().join("bin").join(name);
        let text = format!("#!/bin/sh\nproduct() {{ cp \"$1\" \"$2\"; }}\n{script}\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    async fn calibrate(&self, dataset: &str) -> Calibration {
        let bin = self.folder.path().join("bin");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let environment = Environment::from([("PATH".into(), path.into())]);
        let dataset = Dataset::parse(dataset).unwrap();
        let work = self.work();
        let context = CalibrationContext {
            folder: &work,
            environment: &environment,
            log: &self.log,
            cancel: &self.cancel,
            timeout: None,
            grace: Duration::from_secs(5),
        };
        calibrate(&dataset, context).await
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("process.txt")).unwrap()
    }
}

fn code(calibration: &Calibration) -> ExitCode {
    calibration.result.as_ref().unwrap_err().exit_code()
}

const CALACS: &str = "product j8cb02u4q_raw.fits j8cb02u4q_flt.fits; echo flat-fielded";
const DRIZZLE: &str = "[ \"$1 $2\" = '-n 1' ] && product j8cb02u4q_flt.fits j8cb02u4q_drz.fits";

#[tokio::test]
async fn both_stages_run_and_are_measured() {
    let bench = Bench::new("j8cb02u4q");
    bench
        .program("calacs.e", CALACS)
        .program("runastrodriz", DRIZZLE);
    let calibration = bench.calibrate("j8cb02u4q").await;
    calibration.result.unwrap();
    assert!(calibration.notes.is_empty());
    let commands: Vec<_> = calibration.metrics.iter().map(|m| &*m.command).collect();
    assert_eq!(
        commands,
        [
            "calacs.e j8cb02u4q_raw.fits",
            "runastrodriz -n 1 j8cb02u4q_raw.fits"
        ]
    );
    let log = bench.logged();
    assert!(
        log.starts_with("running `calacs.e j8cb02u4q_raw.fits`\nflat-fielded\n`calacs.e"),
        "{log}"
    );
}

#[tokio::test]
async fn success_without_the_product_is_a_failure_of_its_stage() {
    let bench = Bench::new("j8cb02u4q");
    bench
        .program("calacs.e", CALACS)
        .program("runastrodriz", "exit 0");
    let calibration = bench.calibrate("j8cb02u4q").await;
    assert_eq!(code(&calibration), ExitCode::Stage2);
    let message = calibration.result.unwrap_err().to_string();
    assert!(
        message.contains("j8cb02u4q_drz.fits (or j8cb02u4q_drc.fits) is missing"),
        "{message}"
    );

    bench.program(
        "calacs.e",
        "head -c 5000 j8cb02u4q_raw.fits > j8cb02u4q_flt.fits",
    );
    let calibration = bench.calibrate("j8cb02u4q").await;
    assert_eq!(code(&calibration), ExitCode::Stage1);
    let message = calibration.result.unwrap_err().to_string();
    assert!(
        message.contains("j8cb02u4q_flt.fits is not complete"),
        "{message}"
    );
    assert_eq!(calibration.metrics.len(), 1);
}

#[tokio::test]
async fn a_missing_program_is_known_before_anything_runs() {
    let bench = Bench::new("j8cb02u4q");
    bench.program("calacs.e", "echo ran");
    let calibration = bench.calibrate("j8cb02u4q").await;
    assert_eq!(code(&calibration), ExitCode::Stage2);
    assert_eq!(bench.logged(), "");
    let message = calibration.result.unwrap_err().to_string();
    assert!(
        message.contains("`runastrodriz` was not found"),
        "{message}"
    );
}

#[tokio::test]
async fn acquisitions_end_with_status_5_and_are_no_failure() {
    let bench = Bench::new("lbgu19qaq");
    bench.program("calcos", "echo log > lbgu19qaq.tra; exit 5");
    let calibration = bench.calibrate("lbgu19qaq").await;
    calibration.result.unwrap();
    assert_eq!(calibration.notes.len(), 1);
    assert_eq!(calibration.metrics[0].status.code(), Some(5));
    // Any other program's 5 is a failure.
    let bench = Bench::new("octka7040");
    bench.program("cs0.e", "exit 5");
    assert_eq!(code(&bench.calibrate("octka7040").await), ExitCode::Stage1);
}

#[tokio::test]
async fn lack_of_memory_is_told_from_other_failures() {
    let bench = Bench::new("lbgu17qnq");
    bench.program(
        "calcos",
        "echo 'numpy._ArrayMemoryError: Unable to allocate 9 GiB' >&2; exit 1",
    );
    assert_eq!(
        code(&bench.calibrate("lbgu17qnq").await),
        ExitCode::ProgramMemory
    );
    bench.program(
        "calcos",
        "echo 'ValueError: MemoryError was yesterday' >&2; exit 1",
    );
    assert_eq!(code(&bench.calibrate("lbgu17qnq").await), ExitCode::Stage1);
    let bench = Bench::new("octka7040");
    bench.program("cs0.e", "echo 'ERROR:             Out of memory.'; exit 2");
    let memory = code(&bench.calibrate("octka7040").await);
    assert_eq!(memory, ExitCode::ProgramMemory);
}

#[tokio::test]
async fn a_stopped_run_says_so_and_starts_nothing_more() {
    let bench = Bench::new("j8cb02u4q");
    bench
        .program("calacs.e", "sleep 60")
        .program("runastrodriz", "echo never");
    let stop = async {
        while !bench.logged().contains("running") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bench.cancel.cancel();
    };
    let (calibration, ()) = tokio::join!(bench.calibrate("j8cb02u4q"), stop);
    assert_eq!(code(&calibration), ExitCode::Terminated);
    assert_eq!(calibration.metrics.len(), 1);
    assert!(!bench.logged().contains("never"));
}

#[tokio::test]
async fn leftovers_of_stis_are_removed() {
    let bench = Bench::new("octka7040");
    std::fs::write(bench.work().join("octka7040_epc.fits"), "").unwrap();
    bench.program(
        "cs0.e",
        "product octka7040_raw.fits octka7040_flt.fits; product octka7040_raw.fits octka7040_x1d.fits",
    );
    bench.calibrate("octka7040").await.result.unwrap();
    assert!(!bench.work().join("octka7040_epc.fits").exists());
}

#[tokio::test]
async fn mosaics_with_nothing_viable_are_no_failure() {
    let bench = Bench::new("j8cb02u4q");
    std::fs::write(bench.work().join("acs_8ph_01_input.out"), "").unwrap();
    bench.program("runsinglehap", "exit 65");
    let calibration = bench.calibrate("acs_8ph_01").await;
    calibration.result.unwrap();
    assert!(calibration.notes[0].contains("no viable images"));
    bench.program("runsinglehap", "exit 1");
    assert_eq!(code(&bench.calibrate("acs_8ph_01").await), ExitCode::Svm);
}
