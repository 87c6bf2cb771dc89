//! Images and archives that somebody made to do harm: an error that names it, or no harm; little memory; and
//! nothing outside of the cache is touched.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::layout::{CONFIG, GZIP, Hashed, Layout, MANIFEST, config};
use crate::peak;
use crate::place::Place;

/// In KiB.
pub(crate) const MOST: u64 = 256 << 10;

/// An entry of an archive: kind, name, target, and a name is written as it is said.
pub(crate) type Line = (u8, &'static str, &'static str);

/// What is in it, and the words with which it is refused as a layer and as an archive that is added; no words
/// where it does no harm.
pub(crate) const ARCHIVES: &[(&str, &[Line], &str, &str)] = &[
    ("above the root", &[(b'0', "../outside", "")], "leads out of the root", "leads out of the archive"),
    ("far above", &[(b'0', "a/../../../outside", "")], "leads out of the root", "leads out of the archive"),
    ("absolute", &[(b'0', "/outside", "")], "", ""),
    (
        "through a link",
        &[(b'2', "l", "../../../../../../.."), (b'0', "l/outside", "")],
        "",
        "leads out of the archive",
    ),
    ("through an absolute link", &[(b'2', "l", "PLACE"), (b'0', "l/outside", "")], "", ""),
    ("the folder of commands is a link", &[(b'2', "bin", "PLACE/victim")], "", "/bin/busybox"),
    (
        "system folders are links",
        &[(b'2', "etc", "PLACE/victim"), (b'2', "dev", "PLACE/victim")],
        "of the image is a link",
        "of the image is a link",
    ),
    ("a hard link above", &[(b'1', "h", "../outside")], "leads out of the root", "leads out of the archive"),
    ("an absolute hard link", &[(b'1', "h", "/etc/passwd")], "is a hard link to nothing", ""),
    (
        "a hard link through a link",
        &[(b'2', "l", "PLACE"), (b'1', "h", "l/victim/file")],
        "is a hard link to nothing",
        "is not there",
    ),
    (
        "links in a circle",
        &[(b'2', "l", "m"), (b'2', "m", "l"), (b'0', "l/x", "")],
        "in a circle",
        "leads out of the archive",
    ),
    (
        "below a file",
        &[(b'0', "f", ""), (b'0', "f/x", "")],
        "below something that is no folder",
        "something else is there",
    ),
    ("the root is a link", &[(b'2', ".", "PLACE")], "the root folder", ""),
    ("a kind that nobody knows", &[(b'Z', "x", "")], "of a kind", "of a kind"),
    (
        "a disk",
        &[(b'4', "disk", "8:0")],
        "a device node that no image needs",
        "a device node that no image needs",
    ),
    (
        "opaque again and again",
        &[(b'5', "d", ""), (b'0', "d/.wh..wh..opq", ""), (b'0', "d/.wh..wh..opq", "")],
        "",
        "cannot be the path",
    ),
    ("a mark above", &[(b'0', ".wh...", "")], "mark of a removed path", "cannot be the path"),
];

pub(crate) fn tar(lines: &[Line], place: &Path) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, name, target) in lines {
        let mut header = tar::Header::new_gnu();
        let target = target.replace("PLACE", place.to_str().unwrap());
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some((major, minor)) = target.split_once(':') {
            header.set_device_major(major.parse().unwrap()).unwrap();
            header.set_device_minor(minor.parse().unwrap()).unwrap();
        } else {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o777);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A trial: what it is, the commands one after the other, and with which words it is refused.
pub(crate) struct Trial<'t> {
    place: &'t Place,
    before: BTreeMap<PathBuf, (u64, u32, i64)>,
}

impl<'t> Trial<'t> {
    /// Begins when all that is given is there.
    pub(crate) fn new(place: &'t Place) -> Self {
        Self { place, before: surroundings(place) }
    }

