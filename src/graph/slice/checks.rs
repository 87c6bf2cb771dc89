//! Values that BuildKit refuses once they are expanded.

use crate::syntax::dockerfile::go_numbers;

/// `--chmod`: octal up to 07777, or symbolic as `chmod` takes it (`dchapes-mode`).
pub(super) fn is_mode(text: &str) -> bool {
    // Go's ParseUint takes more digits than fit in 12 bits, and refuses the value afterwards.
    let octal = u32::from_str_radix(text, 8).ok().filter(|_| !text.starts_with('+'));
    if let Some(mode) = octal {
        return mode <= 0o7777;
    }
    !text.starts_with(|first: char| first.is_ascii_digit()) && is_symbolic_mode(text.as_bytes())
}

/// `[augo]*[-+=][rwxXstugo]*`, several operations in a row, clauses between commas.
fn is_symbolic_mode(mut text: &[u8]) -> bool {
    let skip = |text: &mut &[u8], letters: &[u8]| {
        let count = text.iter().take_while(|letter| letters.contains(letter)).count();
        *text = &text[count..];
    };
    loop {
        skip(&mut text, b"augo");
        if !matches!(text.first(), Some(b'+' | b'-' | b'=')) {
            return false;
        }
        while let Some(b'+' | b'-' | b'=') = text.first() {
            text = &text[1..];
            skip(&mut text, b"rwxXstugo");
            match text.first() {
                None => return true,
                Some(b',') => break,
                Some(_) => {}
            }
        }
        match text.split_first() {
            Some((b',', rest)) => text = rest,
            _ => return false,
        }
    }
}

const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// `STOPSIGNAL`: a number that is not 0, or a name (moby/sys `signal`, Linux).
pub(super) fn is_signal(text: &str) -> bool {
    if let Some(number) = go_numbers::integer(text) {
        return number != 0;
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |prefix: &str, limit: u8| {
        let number = name.strip_prefix(prefix).filter(|number| !number.starts_with(['0', '+']));
        number
            .and_then(|number| number.parse::<u8>().ok())
            .is_some_and(|number| (1..=limit).contains(&number))
    };
    SIGNALS.contains(&name) || real_time("RTMIN+", 15) || real_time("RTMAX-", 14)
}

/// Why a port of `EXPOSE` is refused: `[ip:][host:]port[-port][/proto]`.
pub(super) fn wrong_port(text: &str) -> Option<String> {
    let mut parts = text.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let address = parts.next().unwrap_or_default();
    let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
    if range.is_empty() {
        return Some("no port is given".to_owned());
    }
    if !["", "tcp", "udp", "sctp"].contains(&protocol.to_lowercase().as_str()) {
        return Some(format!("`{protocol}` is not a protocol"));
    }
    if !is_address(address) {
        return Some(format!("`{address}` is not an address"));
    }
    let Some(inside) = port_range(range) else { return Some(format!("`{range}` is not a port")) };
    if host.is_empty() {
        return None;
    }
    match port_range(host) {
        None => Some(format!("`{host}` is not a port")),
        Some(outside) if outside != inside && inside != 0 => {
            Some("the two ranges differ in length".to_owned())
        }
        Some(_) => None,
    }
}

fn is_address(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.is_empty() || bare.parse::<std::net::IpAddr>().is_ok()
}

/// The length of a range of ports, less one.
fn port_range(text: &str) -> Option<i64> {
    let port = |text: &str| go_numbers::integer(text).filter(|port| (0..=65535).contains(port));
    let (start, end) = text.split_once('-').map_or((text, text), |(start, end)| (start, end));
    if start == end {
        return port(start).map(|_| 0);
    }
    let (start, end) = (port(start)?, port(end)?);
    (start <= end).then_some(end - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for right in ["755", "0", "07777", "u+x", "a=rX,g-w", "+x", "u+x-w", "u=g", "go+", "=", "u+rwxst"] {
            assert!(is_mode(right), "{right}");
        }
        for wrong in ["", "8", "10000", "u", "u+x,", "x", "+755", "u+z", "a", "7x", "u,+x"] {
            assert!(!is_mode(wrong), "{wrong}");
        }
    }

    #[test]
    fn signals() {
        for right in ["9", "SIGTERM", "term", "-1", "SIGRTMIN+3", "rtmax-14", "+9"] {
            assert!(is_signal(right), "{right}");
        }
        for wrong in ["", "0", "SIGSIGTERM", "FOO", "RTMIN+16", "RTMIN+01", "RTMAX-15"] {
            assert!(!is_signal(wrong), "{wrong}");
        }
    }

    #[test]
    fn ports() {
        for right in
            ["80", "80/tcp", "80/UDP", "80-90", "127.0.0.1:80:80", "8080:80", "[::1]:1:80", "80-81:80-81"]
        {
            assert_eq!(wrong_port(right), None, "{right}");
        }
        for wrong in ["", "a", "80/x", "65536", "90-80", "1.2.3:1:80", "a:80", "80-82:80-81", "-1", "80-"] {
            assert!(wrong_port(wrong).is_some(), "{wrong}");
        }
    }
}
