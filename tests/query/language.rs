//! The language by itself: how texts are read, and that no text ends the program.

use imgraph::syntax::query::parse;
use proptest::prelude::*;

use crate::shop::source;

fn read(text: &str) -> Result<String, String> {
    let expression = parse(&source(text));
    expression.map(|expression| expression.to_string()).map_err(|problem| problem.message)
}

/// Checks how `text` is read: words in quotes, operations in parentheses.
fn check(text: &str, expected: &str) {
    assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
    assert_eq!(read(expected).as_deref(), Ok(expected), "what is shown is read as the same");
}

#[test]
fn words() {
    check("//a:b", r#""//a:b""#);
    check("...", r#""...""#);
    check("@x~1[y]/*", r#""@x~1[y]/*""#);
    check("'a b'", r#""a b""#);
    check("'a\"b'", "'a\"b'");
    check("\"a'b\"", "\"a'b\"");
    check("''", r#""""#);
    check("\"let\"", r#""let""#);
    check("lets", r#""lets""#);
    check("deps", r#""deps""#);
    check("1", r#""1""#);
    check("debian:12@sha256:ab", r#""debian:12@sha256:ab""#);
}

#[test]
fn operators_are_of_one_precedence_and_read_from_left_to_right() {
    check("a + b", r#"("a" + "b")"#);
    check("a union b except c intersect d", r#"("a" + "b" - "c" ^ "d")"#);
    check("a - b + c", r#"("a" - "b" + "c")"#);
    check("a - (b + c)", r#"("a" - ("b" + "c"))"#);
    check("(a - b) + c", r#"(("a" - "b") + "c")"#);
    check("a-b", r#""a-b""#);
    check("a -b", r#"("a" - "b")"#);
    check("a+b", r#"("a" + "b")"#);
    check("//foo:bar+wiz", r#"("//foo:bar" + "wiz")"#);
    check("\"//foo:bar+wiz\"", r#""//foo:bar+wiz""#);
    check("\"//foo:bar=wiz\"", r#""//foo:bar=wiz""#);
    check("'a'+'b'", r#"("a" + "b")"#);
    check("((a))", r#""a""#);
    check("a\n  +\tb", r#"("a" + "b")"#);
}

#[test]
fn functions() {
    check("deps(a)", r#"deps("a")"#);
    check("deps (a , 2)", r#"deps("a", 2)"#);
    check("deps(a, '2')", r#"deps("a", 2)"#);
    check("deps(a, 007)", r#"deps("a", 7)"#);
    check("rdeps(a + b, c, 0)", r#"rdeps(("a" + "b"), "c", 0)"#);
    check("allrdeps(a)", r#"allrdeps("a")"#);
    check("somepath(a, b) + allpaths(a, b)", r#"(somepath("a", "b") + allpaths("a", "b"))"#);
    check("kind('a|b', deps(c))", r#"kind("a|b", deps("c"))"#);
    check("kind(source, a)", r#"kind("source", "a")"#);
    check("filter(//a, b)", r#"filter("//a", "b")"#);
    check("attr(tags, '\\[\\]', a)", r#"attr("tags", "\[\]", "a")"#);
    check("labels(args, a)", r#"labels("args", "a")"#);
    check("siblings(same_pkg_direct_rdeps(a))", r#"siblings(same_pkg_direct_rdeps("a"))"#);
    check("some(a, 3)", r#"some("a", 3)"#);
    check("buildfiles(a) + owner(b) + inputs(c)", r#"(buildfiles("a") + owner("b") + inputs("c"))"#);
    check("affected(main) ^ bases(//...)", r#"(affected("main") ^ bases("//..."))"#);
    check("\"deps\"(a)", r#"deps("a")"#);
    check("set()", "set()");
    check("set(a 'b c' //...)", r#"set("a" "b c" "//...")"#);
}

#[test]
fn variables() {
    check("let x = a in $x", r#"(let x = "a" in $x)"#);
    check("let x = a in $x + b", r#"(let x = "a" in ($x + "b"))"#);
    check("(let x = a in $x) + b", r#"((let x = "a" in $x) + "b")"#);
    check("let x = a + b in deps($x)", r#"(let x = ("a" + "b") in deps($x))"#);
    check("let _1 = a in let b = $_1 in $b", r#"(let _1 = "a" in (let b = $_1 in $b))"#);
    check("a + let x = b in $x", r#"("a" + (let x = "b" in $x))"#);
}

#[test]
fn a_long_chain_takes_no_stack() {
    let chain = vec!["//a"; 50_000].join(" + ");
    assert!(read(&chain).is_ok());
    let set = format!("set({})", "//a ".repeat(50_000));
    assert!(read(&set).is_ok());
}

#[test]
fn a_deep_nest_is_refused() {
    for (open, close) in [("(", ")"), ("deps(", ")"), ("let x = ", " in $x"), ("let x = a in ", "")] {
        let nest = |levels: usize| format!("{}a{}", open.repeat(levels), close.repeat(levels));
        assert!(read(&nest(49)).is_ok(), "{open}");
        assert_eq!(read(&nest(50)), Err("expressions stand too deep in each other".to_owned()), "{open}");
        assert_eq!(read(&nest(100_000)), read(&nest(50)), "{open}");
    }
}

/// Texts of pieces that queries are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "deps", "rdeps", "some", "attr", "set", "let", "in", "union", "except", "(", ")", ",", "=", "+", "-",
        "^", "$x", "x", "1", "//a:b", "\"", "'", "*", "ü", "\u{0}", " ", "\n", "[", "kind",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..30)
        .prop_map(|pieces| pieces.join(""))
}

/// Every text is an expression that is shown as itself, or a mistake with a place in the text.
fn check_any(text: &str) {
    let source = source(text);
    match parse(&source) {
        Ok(expression) => {
            let shown = expression.to_string();
            assert_eq!(read(&shown).as_deref(), Ok(shown.as_str()), "{text}");
        }
        Err(problem) => {
            let place = problem.annotations.first().expect("a place").location.span;
            assert!(place.start() <= place.end() && place.end() <= text.len(), "{text:?}: {place:?}");
            assert!(text.is_char_boundary(place.start()) && text.is_char_boundary(place.end()), "{text:?}");
            imgraph::cli::diagnostics::draw(&[problem], false);
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,60}") {
        check_any(&text);
    }

    #[test]
    fn no_order_of_pieces_is_too_strange(text in pieces()) {
        check_any(&text);
    }
}