    /// Runs the commands up to the first that fails, and looks whether it is refused as it should. With which exit
    /// code it is.
    pub(crate) fn check(&self, what: &str, commands: &[&[&str]], words: &str) -> Option<i32> {
        let (mut refused, mut code) = (None, None);
        for command in commands {
            let (output, most) = peak::run(&mut self.place.imgraph(*command));
            assert!(most < MOST, "{what}: {most} KiB");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("panicked"), "{what}: {said}");
            if !output.status.success() {
                assert!(matches!(output.status.code(), Some(1..=3)), "{what}: {}: {said}", output.status);
                (refused, code) = (Some(said), output.status.code());
                break;
            }
        }
        match &refused {
            Some(said) => assert!(!words.is_empty() && said.contains(words), "{what}: not {words:?}: {said}"),
            None => assert!(words.is_empty(), "{what}: is not refused with {words:?}"),
        }
        assert_eq!(surroundings(self.place), self.before, "{what}: something outside of the cache changed");
        code
    }
}

/// All that lies around the cache: path → size, mode, time.
fn surroundings(place: &Place) -> BTreeMap<PathBuf, (u64, u32, i64)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![place.folder().to_owned()];
    while let Some(path) = waiting.pop() {
        if path.starts_with(place.cache()) || path.starts_with(place.workspace().join(".imgraph")) {
            continue;
        }
        let seen = fs::symlink_metadata(&path).unwrap();
        if seen.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        // The system's own words on times of folders are about the cache and what lies beside it.
        let time = if path == place.folder() || path == place.workspace() { 0 } else { seen.mtime_nsec() };
        found.insert(path, (seen.len(), seen.mode(), time));
    }
    found
}

/// A place whose workspace builds over the base `hostile`, and adds the archive `hostile.tar`.
pub(crate) fn place() -> Place {
    let place = Place::new();
    place.write("../victim/file", "precious");
    place.write("context/hostile.tar", "");
    place.write("base.Dockerfile", "FROM hostile\nCOPY --from=busybox:1.36 /bin/busybox /bin/busybox\nCOPY hostile.tar /etc/x\nRUN [\"/bin/busybox\", \"true\"]\n");
    place.write(
        "added.Dockerfile",
        "FROM busybox:1.36\nADD hostile.tar /\nRUN [\"/bin/busybox\", \"true\"]\n",
    );
    let image =
        |name: &str| format!("[image.{name}]\ncontext = \"context\"\ndockerfile = \"{name}.Dockerfile\"\n");
    place.write("BUILD.toml", format!("[workspace]\nname = \"proof\"\n{}{}", image("base"), image("added")));
    place
}

const LOAD: &[&str] = &["cache", "load", "../hostile", "--as", "hostile"];
const BUILD: &[&str] = &["build", "//:base"];
const ADD: &[&str] = &["build", "//:added"];

fn honest_image(layout: &Layout, tar: &[u8]) {
    let mut diff_id = String::new();
    let layer = layout.blob(GZIP, |file| {
        let mut hashed = Hashed::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        hashed.write_all(tar).unwrap();
        diff_id = hashed.finish().0;
    });
    layout.image(&[layer], &[diff_id]);
}

/// A trial whose failure lets the others go on; its name, when it failed.
fn problem(place: &Place, what: &str, commands: &[&[&str]], words: &str) -> Option<String> {
    let trial = std::panic::AssertUnwindSafe(|| Trial::new(place).check(what, commands, words));
    std::panic::catch_unwind(trial).err().map(|_| what.to_owned())
}

#[test]
fn hostile_entries_do_no_harm() {
    let mut problems = Vec::new();
    for (what, lines, as_layer, as_archive) in ARCHIVES {
        let place = place();
        let archive = tar(lines, place.folder());
        honest_image(&Layout::new(&place.folder().join("hostile")), &archive);
        problems.extend(problem(&place, &format!("{what}, a layer"), &[LOAD, BUILD], as_layer));
        place.write("context/hostile.tar", &archive);
        problems.extend(problem(&place, &format!("{what}, added"), &[ADD], as_archive));
    }
    assert!(problems.is_empty(), "{problems:?}");
}

/// Ten GiB of nothing: members of a gzip file one after another.
pub(crate) fn zeros() -> Vec<u8> {
    let zeros = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 64 << 20]).unwrap();
        gzip.finish().unwrap()
    };
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(10 << 30);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(header.as_bytes()).unwrap();
    [bomb.finish().unwrap(), zeros.repeat(160)].concat()
}

