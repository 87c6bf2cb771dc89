//! What a command finds in its root, and what it leaves in the upper folder.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use imgraph::build::embedded::sandbox::{HostAddress, MountSpec, Network, Outcome, Root, SecretPlace};

use crate::support::{Place, output, run};

#[test]
fn what_a_command_writes_is_in_the_upper_folder() {
    let place = Place::new();
    output(place.spec("echo x >/etc/made; rm /etc/passwd; mkdir -p /a/b; true"));
    assert_eq!(place.written(), ["a", "a/b", "etc", "etc/made", "etc/passwd"]);
    assert_eq!(fs::read_to_string(place.path("upper/etc/made")).unwrap(), "x\n");
}

#[test]
fn places_of_mounts_do_not_stay_but_folders_of_the_system_do() {
    let place = Place::new();
    for folder in ["dev", "proc", "sys"] {
        fs::remove_dir(place.path("base").join(folder)).unwrap();
    }
    fs::remove_file(place.path("base/etc/hosts")).unwrap();
    fs::create_dir(place.path("cache")).unwrap();
    let mut spec = place.spec("touch /a/b/c/kept; cat /q/r/s; test -d /t && rmdir /t 2>&1; ls -d /etc/hosts");
    spec.mounts = vec![
        MountSpec::Cache { source: place.path("cache"), target: "/a/b/c".to_owned(), read_only: false },
        MountSpec::Tmpfs { target: "/t".to_owned(), size: Some(1 << 20) },
        secret("/q/r/s"),
        secret("/a/b/c/inside"),
    ];
    let said = output(spec);
    assert!(said.starts_with("geheim") && said.ends_with("/etc/hosts\n"), "{said}");
    // The folder above the places was copied up, as it was; who makes a layer sees that it did not change.
    assert_eq!(place.written(), ["dev", "etc", "proc", "sys"]);
    assert!(place.path("cache/kept").exists());
}

#[test]
fn places_that_lead_through_links_stay_in_the_root() {
    let place = Place::new();
    fs::remove_file(place.path("base/etc/resolv.conf")).unwrap();
    symlink("../run/resolve/stub", place.path("base/etc/resolv.conf")).unwrap();
    symlink("../../../../../../tmp", place.path("base/out")).unwrap();
    let mut spec = place.spec("test -f /run/resolve/stub && cat /out/deep/secret");
    spec.mounts = vec![secret("/out/deep/secret")];
    assert_eq!(output(spec), "geheim");
    assert_eq!(place.written(), ["tmp"]);
}

/// Runs a command in a root in which `path` is a link to `leads`, where `OUTSIDE` stands for a folder of the machine.
/// It works, or is not started for what is `expected` to be said.
fn check_link(path: &str, leads: &str, expected: Result<(), &str>) {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir_all(outside.join("inside")).unwrap();
    fs::create_dir(place.path("base/other")).unwrap();
    let link = place.path("base").join(path.trim_start_matches('/'));
    if let Ok(found) = fs::symlink_metadata(&link) {
        if found.is_dir() { fs::remove_dir_all(&link).unwrap() } else { fs::remove_file(&link).unwrap() }
    }
    symlink(leads.replace("OUTSIDE", outside.to_str().unwrap()), &link).unwrap();
    let before = seen(&outside);
    let mut spec = place.spec("echo x >/dev/null && head -n 1 /etc/hosts && cat /t/secret /proc/self/comm");
    spec.mounts = vec![secret("/t/secret")];
    let ran = run(spec);
    match (&ran.outcome, expected) {
        (Outcome::Exited(0), Ok(())) => {
            assert_eq!(ran.output, "127.0.0.1\tlocalhost buildkitsandbox\ngeheimcat\n", "{path} -> {leads}");
        }
        (Outcome::NotStarted { message, .. }, Err(expected)) => {
            assert_eq!(message, expected, "{path} -> {leads}");
            assert!(place.written().is_empty(), "{path} -> {leads}: {:?}", place.written());
        }
        (outcome, _) => panic!("{path} -> {leads}: {outcome:?} {}{}", ran.output, ran.errors),
    }
    assert_eq!(seen(&outside), before, "{path} -> {leads}");
}

