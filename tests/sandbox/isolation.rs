//! What a command cannot do and cannot see.

use std::fs;

use imgraph::build::embedded::sandbox::{MountSpec, Network, Outcome, Privileges, SecretPlace, User};

use crate::support::{Place, output, privileges, run, try_run};

fn is_root() -> bool {
    privileges() == Privileges::Root
}

#[test]
fn rights_are_those_of_a_container() {
    let place = Place::new();
    let rights = "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status | tr -d '\\t'";
    let expected = "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\n\
                    CapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n";
    assert_eq!(output(place.spec(rights)), expected);
    if !is_root() {
        return;
    }
    let mut spec = place.spec(&format!("id; {rights}"));
    spec.user = User { uid: 5, gid: 6, groups: vec![7, 6] };
    let expected = "uid=5(ann) gid=6 groups=6,7\nCapInh:0000000000000000\nCapPrm:0000000000000000\n\
                    CapEff:0000000000000000\nCapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n";
    assert_eq!(output(spec), expected);
}

#[test]
fn one_id_is_not_another_user() {
    let place = Place::new();
    let mut spec = place.spec("true");
    spec.privileges = Privileges::Single;
    spec.user.uid = 5;
    let refusal = try_run(spec).err().unwrap().to_string();
    assert!(refusal.contains("user 5:0") && refusal.contains("only one id"), "{refusal}");
}

#[test]
fn namespaces_are_its_own() {
    let place = Place::new();
    let script = "for kind in mnt pid ipc uts net cgroup user; do readlink /proc/self/ns/$kind; done";
    let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    let seen = output(place.spec(script));
    for (kind, seen) in ["mnt", "pid", "ipc", "uts", "net", "cgroup", "user"].into_iter().zip(seen.lines()) {
        assert_eq!(seen == own(kind), kind == "user" && is_root(), "{kind} {seen}");
    }
    let mut spec = place.spec("readlink /proc/self/ns/net");
    spec.network = Network::Host;
    assert_eq!(output(spec).trim_end(), own("net"));
    assert_eq!(
        output(place.spec("test $(ls -d /proc/[0-9]* | wc -l) -lt 6 && echo few; ls /sys/class/net; ping -c 1 127.0.0.1 >/dev/null && echo up")),
        "few\nlo\nup\n"
    );
}

#[test]
fn mounts_are_those_of_a_container() {
    let place = Place::new();
    let mounts = output(place.spec("cat /proc/self/mounts"));
    let folder = place.path("").display().to_string();
    for line in mounts.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (target, options) = (words[1], words[3].split(',').collect::<Vec<_>>());
        let device = target.starts_with("/dev/") && !matches!(target, "/dev/shm" | "/dev/mqueue")
            || ["/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/timer_list"].contains(&target);
        assert!(options.contains(&"nodev") || device, "a device node would work: {line}");
        assert!(target == "/" || !line.contains(&folder), "{line}");
    }
    let targets: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    for expected in
        ["/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/etc/hosts", "/proc/sys"]
    {
        assert!(targets.contains(&expected), "{expected} in {targets:?}");
    }
    let script = "ls -A /dev | sort | tr '\\n' ' '; stat -c '%a %u' /dev/null /dev/shm /dev; echo x >/dev/null; \
                  test -z \"$(cat /proc/keys 2>/dev/null)\" && echo masked; head -c 2 /dev/urandom | wc -c; \
                  echo 1 2>/dev/null >/proc/sys/kernel/printk || echo refused; mkdir /sys/x 2>/dev/null || echo refused";
    let expected = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ";
    let seen = output(place.spec(script));
    assert!(seen.starts_with(expected), "{seen}");
    assert!(seen.ends_with("masked\n2\nrefused\nrefused\n"), "{seen}");
    if is_root() {
        assert!(seen.contains("666 0\n1777 0\n755 0\n"), "{seen}");
    }
}

