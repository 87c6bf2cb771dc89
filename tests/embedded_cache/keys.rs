//! Steps and targets that were taken from the cache though something differed.

use crate::place::Place;

#[test]
fn a_step_without_its_secret_was_taken_for_one_with_it() {
    let targets = |secrets: &str| format!("[image.case]\ndockerfile = \"case.Dockerfile\"\n{secrets}");
    let place = Place::new(&targets("secrets = [{ id = \"t\", env = \"T\", optional = true }]\n"));
    place.dockerfile(
        "case",
        "FROM tools\n\
         RUN --mount=type=secret,id=t if [ -f /run/secrets/t ]; then echo with; else echo without; fi >/out\n",
    );
    let without = place.build("//:case");
    assert_eq!(without.exit, 0, "{}", without.said());
    // Another source of the secret is another key of the target; what its steps gave may still be known.
    let given = targets("secrets = [{ id = \"t\", env = \"U\", optional = true }]\n");
    place.write("BUILD.toml", format!("[workspace]\nname = \"cases\"\n\n{given}"));
    let with = place.build_with("//:case", &[("U", "value")]);
    assert_eq!(with.first().0, "built", "{}", with.said());
    assert_ne!(with.first().1, without.first().1);
}

#[test]
fn a_target_without_its_secret_was_taken_for_one_with_it() {
    let place = Place::new(
        "[image.case]\ndockerfile = \"case.Dockerfile\"\n\
         secrets = [{ id = \"t\", env = \"T\", optional = true }, { id = \"f\", file = \"f\", optional = true }]\n",
    );
    place.dockerfile(
        "case",
        "FROM tools\n\
         RUN --mount=type=secret,id=t --mount=type=secret,id=f ls /run/secrets >/out 2>/dev/null || true\n",
    );
    let build = |variables: &[(&str, &str)]| {
        let built = place.build_with("//:case", variables);
        assert_eq!(built.exit, 0, "{}", built.said());
        built.first()
    };
    let (state, without) = build(&[]);
    assert_eq!(state, "built");
    assert_eq!(build(&[]), ("cached".to_owned(), without.clone()));
    let (state, with) = build(&[("T", "value")]);
    assert_eq!(state, "built");
    assert_ne!(with, without);
    // What it holds is no reason.
    assert_eq!(build(&[("T", "other")]), ("cached".to_owned(), with.clone()));
    assert_eq!(build(&[("T", "")]), ("cached".to_owned(), with));
    assert_eq!(build(&[]), ("cached".to_owned(), without.clone()));
    place.write("f", "secret");
    let (state, with_file) = build(&[]);
    assert_eq!(state, "built");
    assert_ne!(with_file, without);
    let plan = place.command().args(["explain", "//:case"]).env("T", "value").output().unwrap();
    let said = String::from_utf8_lossy(&plan.stdout);
    assert!(said.contains("secret t") && said.contains("not there"), "{said}");
    std::fs::remove_file(place.workspace().join("f")).unwrap();
    assert_eq!(build(&[]), ("cached".to_owned(), without));
}