#[test]
fn archives_without_end_are_refused() {
    let bomb = zeros();
    let place = place();
    place.write("context/hostile.tar", &bomb);
    Trial::new(&place).check("zeros, added", &[ADD], "times as large as it is");
    let layout = Layout::new(&place.folder().join("hostile"));
    let layer = layout.blob(GZIP, |file| file.write_all(&bomb).unwrap());
    layout.image(&[layer], &[format!("sha256:{}", "0".repeat(64))]);
    place.write("context/hostile.tar", "");
    Trial::new(&place).check("zeros, a layer", &[LOAD, BUILD], "times its size");
    // A million files.
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    let mut million = Vec::with_capacity(512_001_024);
    for number in 0..1_000_000 {
        header.set_path(format!("files/{number}")).unwrap();
        header.set_cksum();
        million.extend_from_slice(header.as_bytes());
    }
    million.resize(million.len() + 1024, 0);
    let layout = Layout::new(&place.folder().join("hostile"));
    honest_image(&layout, &million);
    Trial::new(&place).check("a million, a layer", &[LOAD, BUILD], "has more than");
    place.write("context/hostile.tar", &million);
    Trial::new(&place).check("a million, added", &[ADD], "has more than");
}

/// Makes a layout whose documents lie.
fn lie(layout: &Layout, change: &dyn Fn(&mut Value, &mut Value)) {
    let archive = tar(&[(b'0', "a", "")], &layout.folder);
    let layer =
        layout.blob("application/vnd.oci.image.layer.v1.tar", |file| file.write_all(&archive).unwrap());
    let mut config = config(&[layer["digest"].as_str().unwrap().to_owned()]);
    let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]});
    // What the manifest says is changed before the configuration is known, and the rest after it.
    change(&mut manifest, &mut config);
    let described = layout.document(CONFIG, &config);
    if manifest["config"].is_null() {
        manifest["config"] = described;
    }
    layout.only(&layout.document(MANIFEST, &manifest));
}

/// What is changed in a manifest and a configuration.
type Lie<'l> = dyn Fn(&mut Value, &mut Value) + 'l;

#[test]
fn documents_that_lie_are_refused() {
    let other = format!("sha256:{}", "7".repeat(64));
    let deep: Value = (0..100).fold(json!("deep"), |inner, _| json!([inner]));
    let lies: &[(&str, &Lie<'_>, &str)] = &[
        ("nothing", &|_, _| {}, ""),
        ("a size too large", &|manifest, _| manifest["layers"][0]["size"] = json!(1_000_000), "bytes"),
        ("a size too small", &|manifest, _| manifest["layers"][0]["size"] = json!(3), "bytes"),
        ("a size below nothing", &|manifest, _| manifest["layers"][0]["size"] = json!(-1), "manifest"),
        ("a size beyond all", &|manifest, _| manifest["layers"][0]["size"] = json!(u64::MAX), "bytes"),
        ("another diff id", &|_, config| config["rootfs"]["diff_ids"][0] = json!(other), "7777"),
        (
            "no digest",
            &|manifest, _| manifest["layers"][0]["digest"] = json!("sha256:../../../victim"),
            "digest",
        ),
        (
            "a path as algorithm",
            &|manifest, _| manifest["layers"][0]["digest"] = json!("../victim:file"),
            "digest",
        ),
        ("a blob that is not there", &|manifest, _| manifest["layers"][0]["digest"] = json!(other), "7777"),
        (
            "more diff ids than layers",
            &|_, config| config["rootfs"]["diff_ids"] = json!([other, other]),
            "layers",
        ),
        ("no diff ids", &|_, config| config["rootfs"]["diff_ids"] = json!([]), "layers"),
        ("depth", &|_, config| config["config"]["Labels"] = deep.clone(), "cannot be used"),
        ("a configuration that is a number", &|_, config| *config = json!(7), "cannot be used"),
        (
            "a manifest as configuration",
            &|manifest, _| manifest["config"] = manifest["layers"][0].clone(),
            "cannot be used",
        ),
    ];
    let mut problems = Vec::new();
    for (what, change, words) in lies {
        let place = place();
        lie(&Layout::new(&place.folder().join("hostile")), *change);
        problems.extend(problem(&place, what, &[LOAD, BUILD], words));
    }
    assert!(problems.is_empty(), "{problems:?}");
}