#[test]
fn there_is_no_way_out() {
    let place = Place::new();
    fs::write(place.path("outside"), "outside\n").unwrap();
    let outside = place.path("outside").display().to_string();
    let tries = [
        "mount -t tmpfs none /tmp",
        "mount -o remount,rw /proc/sys",
        "mount --bind /bin /tmp",
        "umount /etc/hosts",
        "umount -l /proc",
        "unshare -U true",
        "unshare -m true",
        "hostname other",
        "mknod /tmp/null c 1 3 && echo x >/tmp/null",
        "mknod /dev/disk b 8 0 && head -c 1 /dev/disk",
        "mknod /dev/shm/memory c 1 1 && head -c 1 /dev/shm/memory",
        "head -c 1 /proc/kcore | grep .",
        "reboot -f",
        "swapon /etc/passwd",
        "insmod /etc/passwd",
        "chroot /proc/1/root cat OUTSIDE",
        "cat /proc/1/cwd/OUTSIDE",
        "cat /../../../../OUTSIDE",
        "mkdir /j; chroot /j /bin/sh -c true; cd ..; cd ../..; chroot . cat OUTSIDE",
        "for fd in /proc/self/fd/*; do cat $fd/../../OUTSIDE 2>/dev/null && exit 0; done; exit 1",
        "kill -0 2",
    ];
    for attempt in tries {
        let ran = run(place.spec(&attempt.replace("OUTSIDE", &outside)));
        assert!(
            matches!(ran.outcome, Outcome::Exited(code) if code != 0),
            "{attempt}: {:?} {}",
            ran.outcome,
            ran.output
        );
        assert!(!ran.output.contains("outside"), "{attempt}");
    }
}

#[test]
fn descriptors_of_the_caller_do_not_reach_the_command() {
    use std::os::fd::AsFd;
    let place = Place::new();
    let folder = fs::File::open("/").unwrap();
    // A descriptor that every child inherits, as a shell's `exec 9</` gives it.
    rustix::io::fcntl_setfd(folder.as_fd(), rustix::io::FdFlags::empty()).unwrap();
    let seen = output(place.spec("ls /proc/1/fd; true"));
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn secrets_are_seen_and_leave_nothing() {
    let place = Place::new();
    let value = "a-secret-value-4711";
    let mut spec = place.spec("cat /run/secrets/token; stat -c ' %a %u' /run/secrets/token; echo $TOKEN; touch /made; cat /proc/1/environ | wc -c");
    let file = SecretPlace::File { target: "/run/secrets/token".to_owned(), uid: 0, gid: 0, mode: 0o440 };
    for place in [file, SecretPlace::Variable("TOKEN".to_owned())] {
        spec.mounts.push(MountSpec::Secret { content: value.as_bytes().to_vec(), place });
    }
    assert!(!format!("{spec:?}").contains(value));
    let seen = output(spec);
    assert!(seen.starts_with(&format!("{value} 440 0\n{value}\n")), "{seen}");
    assert_eq!(place.written(), ["made"]);
    assert_eq!(fs::read_dir(place.path("work")).unwrap().count(), 0);
}

#[test]
fn many_ids_can_own_and_run() {
    if privileges() == Privileges::Single {
        return;
    }
    let place = Place::new();
    let script = "touch /tmp/a && chown 100:200 /tmp/a && stat -c '%u:%g' /tmp/a; su ann -s /bin/sh -c 'id -u; echo hi >/tmp/b'; stat -c %u /tmp/b";
    assert_eq!(output(place.spec(script)), "100:200\n5\n5\n");
    let mut spec =
        place.spec("id -u; id -g; touch /tmp/c; pwd; touch here; chown 0 here 2>/dev/null || echo refused");
    spec.user = User { uid: 1000, gid: 1001, groups: vec![] };
    spec.cwd = "/home/somebody".to_owned();
    assert_eq!(output(spec), "1000\n1001\n/home/somebody\nrefused\n");
}
