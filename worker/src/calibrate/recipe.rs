//! The instruments as data: which programs run, on which of the input files, and which exit
//! statuses are not failures. `plan` applies a recipe to a dataset's files; nothing runs here.

use caldp_core::dataset::{Dataset, Instrument, Kind};
use caldp_core::exit_code::ExitCode;

/// How datasets of one kind are calibrated.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The instrument programs, or the mosaic program.
    pub stage1: Command,
    /// Drizzling, where there is such a step.
    pub stage2: Option<Command>,
    /// Which input files the programs are called with.
    pub(super) inputs: InputRule,
    /// Statuses that are not failures.
    pub(super) tolerated: &'static [Tolerated],
    /// Endings of the files that get best references and version keywords.
    pub raw_files: RawFiles,
    /// Endings of files removed after calibration.
    pub removed: &'static [&'static str],
    /// Keywords set in every raw file before calibration.
    pub keywords: &'static [(&'static str, i64)],
    /// The environment variable that points to the instrument's references.
    pub reference_variable: Option<&'static str>,
    /// The longest reference path the program survives, in bytes.
    pub(super) longest_reference: Option<usize>,
}

/// A program, its fixed arguments and what its failure means.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The program's name.
    pub program: &'static str,
    /// Arguments before the input file.
    pub arguments: &'static [&'static str],
    /// The exit code of the run when it fails.
    pub exit_code: ExitCode,
    /// The keyword in the primary headers of products that tells the program's version.
    pub(super) version_keyword: &'static str,
}

/// What the instruments' programs write their versions into.
const CAL_VER: &str = "CAL_VER";
/// What drizzling writes its version into.
const DRIZZLE_VERSION: &str = "D001VER";

/// Which files a program is called with; one call for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputRule {
    /// The association table if there is one, and each `_raw.fits` that is not of a member.
    AssociationOrRaw,
    /// Each `_raw.fits`; of an exposure without one, its `_wav.fits`.
    RawOrWavecal,
    /// The association table if there is one, and the first `_raw*.fits` of each exposure that is
    /// not a member.
    AssociationOrFirst,
    /// The list of a mosaic's inputs, `<dataset>_input.out`.
    Poller,
}

/// Which files of a dataset are raw data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFiles {
    /// Those with `_raw` in their name: `_raw`, `_rawtag_a`, `_rawacq` ...
    NamedRaw,
    /// Those with one of these endings.
    Ending(&'static [&'static str]),
    /// None: the inputs are calibrated already.
    None,
}

impl RawFiles {
    /// Whether the file of this name is one of them.
    pub fn includes(self, name: &str) -> bool {
        match self {
            Self::NamedRaw => {
                name.contains("_raw")
                    && std::path::Path::new(name).extension() == Some("fits".as_ref())
            }
            Self::Ending(endings) => endings.iter().any(|ending| name.ends_with(ending)),
            Self::None => false,
        }
    }
}

/// An exit status other than 0 that is not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tolerated {
    pub(super) status: i32,
    pub(super) meaning: &'static str,
    pub(super) products: Products,
}

/// Whether the planned products must exist after a tolerated status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Products {
    Required,
    NoneMade,
}

const RUNASTRODRIZ: Command = Command {
    program: "runastrodriz",
    arguments: &["-n", "1"],
    exit_code: ExitCode::Stage2,
    version_keyword: DRIZZLE_VERSION,
};

/// Statuses of the mosaic programs when there is nothing to combine.
const NOTHING_VIABLE: &[Tolerated] = &[
    Tolerated {
        status: 55,
        meaning: "only non-viable or SBC/HRC images: no processing done",
        products: Products::NoneMade,
    },
    Tolerated {
        status: 65,
        meaning: "no viable images: no processing done",
        products: Products::NoneMade,
    },
];

