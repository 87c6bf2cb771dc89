//! What patterns match. The answers are those of moby/patternmatcher.

use super::*;

fn path(text: &str) -> WorkspacePath {
    text.split('/').fold(WorkspacePath::root(), |path, name| path.join_name(name.as_bytes()))
}

/// Checks which of `paths` match; `None`: a pattern is an error when it is used.
fn check(patterns: &[&str], paths: &[&str], expected: Option<&[&str]>) {
    let compiled = PathPatterns::new(patterns).unwrap();
    let matches = |text: &&str| compiled.matches_or_parent(&path(text));
    let found: Result<Vec<bool>, PatternError> = paths.iter().map(matches).collect();
    let found = found.ok().map(|found| {
        paths.iter().zip(found).filter(|(_, matched)| *matched).map(|(path, _)| *path).collect::<Vec<_>>()
    });
    assert_eq!(found.as_deref(), expected, "{patterns:?}");
}

const TREE: &[&str] = &["a", "a/b", "a/b/c", "ab", "b", "b/a", "x.md", "a/x.md"];

#[test]
fn plain_patterns_begin_at_the_root_and_take_what_is_inside() {
    check(&["a"], TREE, Some(&["a", "a/b", "a/b/c", "a/x.md"]));
    check(&["a/b/"], TREE, Some(&["a/b", "a/b/c"]));
    check(&["b/../ab"], TREE, Some(&["ab"]));
    check(&["/a"], TREE, Some(&[]));
    check(&[" ab "], TREE, Some(&["ab"]));
    check(&["", " "], TREE, Some(&[]));
    check(&["A"], TREE, Some(&[]));
}

#[test]
fn stars_stop_at_slashes_and_pairs_of_stars_do_not() {
    check(&["*.md"], TREE, Some(&["x.md"]));
    check(&["**/*.md"], TREE, Some(&["x.md", "a/x.md"]));
    check(&["*"], TREE, Some(TREE));
    check(&["a/*"], TREE, Some(&["a/b", "a/b/c", "a/x.md"]));
    check(&["a/**"], TREE, Some(&["a/b", "a/b/c", "a/x.md"]));
    check(&["**"], TREE, Some(TREE));
    check(&["**/b"], TREE, Some(&["a/b", "a/b/c", "b", "b/a"]));
    check(&["**b"], TREE, Some(&["a/b", "a/b/c", "ab", "b", "b/a"]));
    check(&["a**"], TREE, Some(&["a", "a/b", "a/b/c", "ab", "a/x.md"]));
    check(&["a/**/c"], TREE, Some(&["a/b/c"]));
    check(&["a/**/b"], TREE, Some(&["a/b", "a/b/c"]));
    check(&["?"], TREE, Some(&["a", "a/b", "a/b/c", "b", "b/a", "a/x.md"]));
    check(&["?/?"], TREE, Some(&["a/b", "a/b/c", "b/a"]));
}

#[test]
fn the_last_match_wins() {
    check(&["a", "!a/b"], TREE, Some(&["a", "a/x.md"]));
    check(&["!a/b", "a"], TREE, Some(&["a", "a/b", "a/b/c", "a/x.md"]));
    check(&["a", "!a/b", "a/b/c"], TREE, Some(&["a", "a/b/c", "a/x.md"]));
    // The exception is not asked for `a`, which nothing matched, and is not remembered for `a/b`.
    check(&["a/b", "!a"], TREE, Some(&["a/b", "a/b/c"]));
}

