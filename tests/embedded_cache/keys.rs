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
