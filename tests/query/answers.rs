//! What queries over the shop stand for: the cases of `answers.txt`.

use imgraph::export::query_answer::{Answer, Line};

use crate::shop::Shop;

/// Checks the names of an answer, in the order in which they are shown.
fn check(shop: &Shop, line: &str, expected: &str) {
    let place = line.strip_prefix("in ").and_then(|rest| rest.split_once(": "));
    let (current, query) = place.unwrap_or(("", line));
    let names = |answer: Answer<'_>| answer.lines(Line::Label);
    let found =
        shop.ask(query, current, false, names).unwrap_or_else(|problems| panic!("{line}: {problems:#?}"));
    assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{line}");
}

#[test]
fn queries_stand_for_what_they_say() {
    let lines = include_str!("answers.txt").lines();
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("# ")).collect();
    assert!(lines.len() >= 2 * 200, "{} lines", lines.len());
    let shop = Shop::new();
    for case in lines.chunks(2) {
        let [query, answer] = case else { panic!("{case:?} has no answer") };
        let answer = answer.strip_prefix('=').unwrap_or_else(|| panic!("no answer: {answer}"));
        check(&shop, query, answer.trim_start());
    }
}