#[test]
fn escapes_and_classes_are_those_of_the_expression_language() {
    let names = &["a", "b", "-", "!", "1", "é", "*", "[x]", "^a", "a|b", "{a}", "aa", "d", "]", "\\"];
    check(&["[ab]"], names, Some(&["a", "b"]));
    check(&["[^ab]"], names, Some(&["-", "!", "1", "é", "*", "d", "]", "\\"]));
    check(&["[!a]"], names, Some(&["a", "!"]));
    check(&["[a-d]"], names, Some(&["a", "b", "d"]));
    check(&["\\*"], names, Some(&["*"]));
    check(&["\\[x\\]"], names, Some(&["[x]"]));
    check(&["\\d"], names, Some(&["1"]));
    check(&["[\\d]"], names, Some(&["1"]));
    check(&["\\W"], names, Some(&["-", "!", "é", "*", "]", "\\"]));
    check(&["[[:alpha:]]"], names, Some(&["a", "b", "d"]));
    check(&["\\x61"], names, Some(&["a"]));
    check(&["\\x{e9}"], names, Some(&["é"]));
    check(&["\\141"], names, Some(&["a"]));
    check(&["\\Q*\\E"], names, Some(&[]));
    check(&["^a"], names, Some(&["^a"]));
    check(&["^a*"], names, Some(&["a", "a|b", "aa"]));
    check(&["\\^a"], names, Some(&["^a"]));
    check(&["a|b"], names, Some(&["a|b"]));
    check(&["a|[b]"], names, Some(&["a", "b", "a|b", "aa"]));
    check(&["{a}"], names, Some(&["{a}"]));
    check(&["a{2}"], names, Some(&[]));
    check(&["[a]{2}"], names, Some(&["aa"]));
    check(&["[a]{1,2}"], names, Some(&["a", "aa"]));
    check(&["[?]"], names, Some(&[]));
    check(&["\\\\"], names, Some(&["\\"]));
}

#[test]
fn some_mistakes_show_when_a_pattern_is_used() {
    let is_error = |pattern: &str| PathPatterns::new([pattern]).is_err();
    assert!(
        ["!", "! /..", "[a", "[]", "[]a]", "[a-]", "[-a]", "a\\", "[\\"].map(is_error)
            == [true, false, true, true, true, true, true, true, true]
    );
    for pattern in ["x*/[a", "[b-a]", "\\é", "\\q", "\\1", "*{2}", "[a]{1001}", "[[:no:]]", "\\pL", "x|{2}*"]
    {
        assert!(!is_error(pattern), "{pattern}");
        check(&[pattern], &["a"], None);
    }
    // Nothing matches yet: the exception is not asked.
    check(&["!\\q"], &["a"], Some(&[]));
}

#[test]
fn names_of_any_bytes_are_compared_by_character() {
    let compiled = PathPatterns::new(["?", "**/[^a]x", "\\ufffd"]).unwrap();
    let matches = |name: &[u8]| compiled.matches_leaf(name, &FolderMatches::default()).ok();
    assert_eq!(matches(b"\xff"), Some(true));
    assert_eq!(matches("é".as_bytes()), Some(true));
    let compiled = PathPatterns::new(["?", "**/[^a]x", "[\u{fffd}]y", "a**/b"]).unwrap();
    let matches = |name: &[u8]| compiled.matches_leaf(name, &FolderMatches::default()).unwrap();
    assert!(matches(b"d/\xffx") && matches(b"\xffy"));
    assert!(!matches(b"\xff\xff") && !matches(b"d/ax"));
    assert!(matches(b"a/c/b") && !matches(b"a\n/b"));
}

/// Checks what is known of everything below `folder`.
fn check_below(patterns: &[&str], folder: &str, none: bool, all: bool) {
    let compiled = PathPatterns::new(patterns).unwrap();
    let found = (compiled.none_below(folder.as_bytes()), compiled.all_below(folder.as_bytes()));
    assert_eq!(found, (none, all), "{patterns:?} below {folder}");
}

#[test]
fn folders_that_no_pattern_reaches_are_known() {
    check_below(&["a/b"], "a", false, true);
    check_below(&["a/b"], "b", true, true);
    check_below(&["a/b"], "a/b", true, true);
    check_below(&["ab"], "a", true, true);
    check_below(&["*.md"], "a", true, true);
    check_below(&["a/*/c"], "a/b", false, true);
    check_below(&["a/*/c"], "a/b/c", true, true);
    check_below(&["a/*/c"], "b", true, true);
    check_below(&["**/c"], "a", false, true);
    check_below(&["a/**"], "a/b", false, true);
    check_below(&["a[^b]c"], "a", false, true);
    check_below(&["a|[b]"], "c", false, true);
    check_below(&["*", "!a/b"], "a", true, false);
    check_below(&["*", "!a/b"], "c", true, true);
    check_below(&["\\q"], "a", false, false);
}
