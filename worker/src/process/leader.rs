//! The leader of one process group: a process of its own that ends the group when this one is gone,
//! however it went. A killed run would otherwise leave its program at work, for hours and for no
//! one. (The kernel can be asked to kill a child with its parent, but not the child's children, nor
//! does it mean the parent: it means the thread that started the child.)
//!
//! It is there before the program, which is born into the group: at
//! no moment does it run unwatched. While it is not reaped the group's number cannot be given
//! to another, so no signal can hit a stranger.

use rustix::process::Pid;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which comes when nobody is left who could write to it; no one
/// ever does. What tells the program to end is not meant for it.
const SCRIPT: &str = "trap '' TERM INT HUP; read -r _; kill -s KILL 0";

/// A leader and its process group. Dropped, it is ended and reaped; the rest of the group stays as
/// it is.
#[derive(Debug)]
pub(super) struct GroupLeader {
    child: Child,
    /// The number of its group, its own.
    pub(super) group: Pid,
}

impl GroupLeader {
    /// The leader of a new group. Where there can be none, programs run unwatched.
    pub(super) fn start() -> Option<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT])
            .env_clear()
            // Not in a directory that is to be removed.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self {
                group: Pid::from_child(&child),
                child,
            }),
            Err(error) => {
                tracing::warn!(
                    "programs would outlive this run if it were killed: /bin/sh: {error}"
                );
                None
            }
        }
    }
}

impl Drop for GroupLeader {
    fn drop(&mut self) {
        // Killed first: waiting for it closes its input. Both fail only when it is gone already.
        let _: io::Result<()> = self.child.kill();
        let _ = self.child.wait();
    }
}
