//! Did a program die for lack of memory? Decided from evidence: the kernel's own counters of
//! out-of-memory kills, the signal that ended the program, and what a failed program said at
//! the end of its output. The log as a whole is never searched.

use super::memory_words::{Said, said_at_the_end};
use caldp_core::exit_code::ExitCode;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a failure counts as one of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryEvidence {
    /// The program failed while its control group's counter of out-of-memory kills rose: the
    /// container's limit.
    ContainerLimit {
        /// The file that holds the counter.
        counter: PathBuf,
        /// By how much it rose.
        kills: u64,
    },
    /// The program was killed while the machine's counter of such kills rose, but not the
    /// container's: the machine is full.
    MachineFull {
        /// By how much it rose.
        kills: u64,
    },
    /// The program was killed by SIGKILL, not by us, where no counter can be read.
    KilledWithoutCounters,
    /// The failed program's last lines say that the system refused memory.
    Refused {
        /// The line.
        line: String,
    },
    /// The failed program's last lines report a memory error of its own.
    Reported {
        /// The line.
        line: String,
    },
}

impl fmt::Display for MemoryEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContainerLimit { counter, kills } => write!(
                f,
                "out of memory: the kernel killed {kills} process(es) at the container's memory limit ({} rose)",
                counter.display()
            ),
            Self::MachineFull { kills } => write!(
                f,
                "out of memory: the kernel killed {kills} process(es) because the machine had none left"
            ),
            Self::KilledWithoutCounters => write!(
                f,
                "probably out of memory: ended by SIGKILL, which this run did not send"
            ),
            Self::Refused { line } => {
                write!(f, "out of memory: the system refused memory (\"{line}\")")
            }
            Self::Reported { line } => {
                write!(f, "out of memory: the program reports \"{line}\"")
            }
        }
    }
}

impl MemoryEvidence {
    /// What the run exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::ContainerLimit { .. } => ExitCode::ContainerMemory,
            Self::MachineFull { .. } | Self::KilledWithoutCounters | Self::Refused { .. } => {
                ExitCode::OsMemory
            }
            Self::Reported { .. } => ExitCode::ProgramMemory,
        }
    }
}

/// The kernel's counters of out-of-memory kills, read before a program starts.
#[derive(Debug, Clone, Default)]
pub struct KillCounters {
    container: Option<(PathBuf, u64)>,
    machine: Option<(PathBuf, u64)>,
}

impl KillCounters {
    /// Reads the counters that apply to this process.
    pub fn read() -> Self {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::read_in(
            &groups,
            Path::new("/sys/fs/cgroup"),
            Path::new("/proc/vmstat"),
        )
    }

    fn read_in(groups: &str, cgroup_root: &Path, vmstat: &Path) -> Self {
        let container = counter_files(groups, cgroup_root)
            .into_iter()
            .find_map(|path| Some((path.clone(), kills_in(&path)?)));
        let machine = kills_in(vmstat).map(|kills| (vmstat.to_owned(), kills));
        Self { container, machine }
    }

    /// The evidence that a program which ended with `status` and whose output ended with `tail`
    /// died for lack of memory; `self` was read before it started. `None` for a success, and for
    /// a failure of another kind.
    pub fn evidence(&self, status: ExitStatus, tail: &[u8]) -> Option<MemoryEvidence> {
        if status.success() {
            return None;
        }
        let killed = status.signal() == Some(9);
        if let Some((counter, kills)) = risen(self.container.as_ref()) {
            return Some(MemoryEvidence::ContainerLimit { counter, kills });
        }
        if killed {
            if let Some((_, kills)) = risen(self.machine.as_ref()) {
                return Some(MemoryEvidence::MachineFull { kills });
            }
            if self.container.is_none() && self.machine.is_none() {
                return Some(MemoryEvidence::KilledWithoutCounters);
            }
        }
        Some(match said_at_the_end(tail)? {
            Said::Refused(line) => MemoryEvidence::Refused { line },
            Said::Reported(line) => MemoryEvidence::Reported { line },
        })
    }
}

fn risen(before: Option<&(PathBuf, u64)>) -> Option<(PathBuf, u64)> {
    let (path, before) = before?;
    let kills = kills_in(path)?.checked_sub(*before)?;
    (kills > 0).then(|| (path.clone(), kills))
}

/// How much memory there is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    /// Bytes.
    pub(crate) bytes: u64,
    /// The limit of the control group, or the machine.
    pub(crate) said_by: &'static str,
}

/// The memory that this process and its children may use: the limit of its control group if there
/// is one, else what the machine has.
pub(crate) fn memory_limit() -> Option<MemoryLimit> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    memory_limit_in(&groups, Path::new("/sys/fs/cgroup"), &machine)
}

fn memory_limit_in(groups: &str, cgroup_root: &Path, meminfo: &str) -> Option<MemoryLimit> {
    let machine = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib.saturating_mul(1024));
    // A group is bounded by those above it as well. `max`, and version 1's nearly 2^63, are none.
    let group = counter_files(groups, cgroup_root)
        .iter()
        .flat_map(|file| {
            let above = file.ancestors().skip(1);
            above.take_while(|folder| folder.starts_with(cgroup_root))
        })
        .flat_map(|folder| {
            [
                folder.join("memory.max"),
                folder.join("memory.limit_in_bytes"),
            ]
        })
        .filter_map(|file| {
            std::fs::read_to_string(file)
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .min()
        .filter(|bytes| machine.is_none_or(|machine| *bytes < machine));
    let limit = |said_by| move |bytes| MemoryLimit { bytes, said_by };
    group
        .map(limit("the limit of the control group"))
        .or(machine.map(limit("of the machine")))
}

/// Candidates for this process's counter, best first: version 2 `memory.events`, version 1
/// `memory.oom_control`; inside a container the group's own path may not be visible, its root is.
fn counter_files(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            files.push(root.join(path).join("memory.events"));
            files.push(root.join("memory.events"));
        } else if controllers.split(',').any(|name| name == "memory") {
            files.push(root.join("memory").join(path).join("memory.oom_control"));
            files.push(root.join("memory/memory.oom_control"));
        }
    }
    files
}

