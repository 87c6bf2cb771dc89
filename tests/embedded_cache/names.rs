//! Names that stood for another image than they should.

use std::fs;

use imgraph::types::platform::Platform;

use crate::place::Place;

/// A place with one image under the name `name`, whose file `/which` says `which`.
fn with_image(name: &str, which: &str) -> Place {
    let place = Place::new(&format!("[image.case]\ndockerfile = \"case.Dockerfile\"\ntags = [\"{name}\"]\n"));
    place.dockerfile("case", &format!("FROM tools\nRUN echo {which} >/which\n"));
    let built = place.build("//:case");
    assert_eq!(built.exit, 0, "{}", built.said());
    place
}

#[test]
fn an_image_that_was_loaded_did_not_take_the_name_from_one_that_was_fetched() {
    let (loaded, place) = (with_image("loaded:1", "loaded"), with_image("fetched:1", "fetched"));
    // As if a registry had been asked for it.
    let index = place.cache().join("oci/index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("fetched:1", &format!("base:1#{}", Platform::local()))).unwrap();
    let read = |which: &str| {
        let text = format!("FROM base:1\nRUN [ \"$(cat /which)\" = {which} ]\n");
        place.write("case.Dockerfile", text);
        let built = place.build("//:case");
        assert_eq!(built.exit, 0, "{}", built.said());
    };
    read("fetched");
    let mut command = place.command();
    command.args(["cache", "load", "--as", "base:1", "--image", "loaded:1"]).arg(loaded.cache().join("oci"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read("loaded");
}
