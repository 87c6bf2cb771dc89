//! Programs with a cache of their own, which find out by times what they have to do again.

use crate::place::Place;

/// What make does: the output is made where it is not there, or the source is later; each time a line is added. The
/// shell compares whole seconds, in which a build may come right after the other.
const MAKE: &str =
    "if [ ! -e /c/out ] || [ /src/a -nt /c/out ]; then cat /src/a >/c/out; echo made >>/c/log; fi";

/// Builds with this source and this further command, which must give `out` after `times` times.
fn check(place: &Place, source: &str, other: &str, out: &str, times: usize) {
    place.write("a", source);
    place.write("other", other);
    place.dockerfile(
        "case",
        &format!(
            "FROM tools\n\
             COPY a /src/a\n\
             COPY other /other\n\
             RUN --mount=type=cache,target=/c {MAKE}; echo {other}; cp /c/out /out; wc -l </c/log >/log\n\
             RUN [ \"$(cat /out) $(cat /log)\" = \"{out} {times}\" ]\n"
        ),
    );
    let outcome = place.build("-v //:case");
    assert_eq!(outcome.exit, 0, "{source} {other}: {}", outcome.said());
}

#[test]
fn a_changed_source_was_taken_for_an_old_one() {
    let place = Place::with_case("FROM tools\n");
    check(&place, "one", "a", "one", 1);
    check(&place, "two", "b", "two", 2);
    // As it was before, and yet it comes later than what was made from the other.
    check(&place, "one", "c", "one", 3);
    // Where only something else changes, the source looks as it did.
    check(&place, "one", "d", "one", 3);
}

#[test]
fn a_source_that_changed_within_a_second_was_taken_for_an_old_one() {
    let place = Place::with_case("FROM tools\n");
    for times in 1..=6 {
        check(&place, &format!("source {times}"), "same", &format!("source {times}"), times);
    }
}
