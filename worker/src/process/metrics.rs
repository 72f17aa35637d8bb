//! What a program cost: times, memory, faults and context switches, as `wait4` reports them,
//! written in the keys of GNU `time --verbose`. Operators' tools read that text by line number
//! (elapsed time on the fifth line, peak memory on the tenth, status on the last), so a report
//! of a successful run is exactly those 23 lines.

use caldp_core::exit_code::ExitCode;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

/// Resources used by one program and the descendants it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time spent in the program.
    pub user: Duration,
    /// Processor time spent in the kernel on its behalf.
    pub system: Duration,
    /// Peak resident set of the largest process, in KiB. Never below what the parent held when
    /// it started the program: Linux counts the moments between fork and exec.
    pub peak_kib: u64,
    /// Page faults that needed input.
    pub major_faults: u64,
    /// Page faults that did not.
    pub minor_faults: u64,
    /// Context switches because the program waited.
    pub voluntary_switches: u64,
    /// Context switches because its time slice ended.
    pub involuntary_switches: u64,
    /// Blocks read from file systems, in units of 512 bytes.
    pub blocks_in: u64,
    /// Blocks written to file systems, in units of 512 bytes.
    pub blocks_out: u64,
}

/// What one program, or a sequence of them, cost and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// The command line, words joined by spaces.
    pub command: String,
    /// Time from start to end.
    pub elapsed: Duration,
    /// Resources used.
    pub usage: Usage,
    /// How it ended.
    pub status: ExitStatus,
}

impl Metrics {
    /// The costs of programs that ran one after another, under one name: times and counts add
    /// up, peak memory is the largest. The status is the step's, not the last program's: readers
    /// take anything but 0 for a failed dataset, and some statuses are none.
    pub fn total<'a>(
        command: &str,
        code: ExitCode,
        parts: impl IntoIterator<Item = &'a Metrics>,
    ) -> Metrics {
        let mut sum = Metrics {
            command: command.to_owned(),
            elapsed: Duration::ZERO,
            usage: Usage::default(),
            status: ExitStatus::from_raw(i32::from(code.number()) << 8),
        };
        for part in parts {
            sum.elapsed = sum.elapsed.saturating_add(part.elapsed);
            sum.usage = sum.usage.and(&part.usage);
        }
        sum
    }

    /// The costs of something this process did itself; its processor time is not told apart from
    /// the rest of the run's and stays zero.
    pub fn of_own_work(command: &str, elapsed: Duration, peak_kib: Option<u64>) -> Metrics {
        Metrics {
            command: command.to_owned(),
            elapsed,
            usage: Usage {
                peak_kib: peak_kib.unwrap_or_default(),
                ..Usage::default()
            },
            status: ExitStatus::default(),
        }
    }

    /// The report in the form of GNU `time --verbose`.
    pub fn render(&self) -> String {
        let Usage {
            user,
            system,
            peak_kib,
            major_faults,
            minor_faults,
            voluntary_switches,
            involuntary_switches,
            blocks_in,
            blocks_out,
        } = self.usage;
        let mut text = String::new();
        if let Some(signal) = self.status.signal() {
            let _ = writeln!(text, "Command terminated by signal {signal}");
        } else if let Some(code @ 1..) = self.status.code() {
            let _ = writeln!(text, "Command exited with non-zero status {code}");
        }
        let mut line = |key: &str, value: String| {
            let _ = writeln!(text, "\t{key}: {value}");
        };
        line("Command being timed", format!("\"{}\"", self.command));
        line("User time (seconds)", seconds(user));
        line("System time (seconds)", seconds(system));
        line("Percent of CPU this job got", self.percent());
        line(
            "Elapsed (wall clock) time (h:mm:ss or m:ss)",
            clock(self.elapsed),
        );
        // Linux counts none of the averages, swaps, sockets or signals: time prints 0 as well.
        line("Average shared text size (kbytes)", 0.to_string());
        line("Average unshared data size (kbytes)", 0.to_string());
        line("Average stack size (kbytes)", 0.to_string());
        line("Average total size (kbytes)", 0.to_string());
        line("Maximum resident set size (kbytes)", peak_kib.to_string());
        line("Average resident set size (kbytes)", 0.to_string());
        line(
            "Major (requiring I/O) page faults",
            major_faults.to_string(),
        );
        line(
            "Minor (reclaiming a frame) page faults",
            minor_faults.to_string(),
        );
        line("Voluntary context switches", voluntary_switches.to_string());
        line(
            "Involuntary context switches",
            involuntary_switches.to_string(),
        );
        line("Swaps", 0.to_string());
        line("File system inputs", blocks_in.to_string());
        line("File system outputs", blocks_out.to_string());
        line("Socket messages sent", 0.to_string());
        line("Socket messages received", 0.to_string());
        line("Signals delivered", 0.to_string());
        line("Page size (bytes)", rustix::param::page_size().to_string());
        line(
            "Exit status",
            self.status
                .code()
                .or(self.status.signal())
                .unwrap_or_default()
                .to_string(),
        );
        text
    }

    fn percent(&self) -> String {
        let used = self.usage.user.saturating_add(self.usage.system);
        match (used.as_micros() * 100).checked_div(self.elapsed.as_micros()) {
            Some(percent) => format!("{percent}%"),
            None => "?%".to_owned(),
        }
    }
}

