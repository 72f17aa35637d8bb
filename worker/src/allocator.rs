//! What the allocator keeps while large blocks are packed and uploaded.

/// The size from which a block is memory of its own, in bytes: less than anything that compression
/// needs for a block of an archive.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BLOCK: std::ffi::c_int = 256 << 10;

/// Has freed blocks of 256 KiB and more given back to the system at once; for the whole program.
///
/// Else glibc, once such a block has been freed, keeps the next ones in the arenas of its threads:
/// packing 2 GiB held 52 to 106 MiB without this. What only downloads is better off as it was, since the
/// buffers of its connections would be mapped anew for each read.
pub(crate) fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[allow(unsafe_code, reason = "glibc has no other way to be told from within")]
        // SAFETY: it sets a number in the allocator, which locks what it changes.
        let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK) };
        debug_assert_eq!(set, 1);
    }
}
