//! One digest an image, however and wherever it is built.
//!
//! Each rebuild has a folder, a time zone, a umask, a language, a home, a number of jobs, a hostname, a user,
//! times and an order of the context's files of its own. Some find an empty cache, some one in which the steps
//! before the last are done, some one in which all layers are there in another form.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::chance::Chance;
use crate::count;
use crate::place::{Place, digests};

/// Who builds where it is not root.
const USER: u32 = 54_321;

/// Names, whether an ordinary user can build them, and Dockerfiles. Each ends with a step that takes `last`.
///
/// The kernel lets no ordinary user choose supplementary groups, so a command for all users does not ask for them.
const IMAGES: &[(&str, bool, &str)] = &[
    (
        "copied",
        true,
        r#"FROM busybox:1.36
COPY odd /odd
COPY --chown=5:6 --chmod=4711 odd/plain many /owned/
COPY odd/link-to-folder /followed
WORKDIR /made/here
ENV A=1 B="two words"
LABEL z=1 a=2 m=3
EXPOSE 80 9/udp 7
VOLUME /v /u
COPY <<one <<"two" /here/
$A
one
$A
two
COPY last /last
"#,
    ),
    (
        "archives",
        true,
        r"FROM scratch
ADD one.tar.gz /gzip/
ADD --chown=7:8 two.tar /plain/
ADD many /many
COPY last /last
",
    ),
    (
        "staged",
        true,
        r"FROM scratch AS a
COPY odd /a
FROM scratch AS b
COPY many /b
FROM a AS c
COPY --from=b --chown=3 /b /c
FROM scratch
COPY --from=a /a /a
COPY --from=c / /both
COPY --link last /last
",
    ),
    (
        "busybox",
        false,
        r#"FROM busybox:1.36 AS tools
RUN mkdir -p /t/b /t/a && for name in 9 3 7 1; do echo $name >/t/b/$name; ln /t/b/$name /t/a/$name; done
FROM busybox:1.36
COPY --from=tools /t /t
COPY many /many
RUN rm -r /t/a && mkdir /t/a && touch /t/a/new /t/z && chown 5:6 /t/b && chmod 4755 /t/b/9 && mkfifo /t/pipe && mknod /t/null c 1 3
RUN hostname >/told; umask >>/told; env | sort >>/told; id >>/told; pwd >>/told; date +%Z >>/told; cat /proc/1/comm >>/told
RUN stat -c '%n %Y %X %s %a %u' /t/b/3 /many/* /bin/sh >/times
RUN <<end
set -e
find /t /many | sort | tee /list | sha256sum >/sum
tar -cf /x.tar --mtime=@1 /t/b 2>/dev/null || true
rm -f /x.tar
end
COPY last /last
"#,
    ),
    (
        "debian",
        false,
        r#"FROM debian-root:trixie
SHELL ["/bin/bash", "-ec"]
COPY many /many
RUN sort -R --random-source=/etc/passwd /many/* | tee /sorted; cp -a /many /copied; sed -i s/root/ROOT/ /etc/issue; ls -l --time-style=full-iso /many /etc/passwd >/listed
RUN stat -c '%n %y' /etc /etc/hosts /usr/bin /many >/times; tar --sort=name -czf /etc.tar.gz /etc
RUN groupadd -g 900 more; chgrp -R more /copied; find /many -newer /etc/passwd >/newer
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/cache ls -a /tmp >/empty; echo x >/cache/x
RUN --mount=type=bind,source=odd,target=/odd cp -a /odd /from-odd; tar --sort=name -cf /odd.tar /odd
COPY last /last
"#,
    ),
    (
        "unprivileged",
        true,
        r"FROM busybox:1.36
COPY many /many
RUN mkdir /r; for name in 9 3 7 1; do echo $name >/r/$name; done; rm /many/file-3; mv /many/file-4 /r; ln -s /x /r/l; ln /r/9 /r/8
RUN hostname >/told; umask >>/told; env | sort >>/told; id -u >>/told; stat -c '%n %Y %a %u %g' /many/* >>/told
COPY last /last
",
    ),
];

/// What is different from build to build.
#[derive(Debug)]
struct Variation {
    number: u64,
    umask: &'static str,
    zone: &'static str,
    language: &'static str,
    jobs: &'static str,
    as_user: bool,
    warmth: Warmth,
}

/// What is in the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Warmth {
    Nothing,
    /// All steps but the last ones.
    Steps,
    /// All of it, and no step is taken from there.
    NotUsed,
}

impl Variation {
    fn new(number: u64, is_root: bool) -> Self {
        let mut chance = Chance::new(number);
        Self {
            number,
            umask: chance.of(&["022", "000", "027", "077", "002"]),
            zone: chance.of(&["UTC", "Pacific/Kiritimati", "America/St_Johns", "<-11>11", "nonsense"]),
            language: chance.of(&["C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "ja_JP.eucJP"]),
            jobs: chance.of(&["1", "2", "3", "8", "40"]),
            as_user: is_root && number % 4 == 3,
            warmth: chance.of(&[Warmth::Nothing, Warmth::Steps, Warmth::NotUsed]),
        }
    }

    /// The same command with everything else around it.
    fn around(&self, inner: &Command, program: &Path, is_root: bool) -> Command {
        let mut command = Command::new("unshare");
        if is_root {
            command.arg("--uts");
        }
        let name = if is_root { "hostname \"$1\"; " } else { "" };
        let script = format!("{name}umask \"$2\"; shift 2; exec \"$@\"");
        command
            .args(["--", "sh", "-c", &script, "sh"])
            .arg(format!("machine-{}", self.number))
            .arg(self.umask);
        if self.as_user {
            let user = [format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()];
            command.arg("setpriv").args(user);
        }
        command.arg(program).args(inner.get_args()).current_dir(inner.get_current_dir().unwrap()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TZ", self.zone).env("LANG", self.language).env("LC_ALL", self.language);
        command.env("SOME_VARIABLE", self.number.to_string()).args(["--jobs", self.jobs]);
        command
    }
}

/// One file of the context.
enum Thing {
    File(Vec<u8>, u32),
    Folder(u32),
    Link(&'static str),
    Hard(&'static [u8]),
}

/// The context, the same for all.
fn context() -> Vec<(Vec<u8>, Thing)> {
    let mut things: Vec<(Vec<u8>, Thing)> = Vec::new();
    let mut add = |path: &[u8], thing| things.push((path.to_vec(), thing));
    add(b"odd/plain", Thing::File(b"plain\n".to_vec(), 0o644));
    add(b"odd/with space and \xc3\xbc", Thing::File(Vec::new(), 0o600));
    add(b"odd/no text \xff\xfe", Thing::File(b"\0\xff".to_vec(), 0o4755));
    add(&[b"odd/".to_vec(), vec![b'n'; 200]].concat(), Thing::File(b"a long name".to_vec(), 0o444));
    add(b"odd/empty folder", Thing::Folder(0o1777));
    add(b"odd/deep/deeper/deepest/file", Thing::File(vec![7; 70_000], 0o755));
    add(b"odd/link-to-folder", Thing::Link("deep"));
    add(b"odd/dangling", Thing::Link("/nowhere/at/all"));
    add(b"odd/a first name", Thing::Hard(b"odd/plain"));
    add(b"odd/zz last name", Thing::Hard(b"odd/plain"));
    let mut chance = Chance::new(1);
    for number in 0..40 {
        let length = usize::try_from(chance.below(5000)).unwrap();
        add(format!("many/file-{number}").as_bytes(), Thing::File(chance.bytes(length), 0o640));
    }
    let tar = archive();
    add(b"two.tar", Thing::File(tar.clone(), 0o644));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&tar).unwrap();
    add(b"one.tar.gz", Thing::File(gzip.finish().unwrap(), 0o644));
    for (name, _, dockerfile) in IMAGES {
        add(format!("{name}.Dockerfile").as_bytes(), Thing::File(dockerfile.as_bytes().to_vec(), 0o644));
    }
    things
}

fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (number, name) in ["z/file", "a/file", "m", "a/other", "z/b"].into_iter().enumerate() {
        let mut header = tar::Header::new_gnu();
        let content = name.repeat(number * 300);
        header.set_size(content.len() as u64);
        header.set_mode(0o640 + u32::try_from(number).unwrap());
        header.set_uid(number as u64);
        header.set_gid(1000);
        header.set_mtime(1_000_000_000 + number as u64);
        header.set_username("somebody").unwrap();
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Writes the context in an order and with times of its own.
fn write_context(folder: &Path, chance: &mut Chance) {
    let mut things = context();
    chance.shuffle(&mut things);
    // What has a further name comes before it.
    things.sort_by_key(|(_, thing)| matches!(thing, Thing::Hard(_)));
    let place = |path: &[u8]| folder.join(OsStr::from_bytes(path));
    for (path, thing) in &things {
        let path = place(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match thing {
            Thing::File(content, mode) => {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(chance.below(2_000_000_000));
                File::open(&path).unwrap().set_modified(time).unwrap();
            }
            Thing::Folder(mode) => {
                fs::create_dir_all(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Thing::Link(target) => symlink(target, &path).unwrap(),
            Thing::Hard(first) => fs::hard_link(place(first), &path).unwrap(),
        }
    }
    for name in ["odd", "odd/deep", "odd/deep/deeper", "odd/deep/deeper/deepest", "many"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn write_last(folder: &Path, content: &str) {
    fs::write(folder.join("last"), content).unwrap();
    fs::set_permissions(folder.join("last"), fs::Permissions::from_mode(0o644)).unwrap();
}

/// Gives a folder and what is in it to the user, who could not read the context otherwise.
fn give(folder: &Path) {
    let words = ["-R".to_owned(), "--no-dereference".to_owned(), format!("{USER}:{USER}")];
    assert!(Command::new("chown").args(words).arg(folder).status().unwrap().success());
    // Which takes set-uid bits away.
    let odd = folder.join("workspace/context").join(OsStr::from_bytes(b"odd/no text \xff\xfe"));
    fs::set_permissions(odd, fs::Permissions::from_mode(0o4755)).unwrap();
}

/// One rebuild: label → digest.
fn rebuild(variation: &Variation, program: &Path, is_root: bool, images: &[&str]) -> Vec<(String, String)> {
    let place = Place::new();
    let mut chance = Chance::new(variation.number);
    let folder = place.workspace().join("context");
    write_context(&folder, &mut chance);
    let mut file = "[workspace]\nname = \"proof\"\n".to_owned();
    for image in images {
        file += &format!(
            "\n[image.{image}]\ncontext = \"context\"\ndockerfile = \"context/{image}.Dockerfile\"\n"
        );
    }
    place.write("BUILD.toml", file);
    if variation.as_user {
        give(place.folder());
    }
    let build = |words: &[&str]| {
        let inner = place.imgraph(["build", "--progress", "plain", "--format", "json", "//..."]);
        let mut command = variation.around(&inner, program, is_root);
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{variation:?}: {}", String::from_utf8_lossy(&output.stderr));
        digests(&output)
    };
    match variation.warmth {
        Warmth::Nothing => {}
        Warmth::Steps => {
            write_last(&folder, "another");
            build(&[]);
        }
        Warmth::NotUsed => {
            write_last(&folder, "the last");
            build(&[]);
            return build(&["--no-cache"]);
        }
    }
    write_last(&folder, "the last");
    build(&[])
}

/// The program where everybody may read it.
fn program(folder: &Path) -> PathBuf {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("imgraph");
    fs::copy(env!("CARGO_BIN_EXE_imgraph"), &program).unwrap();
    program
}

#[test]
fn images_have_one_digest_each() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let is_root = rustix::process::geteuid().is_root();
    let names = |for_user: bool| -> Vec<&str> {
        let fitting = IMAGES.iter().filter(|(_, any_user, _)| *any_user || !for_user);
        fitting.map(|(name, _, _)| *name).collect()
    };
    let mut first: Vec<(String, String)> = Vec::new();
    for number in 0..count("IMGRAPH_REBUILDS", 8) {
        let variation = Variation::new(number, is_root);
        let found = rebuild(&variation, &program, is_root, &names(variation.as_user || !is_root));
        if number == 0 {
            first.clone_from(&found);
        }
        for image in &found {
            assert!(first.contains(image), "{variation:?}: {image:?} is another one: {first:?}");
        }
    }
    assert!(!first.is_empty());
}