impl Usage {
    fn and(&self, other: &Usage) -> Usage {
        Usage {
            user: self.user.saturating_add(other.user),
            system: self.system.saturating_add(other.system),
            peak_kib: self.peak_kib.max(other.peak_kib),
            major_faults: self.major_faults.saturating_add(other.major_faults),
            minor_faults: self.minor_faults.saturating_add(other.minor_faults),
            voluntary_switches: self
                .voluntary_switches
                .saturating_add(other.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_add(other.involuntary_switches),
            blocks_in: self.blocks_in.saturating_add(other.blocks_in),
            blocks_out: self.blocks_out.saturating_add(other.blocks_out),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:02}", time.as_secs(), time.subsec_millis() / 10)
}

fn clock(time: Duration) -> String {
    let (hours, minutes, seconds) = (
        time.as_secs() / 3600,
        time.as_secs() / 60 % 60,
        time.as_secs() % 60,
    );
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}.{:02}", time.subsec_millis() / 10)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn example(status: i32) -> Metrics {
        Metrics {
            command: "calacs.e j8cb010b0_asn.fits".into(),
            elapsed: Duration::from_millis(92_790),
            usage: Usage {
                user: Duration::from_millis(80_456),
                system: Duration::from_millis(10_009),
                peak_kib: 423_876,
                major_faults: 1,
                minor_faults: 2,
                voluntary_switches: 3,
                involuntary_switches: 4,
                blocks_in: 5,
                blocks_out: 6,
            },
            status: ExitStatus::from_raw(status),
        }
    }

    #[test]
    fn a_success_has_the_lines_where_readers_count_them() {
        let text = example(0).render();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 23);
        assert_eq!(
            lines[0],
            "\tCommand being timed: \"calacs.e j8cb010b0_asn.fits\""
        );
        assert_eq!(lines[1], "\tUser time (seconds): 80.45");
        assert_eq!(lines[3], "\tPercent of CPU this job got: 97%");
        assert_eq!(
            lines[4],
            "\tElapsed (wall clock) time (h:mm:ss or m:ss): 1:32.79"
        );
        assert_eq!(lines[9], "\tMaximum resident set size (kbytes): 423876");
        assert_eq!(lines[22], "\tExit status: 0");
    }

    #[test]
    fn failures_say_so_on_the_first_line() {
        let failed = example(23 << 8).render();
        assert!(failed.starts_with("Command exited with non-zero status 23\n\tCommand being"));
        assert!(failed.ends_with("\tExit status: 23\n"));
        let killed = example(9).render();
        assert!(killed.starts_with("Command terminated by signal 9\n\tCommand being"));
        assert!(killed.ends_with("\tExit status: 9\n"));
    }

    #[test]
    fn the_clock_changes_form_after_an_hour() {
        assert_eq!(clock(Duration::from_millis(59_999)), "0:59.99");
        assert_eq!(clock(Duration::from_secs(3_599)), "59:59.00");
        assert_eq!(clock(Duration::from_secs(36_061)), "10:01:01");
    }

    #[test]
    fn totals_add_times_and_keep_the_largest_memory() {
        let mut small = example(0);
        small.usage.peak_kib = 10;
        let tolerated = example(5 << 8);
        let total = Metrics::total("all", ExitCode::Ok, [&tolerated, &small]);
        assert!(total.render().ends_with("\tExit status: 0\n"));
        assert!(total.render().starts_with("\tCommand being timed"));
        let failed = Metrics::total("all", ExitCode::Stage1, [&small]);
        assert!(failed.render().ends_with("\tExit status: 23\n"));
        assert_eq!(total.elapsed, Duration::from_millis(185_580));
        assert_eq!(total.usage.peak_kib, 423_876);
        assert_eq!(total.usage.minor_faults, 4);
    }

    #[test]
    fn the_keys_are_those_of_gnu_time() {
        let Ok(output) = std::process::Command::new("/usr/bin/time")
            .args(["--verbose", "true"])
            .output()
        else {
            eprintln!("left out: /usr/bin/time is not installed, its keys cannot be compared");
            return;
        };
        let keys = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.rsplit_once(": ").unwrap().0.to_owned())
                .collect()
        };
        assert_eq!(
            keys(&example(0).render()),
            keys(&String::from_utf8(output.stderr).unwrap())
        );
    }
}