/// What lies in a folder of the machine, and when it was last changed.
fn seen(folder: &Path) -> Vec<(PathBuf, (i64, i64))> {
    let mut seen = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let found = fs::symlink_metadata(&folder).unwrap();
        seen.push((folder.clone(), (found.ctime(), found.ctime_nsec())));
        if found.is_dir() {
            folders.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    seen
}

#[test]
fn links_in_the_places_of_mounts_are_followed_in_the_root_or_refused() {
    const LOOP: &str = "leads nowhere in the image: Too many levels of symbolic links (os error 40)";
    for (folder, itself) in [("/dev", "dev"), ("/proc", "proc"), ("/sys", "sys")] {
        let message = format!("`{folder}` of the image is a link");
        for leads in
            ["/other", "OUTSIDE", "OUTSIDE/missing", "../../../../../..", "/", "/missing/deep", itself]
        {
            check_link(folder, leads, Err(&message));
        }
    }
    for (file, itself) in [("/etc/hosts", "hosts"), ("/etc/resolv.conf", "resolv.conf")] {
        for leads in
            ["/other/file", "OUTSIDE/file", "OUTSIDE/inside", "../../../../other/file", "/missing/deep"]
        {
            check_link(file, leads, Ok(()));
        }
        check_link(file, itself, Err(&format!("`{file}` {LOOP}")));
        check_link(file, "../../..", Err(&format!("`{file}` leads to `/` in the image")));
        check_link(file, "/other", Err(&format!("`{file}` is a folder in the image")));
        check_link(file, "/dev/null", Err(&format!("`{file}` leads into `/dev` in the image")));
        check_link(file, "/proc/self/comm", Err(&format!("`{file}` leads into `/proc` in the image")));
    }
    check_link("/etc", "/other", Ok(()));
    check_link("/etc", "OUTSIDE", Ok(()));
    check_link("/t", "OUTSIDE", Ok(()));
    check_link("/t", "t", Err(&format!("`/t/secret` {LOOP}")));
    check_link("/t", "/proc/self/fd", Err("`/t/secret` leads into `/proc` in the image"));
    check_link("/t", "/proc/1/root", Err("`/t/secret` leads into `/proc` in the image"));
    check_link("/t", "/dev/shm", Ok(()));
}

/// A command that moves the folder of a place away and puts a link there removes nothing of the machine.
#[test]
fn places_are_removed_in_the_root_and_nowhere_else() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir_all(outside.join("deep/folder")).unwrap();
    fs::write(outside.join("deep/secret"), "").unwrap();
    let before = seen(&outside);
    let link = format!("mv /a /z && ln -s {0} /a && mv /b /y && ln -s {0}/deep /b", outside.display());
    let mut spec = place.spec(&link);
    let tmpfs = |target: &str| MountSpec::Tmpfs { target: target.to_owned(), size: None };
    spec.mounts = vec![secret("/a/deep/secret"), tmpfs("/b/folder")];
    output(spec);
    assert_eq!(seen(&outside), before);
    let kept = ["a", "b", "y", "y/folder", "z", "z/deep", "z/deep/secret"];
    assert_eq!(place.written(), kept);
}

#[test]
fn layers_lie_over_each_other() {
    let place = Place::new();
    let mut lower = Vec::new();
    for number in 0..200 {
        let layer = place.path(&format!("layer-with-a-name-that-is-long-{}-{number}", "x".repeat(64)));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join("number"), format!("{number}\n")).unwrap();
        fs::write(layer.join(format!("file-{number}")), "").unwrap();
        lower.insert(0, layer);
    }
    lower.push(place.path("base"));
    let mut spec = place.spec("cat /number; ls /file-* | wc -l");
    spec.root = Root::Layers { lower, upper: place.path("upper") };
    assert_eq!(output(spec), "199\n200\n");
    assert!(place.written().is_empty());
}

