//! The lines of an image's history, as BuildKit writes them (`commitToHistory` and its callers in `convert.go`).
//!
//! Other programs read them: scanners, and people who ask what a layer is.

use std::collections::BTreeSet;

/// A list as Go's `%q` writes it.
pub fn quoted_list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", quoted.join(" "))
}

/// A text as Go's `%q` writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ => quoted += &escaped(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A letter as Go's quoting writes it, where it is no quote.
fn escaped(letter: char) -> String {
    match letter {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        letter if (letter as u32) < 0x20 || letter == '\u{7f}' => format!("\\x{:02x}", letter as u32),
        letter if letter.is_control() => format!("\\u{:04x}", letter as u32),
        letter => letter.to_string(),
    }
}

/// A number as Go's `%q` writes it: as a letter.
pub fn quoted_number(number: i64) -> String {
    match u32::try_from(number).ok().and_then(char::from_u32) {
        Some('\'') => "'\\''".to_owned(),
        Some('\\') => "'\\\\'".to_owned(),
        Some(letter) => format!("'{}'", escaped(letter)),
        None => "'\u{fffd}'".to_owned(),
    }
}

/// A time in nanoseconds as Go's `time.Duration` writes it.
pub fn duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let rest = format!("{:0width$}", value % unit, width = unit.ilog10() as usize);
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() { (value / unit).to_string() } else { format!("{}.{rest}", value / unit) }
    };
    const SECOND: u64 = 1_000_000_000;
    let text = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(total, 1_000)),
        1_000_000..SECOND => format!("{}ms", fraction(total, 1_000_000)),
        _ => {
            let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
            let seconds = format!("{}s", fraction(rest, SECOND));
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// `EXPOSE`: the ports as Go writes a set of them.
pub fn ports(ports: &BTreeSet<String>) -> String {
    let ports: Vec<String> = ports.iter().map(|port| format!("{port}:{{}}")).collect();
    format!("map[{}]", ports.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_go_writes_them() {
        let words = ["a b", "\t\"q\"", "\u{1}\u{7f}", "é"].map(str::to_owned);
        assert_eq!(quoted_list(&words), r#"["a b" "\t\"q\"" "\x01\x7f" "é"]"#);
        assert_eq!([0, 5, 9, 65, 39].map(quoted_number), [r"'\x00'", r"'\x05'", r"'\t'", "'A'", r"'\''"]);
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (5_000_000_000, "5s"),
            (100_000_000, "100ms"),
            (1_500_000, "1.5ms"),
            (300_000_000_000, "5m0s"),
            (3_723_500_000_000, "1h2m3.5s"),
            (90_000_000_000, "1m30s"),
            (1_500, "1.5µs"),
        ] {
            assert_eq!(duration(nanoseconds), expected);
        }
    }
}
