//! Working folders, their removal when their run is dead, and what is found out about the machine.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use imgraph::build::embedded::sandbox::{Privileges, Root, RunningFolder, abilities, clean, probes};

use crate::support::{Place, output, privileges, sandbox};

const ALL: &str = "IMGRAPH_TEST_ALL_FOLDERS";

/// Not a test of its own: a run that is killed while it has a folder.
#[test]
fn a_run_that_has_a_folder() {
    let Some(all) = std::env::var_os(ALL) else { return };
    let folder = RunningFolder::make(all.as_ref()).unwrap();
    fs::write(folder.path().join("ready"), "").unwrap();
    thread::sleep(Duration::from_secs(1000));
}

#[test]
fn folders_of_dead_runs_are_removed_and_no_others() {
    let place = Place::new();
    let all = place.path("running");
    assert_eq!(clean(&all, &sandbox(), privileges()).unwrap(), 0);
    let own = RunningFolder::make(&all).unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "folders::a_run_that_has_a_folder"])
        .env(ALL, &all)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folders = || fs::read_dir(&all).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    let ready = || fs::read_dir(&all).unwrap().flatten().any(|entry| entry.path().join("ready").exists());
    while !ready() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(clean(&all, &sandbox(), privileges()).unwrap(), 0);
    assert_eq!(folders(), 2);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(clean(&all, &sandbox(), privileges()).unwrap(), 1);
    assert_eq!(folders(), 1);
    drop(own);
    assert_eq!(fs::read_dir(&all).unwrap().count(), 0);
}

#[test]
fn what_a_command_made_can_be_removed() {
    let place = Place::new();
    let all = place.path("running");
    let own = RunningFolder::make(&all).unwrap();
    for name in ["upper", "work"] {
        fs::create_dir(own.path().join(name)).unwrap();
    }
    let owned = if privileges() == Privileges::Single { "" } else { "chown -R 7:7 /closed;" };
    let mut spec = place
        .spec(&format!("mkdir -p /closed/in; touch /closed/in/file; chmod 0 /closed/in /closed; {owned}"));
    spec.root = Root::Layers { lower: vec![place.path("base")], upper: own.path().join("upper") };
    spec.work = own.path().join("work");
    output(spec);
    own.remove(&sandbox(), privileges()).unwrap();
    assert_eq!(fs::read_dir(&all).unwrap().count(), 0);
}

#[test]
fn abilities_are_what_was_tried() {
    let place = Place::new();
    let found = abilities(&sandbox(), &place.path("cache")).unwrap();
    assert_eq!((found.sandbox, found.overlay), (Ok(()), Ok(())));
    if privileges() != Privileges::Single {
        assert_eq!(found.privileges, privileges());
    }
    assert_eq!(fs::read_dir(place.path("cache")).unwrap().count(), 0);
    let probes = probes(&sandbox(), &place.path("cache"));
    let names: Vec<&str> = probes.iter().map(|probe| probe.name).filter(|name| *name != "ids").collect();
    assert_eq!(names, ["kernel", "sandbox", "overlay", "seccomp", "cgroups", "container", "space"]);
    assert!(probes.iter().all(|probe| probe.ok == probe.cure.is_none()), "{probes:?}");
    // A place that cannot be written to is a finding, not a failure of the finder.
    let nowhere =
        imgraph::build::embedded::sandbox::probes(&sandbox(), std::path::Path::new("/proc/nowhere"));
    assert!(nowhere.iter().any(|probe| probe.name == "sandbox" && !probe.ok), "{nowhere:?}");
}

#[test]
fn without_overlayfs_a_refusal_tells_the_way_out() {
    // The kernel puts no overlay over /proc, as it puts none over another overlay.
    let place = Place::new();
    let mut spec = place.spec("true");
    spec.root = Root::Layers { lower: vec!["/proc/self".into()], upper: "/proc/self".into() };
    let error = crate::support::try_run(spec).err().unwrap();
    assert!(error.to_string().contains("the sandbox cannot be made"), "{error}");
}
