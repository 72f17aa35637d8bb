//! The memory that the container holds, looked at now and then while a run is under way.
//!
//! The kernel's own peak counts the page cache, which grows to the limit with any large copy and gives
//! way when memory is needed. What counts is what cannot be given back: the anonymous memory of all
//! processes, shared memory and the kernel's own.

use crate::process::memory::group_folders;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// Version 1 of control groups says this much or more where there is no limit.
const NO_LIMIT: u64 = 1 << 60;

/// Watches the memory of the container for as long as this lives.
#[derive(Debug)]
pub(crate) struct ContainerMemory {
    peak_kib: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl ContainerMemory {
    /// Begins to watch; none where this process is in no container with a limit of its own.
    pub(crate) fn watch() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let folder = limited(group_folders(&groups, Path::new("/sys/fs/cgroup")))?;
        let peak_kib = Arc::new(AtomicU64::new(0));
        let peak = Arc::clone(&peak_kib);
        let watching = tokio::spawn(async move {
            let file = folder.join("memory.stat");
            while let Ok(text) = tokio::fs::read_to_string(&file).await {
                peak.fetch_max(held(&text) / 1024, Ordering::Relaxed);
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Some(Self { peak_kib, watching })
    }

    /// The most that was seen so far, in KiB.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        Some(self.peak_kib.load(Ordering::Relaxed)).filter(|kib| *kib > 0)
    }
}

impl Drop for ContainerMemory {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// The first group with a limit: without one it may hold other things than a run.
fn limited(folders: Vec<PathBuf>) -> Option<PathBuf> {
    folders.into_iter().find(|folder| {
        let limits = ["memory.max", "memory.limit_in_bytes"].iter();
        let limits = limits.filter_map(|file| std::fs::read_to_string(folder.join(file)).ok());
        let mut limits = limits.filter_map(|text| text.trim().parse::<u64>().ok());
        limits.any(|limit| limit < NO_LIMIT)
    })
}

/// The bytes in a `memory.stat` that cannot be given back.
fn held(text: &str) -> u64 {
    let figure = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = lines.find(|(key, _)| *key == name)?;
        value.trim().parse::<u64>().ok()
    };
    let of = |name| figure(name).unwrap_or(0);
    // Version 1 has figures of the group with those below it.
    if let Some(resident) = figure("total_rss") {
        return resident.saturating_add(of("total_shmem"));
    }
    // Kernels before 5.18 do not sum up their own.
    let kernel = figure("kernel").map_or_else(
        || of("kernel_stack") + of("pagetables") + of("slab_unreclaimable"),
        |kernel| kernel.saturating_sub(of("slab_reclaimable")),
    );
    of("anon")
        .saturating_add(of("shmem"))
        .saturating_add(kernel)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_page_cache_does_not_count() {
        let new = "anon 4096\nfile 900000\nkernel 2048\nshmem 1024\nslab_reclaimable 1000\n";
        assert_eq!(held(new), 4096 + 1024 + 1048);
        let older =
            "anon 4096\nfile 900000\nkernel_stack 16\npagetables 32\nslab_unreclaimable 64\n";
        assert_eq!(held(older), 4096 + 112);
        let first = "cache 900000\nrss 1\ntotal_cache 900000\ntotal_rss 8192\ntotal_shmem 10\n";
        assert_eq!(held(first), 8202);
        assert_eq!(held("anon many\n"), 0);
    }

    #[test]
    fn only_a_group_with_a_limit_is_a_container() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(limited(vec![path.clone()]), None);
        for (file, text, is) in [
            ("memory.max", "max\n", false),
            ("memory.max", "4294967296\n", true),
            ("memory.limit_in_bytes", "9223372036854771712\n", false),
            ("memory.limit_in_bytes", "2147483648\n", true),
        ] {
            std::fs::write(path.join(file), text).unwrap();
            assert_eq!(limited(vec![path.clone()]).is_some(), is, "{file} {text}");
            std::fs::remove_file(path.join(file)).unwrap();
        }
    }
}
