//! All of the tests once more as users who are not root.
//!
//! Who has no range of ids of their own (`nobody`) is root inside and alone. Who has one (the first user in
//! `/etc/subuid`, where there is one and `newuidmap` too) has many ids.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::program;

/// Runs every other test of this file's program as the user, with copies of the programs that the user can read.
fn run_as(uid: u32, gid: u32, mapped: bool) {
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let (tests, imgraph) = (folder.path().join("tests"), folder.path().join("imgraph"));
    for (from, to) in [(std::env::current_exe().unwrap(), &tests), (program(), &imgraph)] {
        fs::copy(from, to).unwrap();
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&tests);
    command.args(["--skip", "ordinary_user"]).uid(uid).gid(gid).current_dir("/");
    command.env("IMGRAPH_TEST_PROGRAM", &imgraph).env_remove("TMPDIR");
    if mapped {
        command.env("IMGRAPH_TEST_MAPPED", "1");
    }
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("test result: ok"), "{said}");
}

#[test]
fn a_user_with_one_id() {
    if rustix::process::geteuid().is_root() {
        run_as(65_534, 65_534, false);
    }
}

#[test]
fn a_user_with_many_ids() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/newuidmap").exists() {
        return;
    }
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let owner =
        ranges.lines().filter_map(|line| nix::unistd::User::from_name(line.split(':').next()?).ok()?);
    if let Some(user) = owner.into_iter().find(|user| !user.uid.is_root()) {
        run_as(user.uid.as_raw(), user.gid.as_raw(), true);
    }
}
