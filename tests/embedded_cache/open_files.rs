//! More images than a process may have files open.

use std::fmt::Write as _;

use crate::place::Place;

const IMAGES: usize = 400;

/// Fewer than there are images; a shell gives no more by itself on some systems.
const OPEN_FILES: usize = 256;

#[test]
fn each_image_held_a_file_open_until_the_run_ended() {
    let mut build_file = "[defaults.image]\ndockerfile = \"Dockerfile\"\n".to_owned();
    for number in 0..IMAGES {
        writeln!(build_file, "[image.i{number}]\nargs = {{ NUMBER = \"{number}\" }}").unwrap();
    }
    let place = Place::new(&build_file);
    (0..IMAGES).for_each(|number| place.write(&format!("files/{number}"), number.to_string()));
    let dockerfile = "FROM scratch AS files\nARG NUMBER\nCOPY files/$NUMBER /file\n\
                      FROM scratch\nCOPY --from=files /file /copied\n";
    place.write("Dockerfile", dockerfile);
    let mut shell = place.command_of("sh");
    shell.args([
        "-c",
        &format!("ulimit -n {OPEN_FILES} && exec \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_imgraph"),
    ]);
    shell.arg("--cache-dir").arg(place.cache()).args(["--builder", "embedded"]);
    let output = shell.args(["build", "--progress", "plain", "//..."]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