const fn stage1(program: &'static str, arguments: &'static [&'static str]) -> Command {
    Command {
        program,
        arguments,
        exit_code: ExitCode::Stage1,
        version_keyword: CAL_VER,
    }
}

/// HSTCAL copies reference paths into buffers of 256 bytes with a suffix and aborts beyond this.
const HSTCAL_LONGEST_REFERENCE: Option<usize> = Some(243);

const IMAGES: Recipe = Recipe {
    stage1: stage1("", &[]),
    stage2: Some(RUNASTRODRIZ),
    inputs: InputRule::AssociationOrRaw,
    tolerated: &[],
    raw_files: RawFiles::NamedRaw,
    removed: &[],
    keywords: &[],
    reference_variable: None,
    longest_reference: HSTCAL_LONGEST_REFERENCE,
};

const ACS: Recipe = Recipe {
    stage1: stage1("calacs.e", &[]),
    reference_variable: Some("jref"),
    ..IMAGES
};

const WFC3: Recipe = Recipe {
    stage1: stage1("calwf3.e", &[]),
    reference_variable: Some("iref"),
    ..IMAGES
};

const STIS: Recipe = Recipe {
    stage1: stage1("cs0.e", &["-tv"]),
    stage2: None,
    inputs: InputRule::RawOrWavecal,
    tolerated: &[],
    raw_files: RawFiles::Ending(&["_raw.fits", "_wav.fits", "_tag.fits"]),
    removed: &["_epc.fits"],
    keywords: &[],
    reference_variable: Some("oref"),
    longest_reference: HSTCAL_LONGEST_REFERENCE,
};

const COS: Recipe = Recipe {
    stage1: stage1("calcos", &[]),
    stage2: None,
    inputs: InputRule::AssociationOrFirst,
    tolerated: &[Tolerated {
        status: 5,
        meaning: "acquisition data (RAWACQ) are not calibrated",
        products: Products::Required,
    }],
    raw_files: RawFiles::NamedRaw,
    removed: &[],
    // calcos draws random numbers; the same seed gives the same products.
    keywords: &[("RANDSEED", 1)],
    reference_variable: Some("lref"),
    longest_reference: None,
};

const SVM: Recipe = Recipe {
    stage1: Command {
        program: "runsinglehap",
        arguments: &[],
        exit_code: ExitCode::Svm,
        version_keyword: DRIZZLE_VERSION,
    },
    stage2: None,
    inputs: InputRule::Poller,
    tolerated: NOTHING_VIABLE,
    raw_files: RawFiles::None,
    removed: &[],
    keywords: &[],
    reference_variable: None,
    longest_reference: None,
};

const MVM: Recipe = Recipe {
    stage1: Command {
        program: "runmultihap",
        arguments: &[],
        exit_code: ExitCode::Mvm,
        version_keyword: DRIZZLE_VERSION,
    },
    ..SVM
};

impl Recipe {
    /// The recipe for a dataset.
    pub fn of(dataset: &Dataset) -> &'static Recipe {
        match (dataset.kind(), dataset.instrument()) {
            (Kind::Mvm, _) => &MVM,
            (Kind::Svm, _) => &SVM,
            (Kind::Ipppssoot, Some(Instrument::Wfc3)) => &WFC3,
            (Kind::Ipppssoot, Some(Instrument::Stis)) => &STIS,
            (Kind::Ipppssoot, Some(Instrument::Cos)) => &COS,
            // Only a sky cell has no instrument.
            (Kind::Ipppssoot, Some(Instrument::Acs) | None) => &ACS,
        }
    }

    /// Every recipe with the name of what it is for.
    pub(crate) const ALL: [(&'static str, &'static Recipe); 6] = [
        ("acs", &ACS),
        ("wfc3", &WFC3),
        ("stis", &STIS),
        ("cos", &COS),
        ("svm mosaics", &SVM),
        ("mvm mosaics", &MVM),
    ];

    /// What is run for datasets of this recipe, in order.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        [Some(self.stage1), self.stage2].into_iter().flatten()
    }

    /// The programs that datasets of this recipe need, in order.
    pub fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.commands().map(|command| command.program)
    }
}
