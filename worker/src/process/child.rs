//! One child process in a process group of its own: started, watched, stopped and reaped. The
//! group's leader, its [`GroupLeader`], is reaped last, after everything else in it has been killed. Reading
//! the child's output is left to `program`.

use super::leader::GroupLeader;
use super::metrics::Usage;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A running process group.
#[derive(Debug)]
pub(super) struct Group {
    number: Pid,
    /// Resolves when the child has ended (it is not reaped yet).
    ended: oneshot::Receiver<()>,
    /// Dropped or used: the thread may kill what is left of the group and reap the child.
    release: Option<mpsc::Sender<()>>,
    reaped: oneshot::Receiver<io::Result<Reaped>>,
}

/// How the child ended and what it used.
#[derive(Debug)]
pub(super) struct Reaped {
    pub(super) status: ExitStatus,
    pub(super) usage: Usage,
}

impl Group {
    /// Starts `command` in a new group, watched by a thread of its own.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let leader = GroupLeader::start();
        // Without a leader the child leads the group itself.
        let group = leader.as_ref().map(|leader| leader.group);
        let mut child = command
            .process_group(group.map_or(0, |group| group.as_raw_nonzero().get()))
            .spawn()?;
        // The command holds our copies of the pipe's writing end.
        drop(command);
        let pid = Pid::from_child(&child);
        let number = group.unwrap_or(pid);
        let (ended_tx, ended) = oneshot::channel();
        let (release, release_rx) = mpsc::channel();
        let (reaped_tx, reaped) = oneshot::channel();
        let watched = std::thread::Builder::new()
            .name("reaper".to_owned())
            .spawn(move || {
                wait_until_ended(pid);
                let _ = ended_tx.send(());
                // An error means that nobody is interested any more: reap all the same.
                let _ = release_rx.recv();
                signal(number, Signal::KILL);
                let reaped = reap(pid);
                drop(leader);
                let _ = reaped_tx.send(reaped);
            });
        if let Err(error) = watched {
            signal(number, Signal::KILL);
            let _ = child.wait();
            return Err(error);
        }
        Ok(Self {
            number,
            ended,
            release: Some(release),
            reaped,
        })
    }

    /// Sends a signal to all processes of the group.
    fn signal(&self, which: Signal) {
        signal(self.number, which);
    }

    /// Asks the group to end, and kills it where the child has not ended after `grace`.
    pub(super) async fn stop(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        // A stopped process cannot act on the signal.
        self.signal(Signal::CONT);
        if !self.ended_within(grace).await {
            self.signal(Signal::KILL);
        }
    }

    /// Waits until the child has ended, at most `patience`; says whether it has.
    pub(super) async fn ended_within(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.ended()).await.is_ok()
    }

    /// Waits until the child has ended.
    pub(super) async fn ended(&mut self) {
        if !self.ended.is_terminated() {
            // An error would mean that the thread is gone, and with it the child.
            let _ = (&mut self.ended).await;
        }
    }

    /// Kills what is left of the group and reaps the child.
    pub(super) async fn reap(mut self) -> io::Result<Reaped> {
        if let Some(release) = self.release.take() {
            let _ = release.send(());
        }
        (&mut self.reaped)
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for it is gone")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not reaped: the run was given up. The thread reaps the child once it is dead.
        if self.release.is_some() {
            self.signal(Signal::KILL);
        }
    }
}

fn signal(group: Pid, which: Signal) {
    // It fails only when no process of the group is left.
    let _ = rustix::process::kill_process_group(group, which);
}

fn wait_until_ended(child: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(child), options) {}
}

/// Reaps an ended child with its resource usage, which neither `std` nor `rustix` give.
fn reap(child: Pid) -> io::Result<Reaped> {
    let mut status: libc::c_int = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        #[allow(
            unsafe_code,
            reason = "wait4 is the only call that gives one child's usage"
        )]
        // SAFETY: both pointers are to live, writable variables of the types wait4 fills.
        let answer = unsafe {
            libc::wait4(
                child.as_raw_nonzero().get(),
                &raw mut status,
                0,
                usage.as_mut_ptr(),
            )
        };
        if answer >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    #[allow(
        unsafe_code,
        reason = "wait4 is the only call that gives one child's usage"
    )]
    // SAFETY: the struct is plain integers, was zeroed, and wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    Ok(Reaped {
        status: ExitStatus::from_raw(status),
        usage: Usage::from(&usage),
    })
}

impl From<&libc::rusage> for Usage {
    fn from(raw: &libc::rusage) -> Self {
        let time = |value: &libc::timeval| {
            Duration::from_secs(count(value.tv_sec)) + Duration::from_micros(count(value.tv_usec))
        };
        Self {
            user: time(&raw.ru_utime),
            system: time(&raw.ru_stime),
            peak_kib: count(raw.ru_maxrss),
            major_faults: count(raw.ru_majflt),
            minor_faults: count(raw.ru_minflt),
            voluntary_switches: count(raw.ru_nvcsw),
            involuntary_switches: count(raw.ru_nivcsw),
            blocks_in: count(raw.ru_inblock),
            blocks_out: count(raw.ru_oublock),
        }
    }
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
