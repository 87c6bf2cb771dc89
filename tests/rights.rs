//! The embedded builder with the rights that there are: as root, as a user with many ids, and as one with one; with overlays and
//! without; and where no command can be run at all.
//!
//! The users are played by root, so as anybody else most of it is passed over. The shell is Debian's static busybox
//! (`apt-get install busybox-static`, or `IMGRAPH_TEST_BUSYBOX`).
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Somebody who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    name: &'static str,
    uid: u32,
    gid: u32,
}

const ROOT: User = User { name: "root", uid: 0, gid: 0 };

/// Nobody has no ids but one.
const SINGLE: User = User { name: "single", uid: 65_534, gid: 65_534 };

/// The first user of the machine who has a range of ids.
fn mapped() -> Option<User> {
    let ranges =
        fs::read_to_string("/etc/subuid").ok().filter(|_| Path::new("/usr/bin/newuidmap").exists())?;
    let names = ranges.lines().filter_map(|line| line.split(':').next());
    let mut users = names.filter_map(|name| nix::unistd::User::from_name(name).ok()?);
    let user = users.find(|user| !user.uid.is_root())?;
    Some(User { name: "mapped", uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

fn users() -> Vec<User> {
    [Some(ROOT), mapped(), Some(SINGLE)].into_iter().flatten().collect()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

const WORKSPACE: &str = "[workspace]\nname = \"rights\"\n[image.it]\ntags = [\"rights/it:1\"]\n";

/// Busybox, under the names that are used here.
const BASE: &str =
    "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// A workspace that everybody can read, and caches of each.
struct Place {
    folder: TempDir,
}

impl Place {
    /// `dockerfile` comes upon a root with busybox.
    fn new(dockerfile: &str) -> Self {
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(open.clone()).tempdir().unwrap();
        let place = Self { folder };
        let program = std::env::var("IMGRAPH_TEST_BUSYBOX").unwrap_or_else(|_| "/bin/busybox".to_owned());
        fs::create_dir(place.path("workspace")).unwrap();
        let imgraph = env!("CARGO_BIN_EXE_imgraph");
        for (from, to) in [(program.as_str(), "workspace/busybox"), (imgraph, "imgraph")] {
            fs::copy(from, place.path(to)).unwrap();
            fs::set_permissions(place.path(to), open.clone()).unwrap();
        }
        fs::write(place.path("workspace/BUILD.toml"), WORKSPACE).unwrap();
        place.write(dockerfile);
        place
    }

    fn write(&self, dockerfile: &str) {
        fs::write(self.path("workspace/Dockerfile"), format!("{BASE}{dockerfile}")).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The cache of a user.
    fn cache(&self, name: &str, user: User) -> PathBuf {
        let cache = self.path(&format!("cache-{name}-{}", user.name));
        if fs::create_dir(&cache).is_ok() {
            chown(&cache, Some(user.uid), Some(user.gid)).unwrap();
        }
        cache
    }

    fn build(&self, user: User, cache: &Path) -> Command {
        let mut command = Command::new(self.path("imgraph"));
        command.args(["build", "--builder", "embedded", "//:it"]).current_dir(self.path("workspace"));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", cache);
        command.arg("--cache-dir").arg(cache);
        if user != ROOT {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// The digest of what `user` builds.
    fn digest(&self, user: User, name: &str) -> String {
        let cache = self.cache(name, user);
        let digest = digest(&self.build(user, &cache).output().unwrap());
        assert_eq!(running(&cache), Vec::<String>::new(), "{user:?}");
        digest
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

fn digest(output: &Output) -> String {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    let at = said.find("sha256:").unwrap_or_else(|| panic!("{said}"));
    said[at..at + 71].to_owned()
}

/// What lies in the folder in which steps work.
fn running(cache: &Path) -> Vec<String> {
    let entries = fs::read_dir(cache.join("embedded/running")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Changes of many kinds, which a user with one id sees as root does.
const CHANGES: &str = "RUN mkdir -p /d/e && echo x > /d/e/f && chmod 0 /d/e/f && chmod 500 /d/e && ln -s f /d/e/l\n\
    COPY --chown=7:8 BUILD.toml /given/\n\
    RUN --mount=type=cache,target=/c --mount=type=bind,source=/,target=/ctx \
    test -f /ctx/BUILD.toml && touch /c/x && rm -rf /bin/ls /d/e && mkdir /d/e && touch /d/e/g /given/BUILD.toml\n\
    RUN test -f /c || touch /no-cache\n";

#[test]
fn the_same_image_whoever_builds() {
    if !is_root() {
        return;
    }
    let place = Place::new(CHANGES);
    let digests: Vec<(User, String)> =
        users().into_iter().map(|user| (user, place.digest(user, "same"))).collect();
    assert!(digests.iter().all(|(_, digest)| *digest == digests[0].1), "{digests:?}");
}

#[test]
fn many_ids_are_as_good_as_all() {
    let Some(user) = mapped().filter(|_| is_root()) else { return };
    let place = Place::new(
        "RUN echo app:x:5:6::/:/bin/sh > /etc/passwd && chown 7:8 /bin/busybox\n\
         RUN --mount=type=cache,target=/c,uid=5,gid=6 ls -ldn /c > /owner && \
         mkdir -p /mine/in && chown -R 5:6 /mine && chmod 700 /mine /mine/in\n\
         USER app\n\
         RUN id > /mine/in/id && ls -ln /bin/busybox >> /mine/in/id\n",
    );
    assert_eq!(place.digest(user, "many"), place.digest(ROOT, "many"));
}

/// The beginning of a command that runs another as the user `id` with these further groups.
fn as_user(id: u32, groups: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args([format!("--reuid={id}"), format!("--regid={id}")]);
    command.arg(format!("--groups={id},{}", groups.join(",")));
    command
}

/// Runs `command` as root of a user namespace that somebody else made, with `count` ids from `first` on.
fn in_namespace(command: &Command, first: u32, count: u32) -> Output {
    let mut inside = as_user(first, &["7"]);
    inside.args(["unshare", "-U", "sh", "-c", "read go; exec \"$@\"", "sh"]);
    inside.arg(command.get_program()).args(command.get_args());
    inside.current_dir(command.get_current_dir().unwrap()).env_clear();
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = inside.spawn().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let own = fs::read_link("/proc/self/ns/user").unwrap();
    while fs::read_link(process.join("ns/user")).unwrap() == own {
        thread::sleep(Duration::from_millis(1));
    }
    for map in ["uid_map", "gid_map"] {
        fs::write(process.join(map), format!("0 {first} {count}")).unwrap();
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait_with_output().unwrap()
}

/// The first of the ids of a namespace, and how many there are: a rootless container, one with few ids, and
/// `unshare -Ur`.
const NAMESPACES: [(u32, u32); 3] = [(200_000, 65_536), (200_000, 1000), (0, 1)];

#[test]
fn root_of_somebody_elses_namespace_has_the_ids_that_there_are() {
    if !is_root() {
        return;
    }
    let place = Place::new(CHANGES);
    let expected = place.digest(ROOT, "namespace");
    for (first, count) in NAMESPACES {
        let user = User { name: "inside", uid: first, gid: first };
        let cache = place.cache(&format!("namespace-{count}"), user);
        assert_eq!(
            digest(&in_namespace(&place.build(ROOT, &cache), first, count)),
            expected,
            "{first} {count}"
        );
        assert_eq!(running(&cache), Vec::<String>::new(), "{first} {count}");
    }
    place.write(
        "RUN echo app:x:5:6::/:/bin/sh > /etc/passwd && chown 7:65534 /bin/busybox\n\
         RUN --mount=type=cache,target=/c,uid=5,gid=6 ls -ldn /c > /owner && \
         mkdir -p /mine/in && chown -R 5:6 /mine && chmod 700 /mine /mine/in\n\
         USER app\n\
         RUN id > /mine/in/id && ls -ln /bin/busybox >> /mine/in/id\n",
    );
    let expected = place.digest(ROOT, "namespace-user");
    for (first, count) in NAMESPACES {
        let user = User { name: "inside-user", uid: first, gid: first };
        let cache = place.cache(&format!("namespace-{count}"), user);
        let output = in_namespace(&place.build(ROOT, &cache), first, count);
        if count >= 65_536 {
            assert_eq!(digest(&output), expected, "{first} {count}");
        } else {
            assert!(!output.status.success() && said(&output).contains("chown"), "{}", said(&output));
        }
        let mut doctor = Command::new(place.path("imgraph"));
        doctor
            .arg("doctor")
            .current_dir(place.path("workspace"))
            .env("HOME", &cache)
            .env("PATH", "/usr/bin:/bin");
        let said = said(&in_namespace(&doctor, first, count));
        let expected = match count {
            65_536 => "ids        65536 ids can be mapped".to_owned(),
            _ => format!("root is in a user namespace that has too few ids ({count} from 0 on)"),
        };
        assert!(said.contains(&expected), "{said}");
        assert_eq!(said.contains("RUN works, in a user namespace with many ids"), count >= 65_536, "{said}");
    }
    // Groups of whoever made the namespace are not those of commands.
    place.write("RUN id > /id\n");
    let expected = place.digest(ROOT, "namespace-groups");
    for (first, count) in NAMESPACES {
        let user = User { name: "inside-groups", uid: first, gid: first };
        let cache = place.cache(&format!("namespace-{count}"), user);
        assert_eq!(
            digest(&in_namespace(&place.build(ROOT, &cache), first, count)),
            expected,
            "{first} {count}"
        );
    }
    place.write("USER 5\nRUN true\n");
    let user = User { name: "inside-refused", uid: 0, gid: 0 };
    let said = said(&in_namespace(&place.build(ROOT, &place.cache("refused", user)), 0, 1));
    assert!(said.contains("is to run as user 5:0") && said.contains("--map-auto"), "{said}");
}

#[test]
fn further_groups_that_commands_see_are_told() {
    if !is_root() {
        return;
    }
    let place = Place::new("");
    let doctor = |groups: &[&str]| {
        let mut doctor = as_user(SINGLE.uid, groups);
        doctor.arg(place.path("imgraph")).arg("doctor").env_clear().current_dir(place.path("workspace"));
        doctor.env("HOME", place.cache("doctor", SINGLE)).env("PATH", "/usr/bin:/bin");
        said(&doctor.output().unwrap())
    };
    let told = "and commands see your further groups";
    assert!(doctor(&["7"]).contains(told));
    assert!(!doctor(&["65534"]).contains(told));
}

#[test]
fn one_id_refuses_other_users_with_the_line() {
    if !is_root() {
        return;
    }
    let place = Place::new("USER 5\nRUN touch /tmp/never\n");
    let cache = place.cache("user", SINGLE);
    let output = place.build(SINGLE, &cache).output().unwrap();
    let said = said(&output);
    assert!(!output.status.success() && said.contains("is to run as user 5:0"), "{said}");
    assert!(said.contains("--> Dockerfile:5") && said.contains("usermod --add-subuids"), "{said}");
    assert_eq!(running(&cache), Vec::<String>::new());
    // Root by another name.
    place.write("USER 0:0\nRUN id\n");
    digest(&place.build(SINGLE, &cache).output().unwrap());
}

/// A cache that lies on an overlay can hold no other.
#[test]
fn without_overlays_roots_are_copied() {
    if !is_root() {
        return;
    }
    let place = Place::new(&format!("{CHANGES}RUN --mount=from=busy,target=/b test -f /b/busybox\n"));
    let dockerfile = fs::read_to_string(place.path("workspace/Dockerfile")).unwrap();
    let busy = format!("FROM scratch AS busy\nCOPY busybox /\n{dockerfile}");
    fs::write(place.path("workspace/Dockerfile"), busy).unwrap();
    for user in users() {
        let expected = place.digest(user, "overlay");
        let cache = place.cache("copy", user);
        let build = place.build(user, &cache.join("top"));
        let script = "cd \"$1\" && mkdir l u w && \
            mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w \"$1\" && \
            mkdir \"$1/top\" && chown $2 \"$1/top\" && cd \"$3\" && shift 3 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(&cache).arg(user.uid.to_string());
        command.arg(place.path("workspace")).args(["setpriv", "--clear-groups"]);
        command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
        command.arg(build.get_program()).args(build.get_args()).env("HOME", &cache);
        assert_eq!(digest(&command.output().unwrap()), expected, "{user:?}");
    }
}

#[test]
fn where_no_command_runs_only_copies_are_made() {
    if !is_root() {
        return;
    }
    let place = Place::new("RUN true\n");
    let cache = place.cache("none", ROOT);
    let build = || {
        let build = place.build(ROOT, &cache);
        let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
            exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", script, "sh"]).arg(build.get_program()).args(build.get_args());
        command.current_dir(place.path("workspace")).env("HOME", &cache);
        command.output().unwrap()
    };
    let output = build();
    let said = said(&output);
    assert!(!output.status.success() && said.contains("this machine cannot run commands"), "{said}");
    assert!(said.contains("--> Dockerfile:3") && said.contains("user.max_user_namespaces"), "{said}");
    assert!(!said.contains("[stage-0 1/"), "something was done before: {said}");
    fs::write(place.path("workspace/Dockerfile"), "FROM scratch\nCOPY busybox /\n").unwrap();
    digest(&build());
}

#[test]
fn nothing_stays_of_a_killed_run() {
    if !is_root() {
        return;
    }
    for user in users() {
        let owner = if user == SINGLE { "0:0" } else { "7:8" };
        let place = Place::new(&format!(
            "RUN mkdir -p /closed/in && touch /closed/in/file && chown -R {owner} /closed && \
             chmod 0 /closed/in /closed && echo reached && sleep 1000\n"
        ));
        let cache = place.cache("killed", user);
        let log = fs::File::create(place.path("log")).unwrap();
        let mut build = place.build(user, &cache);
        let mut child = build.arg("--verbose").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let closed = || {
            let folders = fs::read_dir(cache.join("embedded/running")).into_iter().flatten().flatten();
            folders.map(|entry| entry.path().join("upper/closed")).any(|closed| {
                fs::metadata(closed).is_ok_and(|found| found.permissions().mode() & 0o7777 == 0)
            })
        };
        for _ in 0..3000 {
            if closed() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert!(closed(), "{user:?}: {}", fs::read_to_string(place.path("log")).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_ne!(running(&cache), Vec::<String>::new(), "{user:?}");
        fs::write(place.path("workspace/Dockerfile"), "FROM scratch\nCOPY busybox /\n").unwrap();
        // What ends with the killed one takes a moment to end.
        for _ in 0..100 {
            digest(&place.build(user, &cache).arg("--no-cache").output().unwrap());
            if running(&cache).is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(running(&cache), Vec::<String>::new(), "{user:?}");
    }
}

#[test]
fn a_hundred_and_fifty_layers_lie_over_each_other() {
    if !is_root() {
        return;
    }
    let copies: String = (0..150).map(|number| format!("COPY BUILD.toml /many/{number}\n")).collect();
    let place = Place::new(&format!("{copies}RUN test $(ls /many | wc -l) = 150\n"));
    for user in users() {
        place.digest(user, "many");
    }
}