#[test]
fn binds_show_other_layers_and_forget_what_is_written() {
    let place = Place::new();
    fs::create_dir_all(place.path("other/src")).unwrap();
    fs::write(place.path("other/src/file"), "content\n").unwrap();
    symlink("/src/file", place.path("other/link")).unwrap();
    let bind = |source: &str, target: &str, read_only: bool| MountSpec::Bind {
        lower: vec![place.path("other")],
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    let mut spec = place.spec(
        "cat /one/file /two; touch /one/new 2>/dev/null || echo refused; echo changed >/three/file; cat /three/file",
    );
    spec.mounts = vec![bind("/src", "/one", true), bind("link", "/two", true), bind("src", "/three", false)];
    assert_eq!(output(spec), "content\ncontent\nrefused\nchanged\n");
    assert_eq!(fs::read_to_string(place.path("other/src/file")).unwrap(), "content\n");
    assert!(place.written().is_empty());
}

#[test]
fn a_folder_can_be_the_root() {
    let place = Place::new();
    let mut spec = place.spec("echo x >/made; cat /deep/er/secret");
    spec.root = Root::Folder(place.path("base"));
    spec.mounts = vec![secret("/deep/er/secret")];
    assert_eq!(output(spec), "geheim");
    assert!(place.path("base/made").exists());
    assert!(!place.path("base/deep").exists());
}

#[test]
fn a_root_can_be_read_only() {
    let place = Place::new();
    let mut spec = place.spec("touch /x 2>/dev/null || echo refused; touch /t/x && echo written");
    spec.read_only_root = true;
    spec.mounts = vec![MountSpec::Tmpfs { target: "/t".to_owned(), size: None }];
    assert_eq!(output(spec), "refused\nwritten\n");
}

#[test]
fn hosts_are_the_builds_own() {
    let place = Place::new();
    let mut spec =
        place.spec("cat /etc/hosts; ls /sys/class/net; echo x 2>/dev/null >>/etc/hosts || echo refused");
    spec.extra_hosts = vec![HostAddress { address: "10.1.2.3".to_owned(), name: "db".to_owned() }];
    let expected = "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                    10.1.2.3\tdb\nlo\nrefused\n";
    assert_eq!(output(spec), expected);
    let mut spec = place.spec("cat /etc/resolv.conf");
    spec.network = Network::Host;
    assert_eq!(output(spec), fs::read_to_string("/etc/resolv.conf").unwrap());
}

fn secret(target: &str) -> MountSpec {
    let place = SecretPlace::File { target: target.to_owned(), uid: 0, gid: 0, mode: 0o400 };
    MountSpec::Secret { content: b"geheim".to_vec(), place }
}

#[test]
fn an_agent_answers_through_its_socket() {
    // It takes a program that can connect to a socket: the machine's perl, if it has one.
    if !Path::new("/usr/bin/perl").exists() || !Path::new("/lib").is_symlink() {
        return;
    }
    let place = Place::new();
    for name in ["lib", "lib64"] {
        symlink(format!("usr/{name}"), place.path("base").join(name)).unwrap();
    }
    let agent = UnixListener::bind(place.path("agent")).unwrap();
    std::thread::spawn(move || {
        for mut asking in agent.incoming().flatten() {
            let mut message = [0; 6];
            asking.read_exact(&mut message).unwrap();
            assert_eq!(message, *b"\0\0\0\x02\x0bp");
            asking.write_all(b"\0\0\0\x04PING").unwrap();
        }
    });
    let connect = "socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un('/run/agent.sock')) or die $!; \
                   syswrite(S, pack('NCa', 2, 11, 'p')); sysread(S, $b, 4); sysread(S, $b, 4); print $b";
    let perl = format!("perl -MSocket -e \"{}\"", connect.replace('$', "\\$"));
    let mut spec = place.spec(&format!("{perl}; {perl}; stat -c ' %a %u' /run/agent.sock"));
    spec.mounts = vec![
        MountSpec::Bind {
            lower: vec!["/".into()],
            source: "/usr".to_owned(),
            target: "/usr".to_owned(),
            read_only: true,
        },
        MountSpec::Ssh {
            socket: place.path("agent"),
            target: "/run/agent.sock".to_owned(),
            uid: 0,
            gid: 0,
            mode: 0o600,
        },
    ];
    assert_eq!(output(spec), "PINGPING 600 0\n");
}
