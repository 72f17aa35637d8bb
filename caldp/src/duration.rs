//! Lengths of time as people read them.

/// Seconds as hours and minutes, or minutes and seconds.
pub(crate) fn duration(seconds: f64) -> String {
    let (hours, minutes) = ((seconds / 3600.0).floor(), (seconds / 60.0).floor());
    if hours >= 1.0 {
        format!("{hours:.0} h {:.0} min", (seconds % 3600.0 / 60.0).floor())
    } else if minutes >= 1.0 {
        format!("{minutes:.0} min {:.0} s", (seconds % 60.0).floor())
    } else {
        format!("{seconds:.0} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_two_units_at_most() {
        assert_eq!(
            [59.0, 61.0, 3600.0, 7_260.0, 172_800.0].map(duration),
            ["59 s", "1 min 1 s", "1 h 0 min", "2 h 1 min", "48 h 0 min"]
        );
    }
}
