//! The worker's own memory.

/// The most memory this process has held at once, in KiB; none where the system does not say.
///
/// Source: `VmHWM` in `proc(5)`'s `/proc/pid/status`.
pub fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_used_some_memory() {
        assert!(super::peak_memory_kib().is_some_and(|kib| kib > 100));
    }
}
