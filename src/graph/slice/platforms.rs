//! Platforms as `FROM --platform` takes them (containerd's `platforms.Parse`).

use crate::types::platform::Platform;

/// The operating systems that a word alone can name.
const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

/// The architectures that a word alone can name.
const ARCHITECTURES: [&str; 26] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "i386",
    "x86_64",
];

/// A platform as containerd reads it: an operating system or an architecture alone will do.
pub(super) fn parse(text: &str, build_platform: &Platform) -> Option<Platform> {
    let (system, rest) = text.split_once('/').map_or((text, None), |(system, rest)| (system, Some(rest)));
    let system =
        system.split_once('(').filter(|(_, options)| options.ends_with(')')).map_or(system, |(os, _)| os);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if system.is_empty() || !system.bytes().all(is_name) {
        return None;
    }
    if let Some(rest) = rest {
        return format!("{system}/{rest}").parse().ok();
    }
    let lower =
        if system.eq_ignore_ascii_case("macos") { "darwin".to_owned() } else { system.to_lowercase() };
    if SYSTEMS.contains(&lower.as_str()) {
        return Some(build_platform.with_os(lower));
    }
    let parsed: Platform = format!("linux/{system}").parse().ok()?;
    ARCHITECTURES.contains(&parsed.architecture()).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_may_be_short() {
        let build: Platform = "linux/amd64".parse().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                parse(text, &build).map(|platform| platform.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        check("linux/arm64/v8", Some("linux/arm64"));
        check("linux", Some("linux/amd64"));
        check("arm64", Some("linux/arm64"));
        check("windows(10.0)/amd64", Some("windows/amd64"));
        check("bogus", None);
        check("a/b/c/d", None);
        check("", None);
    }
}
