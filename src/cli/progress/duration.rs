//! Durations as people read them: as exact as is of use at their length.

/// `seconds` in at most three figures: `0.04s`, `3.2s`, `48s`, `2m05s`, `1h02m`.
pub(crate) fn shown(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match seconds {
        _ if whole >= 3600 => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
        _ if whole >= 60 => format!("{}m{:02}s", whole / 60, whole % 60),
        seconds if seconds >= 9.95 => format!("{whole}s"),
        seconds if seconds >= 0.995 => format!("{seconds:.1}s"),
        seconds => format!("{:.2}s", seconds.max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn durations_keep_what_is_of_use() {
        let cases = [
            (0.0, "0.00s"),
            (0.044, "0.04s"),
            (0.999, "1.0s"),
            (3.21, "3.2s"),
            (9.96, "10s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (125.0, "2m05s"),
            (3720.0, "1h02m"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(shown(seconds), expected, "{seconds}");
        }
    }
}
