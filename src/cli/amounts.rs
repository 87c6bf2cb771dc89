//! Amounts as people type them: `20GB`, `14d`.

use std::time::Duration;

/// The units of bytes: those of a thousand and those of 1,024.
const BYTES: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
];
/// The units of time, in seconds.
const TIMES: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// A number of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    amount(&text.to_uppercase(), &BYTES).ok_or_else(|| {
        "expected a whole number of bytes with a unit, such as 500MB, 20GB or 20GiB".to_owned()
    })
}

/// A length of time.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = amount(text, &TIMES);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a whole number with a unit: s, m, h, d or w, such as 12h or 14d".to_owned())
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(bytes(text).ok(), expected, "{text}");
        check("0", Some(0));
        check("20GB", Some(20_000_000_000));
        check("20gb", Some(20_000_000_000));
        check("1GiB", Some(1 << 30));
        check("5kB", Some(5000));
        for wrong in ["", "GB", "-1GB", "1.5GB", "1 GB", "1XB", "99999999999TB", "1GBB"] {
            check(wrong, None);
        }
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text}");
        };
        check("14d", Some(14 * 86_400));
        check("12h", Some(12 * 3600));
        check("0s", Some(0));
        check("2w", Some(14 * 86_400));
        for wrong in ["", "14", "d", "14D", "1h30m", "-1d", "99999999999999999999d"] {
            check(wrong, None);
        }
    }
}
