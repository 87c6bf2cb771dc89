//! The symbolic links that an archive brought, so that names which go through one of them find their place.
//!
//! BuildKit unpacks into a folder, where a name's parents may be links of the same archive: `lib` → `usr/lib`
//! and then `lib/x` is `usr/lib/x`. An entry of a layer has no link among its parents, so they are followed
//! here, as BuildKit does: inside the folder, an absolute target from its top, and out of it is an error.
//! Links that lie in the folder already are not known here.

use std::collections::BTreeMap;

use super::entry_name::NameError;

/// As many links are followed for one name as Linux follows, and BuildKit with 255.
const MOST_LINKS: usize = 255;

/// Links by their place.
#[derive(Default)]
pub struct SeenLinks(BTreeMap<Vec<u8>, Box<[u8]>>);

impl SeenLinks {
    /// Where the entry `parts` lies; links among its parents are followed, it itself is not.
    ///
    /// # Errors
    /// A link leads out, or in circles.
    pub fn place(&self, parts: &[&[u8]]) -> Result<Vec<u8>, NameError> {
        let outside = || NameError::Outside(String::from_utf8_lossy(&parts.join(&b'/')).into_owned());
        let mut place: Vec<u8> = Vec::new();
        let mut rest: Vec<&[u8]> = parts.iter().rev().copied().collect();
        let mut followed = 0;
        while let Some(part) = rest.pop() {
            match part {
                b"" | b"." => continue,
                b".." if place.is_empty() => return Err(outside()),
                b".." => {
                    place.truncate(place.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let parent = place.len();
            if parent > 0 {
                place.push(b'/');
            }
            place.extend_from_slice(part);
            let link = if rest.is_empty() { None } else { self.0.get(&place) };
            if let Some(target) = link {
                followed += 1;
                if followed > MOST_LINKS {
                    return Err(outside());
                }
                place.truncate(if target.starts_with(b"/") { 0 } else { parent });
                rest.extend(target.rsplit(|byte| *byte == b'/'));
            }
        }
        Ok(place)
    }

    /// Remembers that a link lies at `place`.
    pub fn insert(&mut self, place: &[u8], target: &[u8]) {
        self.0.insert(place.to_vec(), target.into());
    }

    /// Forgets what an entry at `place` replaces: a folder replaces a link, anything else a folder too.
    pub fn replace(&mut self, place: &[u8], with_folder: bool) {
        self.0.remove(place);
        if with_folder || self.0.is_empty() {
            return;
        }
        let inside = [place, b"/"].concat();
        let after = [place, b"0"].concat();
        let gone: Vec<Vec<u8>> = self.0.range(inside..after).map(|(place, _)| place.clone()).collect();
        for place in gone {
            self.0.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(links: &[(&str, &str)], name: &str, expected: Option<&str>) {
        let mut seen = SeenLinks::default();
        links.iter().for_each(|(place, target)| seen.insert(place.as_bytes(), target.as_bytes()));
        let parts: Vec<&[u8]> = name.as_bytes().split(|byte| *byte == b'/').collect();
        let found = seen.place(&parts).ok().map(|place| String::from_utf8(place).unwrap());
        assert_eq!(found.as_deref(), expected, "{name}");
    }

    #[test]
    fn links_are_followed_inside() {
        check(&[("lib", "usr/lib")], "lib/x", Some("usr/lib/x"));
        check(&[("lib", "usr/lib")], "lib", Some("lib"));
        check(&[("lib", "/usr/lib")], "lib/x", Some("usr/lib/x"));
        check(&[("a/b", "../c"), ("c", "d")], "a/b/x", Some("d/x"));
        check(&[("a/b", "..")], "a/b/x", Some("x"));
        check(&[("a", "b"), ("b/c", "/d/.")], "a/c/x", Some("d/x"));
        check(&[("a", "..")], "a/x", None);
        check(&[("a/b", "../../etc")], "a/b/x", None);
        check(&[("a", "b"), ("b", "a")], "a/x", None);
    }

    #[test]
    fn what_is_replaced_is_forgotten() {
        let mut seen = SeenLinks::default();
        ["a", "a/b", "a/c/d", "ab"].iter().for_each(|place| seen.insert(place.as_bytes(), b"t"));
        seen.replace(b"a", true);
        assert_eq!(seen.0.len(), 3);
        seen.replace(b"a", false);
        assert_eq!(seen.0.keys().collect::<Vec<_>>(), [b"ab"]);
    }
}
