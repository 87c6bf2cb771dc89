//! That drawings are well-formed whatever names hold, and small parts of them.

use super::*;

#[test]
fn numbers_are_short() {
    for (value, expected) in [(0.0, "0"), (-0.01, "0"), (12.0, "12"), (12.34, "12.3"), (-1.25, "-1.3")] {
        assert_eq!(number(value), expected);
    }
}

#[test]
fn a_path_is_level_in_each_of_its_points() {
    let points =
        |points: &[(f64, f64)]| points.iter().map(|(x, y)| Point { x: *x, y: *y }).collect::<Vec<_>>();
    for (given, expected) in [
        (points(&[(0.0, 5.0), (10.0, 5.0), (20.0, 5.0)]), "M0 5H20"),
        (points(&[(0.0, 5.0), (10.0, 9.0)]), "M0 5C5 5 5 9 10 9"),
        (points(&[(0.0, 0.0), (10.0, 4.0), (20.0, 4.0), (30.0, 0.0)]), "M0 0C5 0 5 4 10 4H20C25 4 25 0 30 0"),
        (points(&[(10.0, 0.0), (0.0, 4.0)]), "M10 0C70 0 -60 4 0 4"),
    ] {
        assert_eq!(curve(&given), expected);
    }
}

#[test]
fn what_xml_cannot_hold_is_replaced() {
    assert_eq!(escaped("a<b>&\"c'\n\u{1b}\u{ffff}é"), "a&lt;b&gt;&amp;\"c'\u{fffd}\u{fffd}\u{fffd}é");
}
