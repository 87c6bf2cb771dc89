//! Numbers, truth values, durations and sizes as Go's `strconv`, `time` and `go-units` read them.
//!
//! Whether a value is refused depends on their rules, so they are followed to the letter.

/// `strconv.ParseBool`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `strconv.ParseUint` with 32 bits.
pub fn unsigned(text: &str, radix: u32) -> Option<u32> {
    let is_number = text.chars().all(|letter| letter.is_digit(radix));
    is_number.then(|| u32::from_str_radix(text, radix).ok()).flatten()
}

/// `strconv.Atoi`.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `time.ParseDuration`, in nanoseconds.
pub fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (part, after) = duration_part(rest)?;
        total += part;
        rest = after;
    }
    let limit = if sign < 0 { 1_i128 << 63 } else { (1_i128 << 63) - 1 };
    (total <= limit).then_some(sign * total)
}

fn duration_part(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let length = rest.find(|letter: char| letter == '.' || letter.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(length);
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: i128 = if whole.is_empty() { 0 } else { i128::from(whole.parse::<u64>().ok()?) };
    let shown = &fraction[..fraction.len().min(18)];
    let part: i128 = if shown.is_empty() { 0 } else { shown.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(shown.len()).ok()?);
    Some((whole.checked_mul(unit)? + part * unit / scale, rest))
}

/// `units.RAMInBytes`, in bytes.
pub fn size(text: &str) -> Option<u64> {
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == ' ';
    let at = text.rfind(is_number)?;
    let number = if text.as_bytes()[at] == b' ' { &text[..at] } else { &text[..=at] };
    let is_finite = |size: &f64| size.is_finite() && *size >= 0.0;
    let size = number.parse::<f64>().ok().filter(is_finite);
    let unit = text[at + 1..].to_lowercase();
    let power = match unit.as_bytes() {
        [] | [b'b'] => 0,
        [first] | [first, b'b'] | [first, b'i', b'b'] => {
            1 + b"kmgtp".iter().position(|letter| letter == first)?
        }
        _ => return None,
    };
    // A size that does not fit is the largest: conversion of floating numbers saturates.
    size.map(|size| (size * 1024_f64.powi(i32::try_from(power).unwrap_or(0))) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_go_reads_them() {
        assert_eq!(duration("1h2m3.5s"), Some(3_723_500_000_000));
        assert_eq!(duration("-1s"), Some(-1_000_000_000));
        assert_eq!(duration("0"), Some(0));
        assert_eq!(duration(".5ms"), Some(500_000));
        for wrong in ["", "1", "s", "1x", "-", "1s2", "9999999999h", "1 s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(unsigned("0755", 8), Some(0o755));
        assert_eq!(unsigned("+1", 10), None);
        assert_eq!(unsigned("", 10), None);
        assert_eq!(unsigned("9", 8), None);
        for right in ["1", "1k", "1.5 GB", "2gib", "0"] {
            assert!(size(right).is_some(), "{right}");
        }
        for wrong in ["", "k", "1x", "1kbb", "-1", "1 k b"] {
            assert!(size(wrong).is_none(), "{wrong}");
        }
    }
}
