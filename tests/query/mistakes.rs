//! What is said of queries that are wrong: the cases of `mistakes.txt`.

use std::fmt::Write;

use imgraph::cli::diagnostics::draw;
use imgraph::export::query_answer::{Answer, Line};

use crate::shop::Shop;

/// What is said of the query of `line`, without the line that counts.
fn said(shop: &Shop, line: &str) -> String {
    let place = line.strip_prefix("in ").and_then(|rest| rest.split_once(": "));
    let (current, query) = place.unwrap_or(("", line));
    match shop.ask(query, current, false, |answer: Answer<'_>| answer.lines(Line::Label)) {
        Ok(answer) => format!("no mistake: {answer}"),
        Err(problems) => {
            let drawn = draw(&problems, false);
            let (said, _count) = drawn.trim_end().rsplit_once("\n\n").unwrap();
            said.to_owned()
        }
    }
}

#[test]
fn mistakes_are_told_with_their_places() {
    let shop = Shop::new();
    let mut all = String::new();
    let mut count = 0;
    for line in include_str!("mistakes.txt").lines().filter(|line| !line.starts_with("# ")) {
        let said = said(&shop, line);
        assert!(said.starts_with("error: ") && said.contains("expression:1:"), "{line}: {said}");
        writeln!(all, "{said}\n").unwrap();
        count += 1;
    }
    assert!(count >= 80);
    insta::assert_snapshot!(all);
}

#[test]
fn all_words_that_name_nothing_are_told_at_once() {
    let problems =
        Shop::new().ask("deps(//apy) + //web:sitte + set(//jobs:x)", "", false, |_| ()).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:#?}");
}
