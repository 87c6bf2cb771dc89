//! Paths with links, resolved inside a root.

use super::view;

const ROOT: &[&str] = &[
    "folder usr/bin",
    "link bin usr/bin",
    "file usr/bin/sh x",
    "link usr/bin/bash sh",
    "link usr/bin/out ../../../../etc",
    "folder etc",
    "link etc/up ..",
    "link etc/usr /usr",
    "link loop1 loop2",
    "link loop2 loop1",
    "link dangling nowhere/at/all",
    "link self self/x",
];

/// Where `path` leads: the existing part, `|`, and what is not there; or the error.
fn check(path: &str, follow_last: bool, expected: &str) {
    let view = view(&[ROOT]);
    let found = match view.resolve(path.as_bytes(), follow_last) {
        Ok(resolved) => {
            assert_eq!(resolved.is_there(), resolved.rest.is_empty());
            let existing = view.lookup(&resolved.existing).unwrap();
            assert_eq!(existing.entry(b""), resolved.found.entry(b""), "{path}");
            let parts = [&*resolved.existing, &*resolved.rest].map(String::from_utf8_lossy);
            parts.join("|")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{path}");
}

#[test]
fn paths_lead_where_links_lead() {
    check("", true, "|");
    check("/", true, "|");
    check("bin/sh", true, "usr/bin/sh|");
    check("/bin/./bash", true, "usr/bin/sh|");
    check("bin/bash", false, "usr/bin/bash|");
    check("bin", false, "bin|");
    check("bin/", false, "usr/bin|");
    check("../../bin/../..", true, "|");
    check("bin/out/usr/bin", true, "usr/bin|");
    check("etc/up/etc/up/bin", true, "usr/bin|");
}

#[test]
fn what_is_not_there_is_what_is_left() {
    check("bin/x/y", true, "usr/bin|x/y");
    check("x/../bin", true, "usr/bin|");
    check("x/y/../z", true, "|x/z");
    check("dangling", true, "|nowhere/at/all");
    check("dangling", false, "dangling|");
    check("dangling/..", true, "|nowhere/at");
}

#[test]
fn what_leads_nowhere_is_an_error() {
    check("loop1", true, "`loop1` leads through too many symbolic links");
    check("loop1", false, "loop1|");
    check("self", true, "`self` leads through too many symbolic links");
    check("bin/sh/x", true, "`/usr/bin/sh` is not a folder");
    check("etc/usr/bin/sh/x/y", true, "`/usr/bin/sh` is not a folder");
}
