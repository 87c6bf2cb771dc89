//! What `--output` writes is what was built, wherever it goes; `cache load` takes it in again; and a build by the
//! embedded builder needs no engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imgraph::oci::image::read_image;
use imgraph::oci::store::{Store, digest_of};
use imgraph::types::platform::Platform;

/// A workspace and a cache that go away.
struct House {
    folder: tempfile::TempDir,
}

impl House {
    fn new(files: &[(&str, &str)]) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        for (path, content) in files {
            let path = house.path("workspace").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.current_dir(self.path("workspace")).env_clear();
        command.args(arguments).arg("--cache-dir").arg(self.path("cache"));
        command.output().unwrap()
    }

    /// Standard output of a run that does what it shall.
    fn ok(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Standard error of a run that ends with this code.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn digest(&self, label: &str) -> String {
        let told = self.ok(&["build", "--builder", "embedded", "--format", "json", label]);
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        told["targets"].as_array().unwrap().last().unwrap()["digest"].as_str().unwrap().to_owned()
    }
}

fn shop() -> House {
    House::new(&[
        ("BUILD.toml", "[workspace]\nname = \"shop\"\n[image.shop]\ntags = [\"shop.test/shop:1\"]\n"),
        ("Dockerfile", "FROM scratch\nCOPY a d /x/\nENV A=b\n"),
        ("a", "text\n"),
        ("d/b", "more\n"),
    ])
}

/// The digest that a layout has under a name.
fn named(layout: &Path, name: &str) -> String {
    let named = Store::open(layout).unwrap().named(name).unwrap();
    digest_of(&named.unwrap_or_else(|| panic!("no {name}"))).unwrap().to_string()
}

#[test]
fn an_image_is_the_same_wherever_it_goes() {
    let house = shop();
    let digest = house.digest("//:shop");
    house.ok(&[
        "build",
        "--builder",
        "embedded",
        "-o",
        "oci:../layout",
        "-o",
        "oci-tar:../image.tar",
        "//:shop",
    ]);
    assert_eq!(named(&house.path("layout"), "shop.test/shop:1"), digest);
    let piped = house.ok(&["build", "--builder", "embedded", "--output", "oci-tar:-", "//:shop"]);
    assert_eq!(piped, fs::read(house.path("image.tar")).unwrap(), "the standard output has the image alone");
    for (from, form) in [("../layout", "folder"), ("../image.tar", "tar")] {
        let other = House::new(&[("BUILD.toml", "[workspace]\nname = \"other\"\n")]);
        let from = house.path("workspace").join(from);
        let told = other.ok(&["cache", "load", from.to_str().unwrap(), "--as", "base:1"]);
        assert_eq!(String::from_utf8(told).unwrap(), format!("base:1  {digest}\n"), "{form}");
        assert_eq!(named(&other.path("cache/oci"), "base:1"), digest, "{form}");
    }
}

#[test]
fn what_was_loaded_is_a_base() {
    let house = shop();
    house.ok(&["build", "--builder", "embedded", "-o", "docker-tar:../saved.tar", "//:shop"]);
    let other = House::new(&[
        ("BUILD.toml", "[workspace]\nname = \"other\"\n[image.site]\n"),
        ("Dockerfile", "FROM base:1\nCOPY c /x/a\n"),
        ("c", "else\n"),
    ]);
    other.ok(&["cache", "load", house.path("saved.tar").to_str().unwrap(), "--as", "base:1"]);
    let digest = other.digest("//:site").parse().unwrap();
    let store = Store::open(&other.path("cache/oci")).unwrap();
    let image = read_image(&store, &digest, &Platform::local()).unwrap().unwrap();
    assert_eq!(image.layers.len(), 2);
    let env = image.config.config.env.unwrap();
    assert!(env.contains(&"A=b".to_owned()), "{env:?}");
}

#[test]
fn the_layers_of_an_output_are_as_it_says() {
    let house = shop();
    for (compression, ending) in [("zstd", "+zstd"), ("gzip", "+gzip"), ("none", ".tar")] {
        let output = format!("type=oci,dest=../{compression},compression={compression}");
        house.ok(&["build", "--builder", "embedded", "--output", &output, "//:shop"]);
        let store = Store::open(&house.path(compression)).unwrap();
        let digest = named(&house.path(compression), "shop.test/shop:1").parse().unwrap();
        let image = read_image(&store, &digest, &Platform::local()).unwrap().unwrap();
        for layer in image.manifest.layers() {
            assert!(layer.media_type().to_string().ends_with(ending), "{}", layer.media_type());
        }
    }
}

#[test]
fn where_no_engine_answers_the_embedded_builder_does() {
    let house = shop();
    // Nothing listens at the default address of a folder that has none: so a run with an engine that is named
    // fails, and says how to go on.
    let said = house.fails(3, &["build", "--docker-host", "unix:///nowhere/docker.sock", "//:shop"]);
    assert!(said.contains("cannot reach Docker Engine"), "{said}");
    let said = house.fails(2, &["build", "--builder", "embeded", "//:shop"]);
    assert!(said.contains("embedded"), "{said}");
    let said = house.fails(2, &["build", "--builder", "embedded", "--output", "oic:x", "//:shop"]);
    assert!(said.contains("oci"), "{said}");
}

#[test]
fn what_cannot_be_built_is_refused_with_its_line() {
    let refused = |dockerfile: &str, line: usize, words: &str| {
        let house = House::new(&[
            ("BUILD.toml", "[workspace]\nname = \"shop\"\n[image.shop]\n"),
            ("Dockerfile", dockerfile),
        ]);
        let said = house.fails(1, &["build", "--builder", "embedded", "//:shop"]);
        assert!(said.contains(words) && said.contains(&format!("Dockerfile:{line}")), "{said}");
        assert!(said.contains("--builder docker"), "the way out: {said}");
    };
    refused("FROM scratch\nADD https://example.test/x.git /x\n", 2, "git repositories");
    refused("FROM scratch\nRUN --security=insecure true\n", 2, "all rights");
    refused("FROM --platform=linux/s390x scratch\nRUN true\n", 2, "cannot run commands for linux/s390x");
    refused(
        "# syntax=example.test/frontend@sha256:0000000000000000000000000000000000000000000000000000000000000000\nFROM scratch\nRUN true\n",
        1,
        "frontend",
    );
}

#[test]
fn an_image_and_a_document_were_written_into_one_stream() {
    let house = shop();
    let check = |arguments: &[&str], words: &str| {
        let said = house.fails(2, &[&["build", "--builder", "embedded", "//:shop"], arguments].concat());
        assert!(said.contains(words) && said.contains("help: write"), "{said}");
    };
    check(&["--format", "json", "-o", "oci-tar:-"], "`--format json` and an `--output` to `-`");
    check(&["-o", "docker-tar:-", "-o", "oci-tar:-"], "more than one `--output` to `-`");
    house.ok(&[
        "build",
        "--builder",
        "embedded",
        "--format",
        "json",
        "-o",
        "oci-tar:../image.tar",
        "//:shop",
    ]);
}

#[test]
fn which_of_several_images_is_loaded_was_not_said() {
    let house = House::new(&[
        (
            "BUILD.toml",
            "[workspace]\nname = \"shop\"\n[image.one]\ntags = [\"one.test/one:1\"]\n\
             [image.two]\ntags = [\"two.test/two:1\"]\n",
        ),
        ("Dockerfile", "FROM scratch\nCOPY a /a\n"),
        ("a", "text\n"),
    ]);
    house.ok(&["build", "--builder", "embedded", "-o", "oci:../layout", "//..."]);
    let layout = house.path("layout");
    let load = ["cache", "load", layout.to_str().unwrap(), "--as", "base:1"];
    let said = house.fails(3, &load);
    assert!(said.contains("one.test/one:1, two.test/two:1") && said.contains("with `--image`"), "{said}");
    house.ok(&[&load[..], &["--image", "two.test/two:1"]].concat());
}

#[test]
fn a_time_that_is_none_was_taken_for_1970() {
    let house = House::new(&[
        (
            "BUILD.toml",
            "[workspace]\nname = \"shop\"\n[image.given]\ndockerfile = \"a.Dockerfile\"\n\
             args = { SOURCE_DATE_EPOCH = \"1.5\" }\n[image.written]\ndockerfile = \"b.Dockerfile\"\n",
        ),
        ("a.Dockerfile", "FROM scratch\nCOPY a /a\n"),
        ("b.Dockerfile", "ARG SOURCE_DATE_EPOCH=abc\nFROM scratch\nCOPY a /a\n"),
        ("a", "text\n"),
    ]);
    for (label, words) in
        [("//:given", "SOURCE_DATE_EPOCH is `1.5`"), ("//:written", "SOURCE_DATE_EPOCH is `abc`")]
    {
        let said = house.fails(1, &["build", "--builder", "embedded", label]);
        assert!(said.contains(words) && said.contains("whole seconds"), "{said}");
    }
}