/// The folders of this process's control groups, as [`counter_files`] has them.
pub(crate) fn group_folders(groups: &str, root: &Path) -> Vec<PathBuf> {
    let files = counter_files(groups, root).into_iter();
    files
        .filter_map(|file| Some(file.parent()?.to_owned()))
        .collect()
}

/// The value of the `oom_kill` line in a counter file or `/proc/vmstat`.
fn kills_in(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn failed() -> ExitStatus {
        ExitStatus::from_raw(1 << 8)
    }

    fn killed() -> ExitStatus {
        ExitStatus::from_raw(9)
    }

    /// A fake `/sys/fs/cgroup` and `/proc/vmstat`.
    struct Kernel(tempfile::TempDir);

    impl Kernel {
        fn new(counter: &str) -> Self {
            let kernel = Self(tempfile::tempdir().unwrap());
            let file = kernel.0.path().join(counter);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            kernel.set(counter, 3);
            kernel.set("vmstat", 7);
            kernel
        }

        fn set(&self, file: &str, kills: u64) {
            let text = format!("oom 0\noom_kill {kills}\noom_group_kill 0\n");
            std::fs::write(self.0.path().join(file), text).unwrap();
        }

        fn read(&self, groups: &str) -> KillCounters {
            KillCounters::read_in(groups, self.0.path(), &self.0.path().join("vmstat"))
        }
    }

    #[test]
    fn the_smallest_limit_above_this_process_counts() {
        let kernel = Kernel::new("a/b/memory.events");
        let limit = |groups: &str| {
            let limit = memory_limit_in(groups, kernel.0.path(), "MemTotal:  4096 kB\n").unwrap();
            (limit.bytes, limit.said_by)
        };
        let machine = (4096 * 1024, "of the machine");
        assert_eq!(limit("0::/a/b\n"), machine);
        std::fs::write(kernel.0.path().join("a/b/memory.max"), "max\n").unwrap();
        assert_eq!(limit("0::/a/b\n"), machine);
        std::fs::write(kernel.0.path().join("a/memory.max"), "1048576\n").unwrap();
        let group = (1 << 20, "the limit of the control group");
        assert_eq!(limit("0::/a/b\n"), group);
        std::fs::write(kernel.0.path().join("a/b/memory.max"), "2097152\n").unwrap();
        assert_eq!(limit("0::/a/b\n"), group);
        assert_eq!(limit("0::/elsewhere\n"), machine);
        let old = kernel.0.path().join("memory");
        std::fs::create_dir(&old).unwrap();
        std::fs::write(old.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(limit("4:memory:/x\n"), machine);
        assert_eq!(memory_limit_in("", kernel.0.path(), ""), None);
    }

    #[test]
    fn a_rising_container_counter_is_evidence() {
        for (counter, groups) in [
            ("a/b/memory.events", "0::/a/b\n"),
            ("memory.events", "0::/not/visible/here\n"),
            (
                "memory/x/memory.oom_control",
                "4:cpu,memory:/x\n1:cpu:/\n0::/\n",
            ),
        ] {
            let kernel = Kernel::new(counter);
            let before = kernel.read(groups);
            assert_eq!(before.evidence(killed(), b""), None, "{counter}");
            kernel.set(counter, 5);
            let path = kernel.0.path().join(counter);
            let evidence = Some(MemoryEvidence::ContainerLimit {
                counter: path,
                kills: 2,
            });
            assert_eq!(before.evidence(killed(), b""), evidence);
            // A killed grandchild makes the program fail in its own way.
            assert_eq!(before.evidence(failed(), b""), evidence);
            assert_eq!(before.evidence(ExitStatus::from_raw(0), b""), None);
        }
    }

    #[test]
    fn the_machines_counter_needs_a_kill() {
        let kernel = Kernel::new("memory.events");
        let before = kernel.read("0::/");
        kernel.set("vmstat", 8);
        assert_eq!(
            before.evidence(killed(), b""),
            Some(MemoryEvidence::MachineFull { kills: 1 })
        );
        assert_eq!(before.evidence(failed(), b""), None);
        let segfault = ExitStatus::from_raw(11);
        assert_eq!(before.evidence(segfault, b""), None);
    }

    #[test]
    fn a_kill_where_nothing_can_be_read_is_suspect() {
        let none = KillCounters::default();
        assert_eq!(
            none.evidence(killed(), b""),
            Some(MemoryEvidence::KilledWithoutCounters)
        );
        assert_eq!(none.evidence(ExitStatus::from_raw(15), b""), None);
    }

    #[test]
    fn words_count_of_failed_programs_only() {
        let none = KillCounters::default();
        for words in [&b"MemoryError\n"[..], b"ERROR:    Out of memory.\n"] {
            let evidence = none.evidence(failed(), words).map(|e| e.exit_code());
            assert_eq!(evidence, Some(ExitCode::ProgramMemory));
            assert_eq!(none.evidence(ExitStatus::from_raw(0), words), None);
        }
    }
}
