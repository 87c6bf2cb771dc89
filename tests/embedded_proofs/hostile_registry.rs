//! A registry that somebody made to do harm, asked by the program itself.
//!
//! Whatever it answers is an error that says what is wrong, with little memory, no file outside of the cache and no
//! password for a stranger. What it left in the cache is whole: once the registry is honest, the same build in the
//! same cache gives the same image as anywhere.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::attacker::{Reply, Request, Server};
use crate::base_layout::{self, digest};
use crate::harms::{self, Harm, stranger};
use crate::hostile::{self, Trial};
use crate::layout::{GZIP, config};
use crate::place::{Place, digests, succeeded};
use crate::served::{REPOSITORY, Served};

const PASSWORD: &str = "hunter22";
/// `reader:hunter22` in base 64.
const AUTH: &str = "cmVhZGVyOmh1bnRlcjIy";

const BUILD: &[&str] = &["build", "--progress", "plain", "//:app"];

/// What no registry can make a build ask it.
const MOST_REQUESTS: usize = 64;

/// The honest image: what it is built from, and what it gives.
fn honest() -> &'static Served {
    static HONEST: OnceLock<Served> = OnceLock::new();
    HONEST.get_or_init(|| Served::of(&[&base_layout::read("busybox-2.tar")]))
}

/// What a build of the honest image gives, wherever it happens.
static EXPECTED: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// A registry, hostile until it is told otherwise.
struct Registry {
    server: Server,
    stranger: Server,
    is_honest: Arc<AtomicBool>,
    place: Place,
}

impl Registry {
    fn start(harm: Harm) -> (Self, String) {
        let mut hostile = honest().clone();
        (harm.make)(&mut hostile);
        let reference = (harm.reference)(&hostile);
        let (is_honest, stranger) = (Arc::new(AtomicBool::new(false)), stranger());
        let (turned, other) = (Arc::clone(&is_honest), format!("localhost:{}", stranger.port));
        let server = Server::start(move |request| {
            if turned.load(Ordering::SeqCst) {
                return honest().answer(request);
            }
            if harm.asks && request.header("authorization").is_empty() {
                return Reply::new(401, &[("WWW-Authenticate", "Basic realm=\"registry\"")], "");
            }
            (harm.fault)(&hostile, request, &other).unwrap_or_else(|| hostile.answer(request))
        });
        let place = Place::new();
        let host = format!("127.0.0.1:{}", server.port);
        let dockerfile = format!("FROM {host}/{REPOSITORY}{reference}\nRUN [\"/bin/busybox\", \"true\"]\n");
        place.write("Dockerfile", dockerfile);
        place.write("BUILD.toml", "[workspace]\nname = \"proof\"\n[image.app]\n");
        let auths = json!({"auths": {&*host: {"auth": AUTH}}});
        place.write("../.docker/config.json", auths.to_string());
        place.write("../victim/file", "precious");
        (Self { server, stranger, is_honest, place }, host)
    }

    /// That nobody else was told the password.
    fn kept_the_password(&self) {
        for request in self.stranger.take_requests() {
            let Request { path, headers, body } = request;
            let told = format!("{path} {headers:?} {body}");
            assert!(!told.contains(PASSWORD) && !told.contains(AUTH), "a stranger was told: {told}");
        }
    }
}

/// That every blob of the store is what its name says, and that none is half there.
fn check_blobs(place: &Place) {
    let begun = place.cache().join("oci/.imgraph/temporary");
    assert_eq!(fs::read_dir(begun).into_iter().flatten().count(), 0, "something is half written");
    let blobs = place.cache().join("oci/blobs/sha256");
    for blob in fs::read_dir(blobs).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let name = blob.file_name().unwrap().to_str().unwrap();
        assert_eq!(digest(&fs::read(&blob).unwrap()), format!("sha256:{name}"));
    }
}

fn check(harm: Harm) {
    let (what, words, asks) = (harm.what, harm.words, harm.asks);
    let (registry, host) = Registry::start(harm);
    let words = words.replace("HOST", &host);
    let code = Trial::new(&registry.place).check(what, &[BUILD], &words);
    assert_eq!(code, Some(3), "{what}");
    let asked = registry.server.take_requests();
    assert!(asked.len() < MOST_REQUESTS, "{what}: {} requests", asked.len());
    let is_told = |request: &Request| request.header("authorization").contains(AUTH);
    assert!(!asks || asked.iter().any(is_told), "{what}: the registry was not told the password");
    registry.kept_the_password();
    check_blobs(&registry.place);
    registry.is_honest.store(true, Ordering::SeqCst);
    let built = registry.place.build(&["//:app"]);
    succeeded(&built);
    let built = digests(&built);
    assert_eq!(*EXPECTED.get_or_init(|| built.clone()), built, "{what}, and an honest registry after it");
    check_blobs(&registry.place);
}

/// Tries all, several at a time; each failure leaves the others to go on.
fn each<Trial: Send>(
    trials: Vec<Trial>,
    check: impl Fn(Trial) + Sync,
    name: impl Fn(&Trial) -> &'static str + Sync,
) {
    let (waiting, problems) = (Mutex::new(trials), Mutex::new(Vec::new()));
    let take = || waiting.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(trial) = take() {
                    let what = name(&trial);
                    let tried = std::panic::AssertUnwindSafe(|| check(trial));
                    if std::panic::catch_unwind(tried).is_err() {
                        problems.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    assert!(problems.is_empty(), "{problems:?}");
}

fn check_all(harms: Vec<Harm>) {
    each(harms, check, |harm| harm.what);
}

/// An image, and the words with which it is refused, wherever it may come from; no words where it does no harm. It
/// may lead to the folder that is given.
type Layers = (&'static str, Box<dyn Fn(&Path) -> Served + Send>, &'static str);

/// That layers are refused, again and again.
fn check_layers((what, make, words): Layers) {
    let place = hostile::place();
    let served = make(place.folder());
    let server = Server::start(move |request| served.answer(request));
    let dockerfile = fs::read_to_string(place.workspace().join("base.Dockerfile")).unwrap();
    let name = format!("FROM 127.0.0.1:{}/{REPOSITORY}\n", server.port);
    place.write("base.Dockerfile", dockerfile.replace("FROM hostile\n", &name));
    let trial = Trial::new(&place);
    let build: &[&str] = &["build", "//:base"];
    let first = trial.check(what, &[build], words);
    assert!(!server.take_requests().is_empty(), "{what}: nothing was fetched");
    assert_eq!(trial.check(what, &[build], words), first, "{what}, again");
    assert_eq!(server.take_requests().len(), 0, "{what}: what is there is fetched again");
    check_blobs(&place);
}

#[test]
fn layers_of_a_hostile_registry_do_no_harm() {
    let mut trials: Vec<Layers> = Vec::new();
    for (what, lines, words, _) in hostile::ARCHIVES {
        trials.push((what, Box::new(|place| Served::of(&[&hostile::tar(lines, place)])), words));
    }
    trials.push(("zeros", Box::new(|_| zeros()), "times its size"));
    trials.push(("large windows", Box::new(|_| windows()), ""));
    for (what, kind) in [("gzip as zstd", "+zstd"), ("gzip as a tar", "")] {
        trials.push((what, Box::new(|_| of_another_kind(kind)), ""));
    }
    each(trials, check_layers, |(what, _, _)| what);
}

/// An image of one layer that has no end.
fn zeros() -> Served {
    let mut served = Served::default();
    let layer = served.blob(GZIP, hostile::zeros());
    served.image(&[layer], &config(&[digest(b"zeros")]));
    served
}

/// An image whose layer is compressed in another way than its manifest says.
fn of_another_kind(kind: &str) -> Served {
    let mut served = Served::of(&[&hostile::tar(&[(b'0', "a", "")], Path::new("/"))]);
    let mut manifest = served.manifest();
    manifest["layers"][0]["mediaType"] = json!(format!("application/vnd.oci.image.layer.v1.tar{kind}"));
    served.latest(&manifest);
    served
}

/// An image of four layers whose decoder is asked to keep 128 MiB of each.
fn windows() -> Served {
    let mut served = Served::default();
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c", "d"] {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(130 << 20);
        header.set_mode(0o644);
        header.set_cksum();
        let archive = [header.as_bytes().as_slice(), &vec![0; (130 << 20) + 1024]].concat();
        diff_ids.push(digest(&archive));
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&archive).unwrap();
        layers.push(served.blob("application/vnd.oci.image.layer.v1.tar+zstd", encoder.finish().unwrap()));
    }
    served.image(&layers, &config(&diff_ids));
    served
}

#[test]
fn a_trickle_can_be_interrupted() {
    let trickle = Harm::any("a trickle", "", |_, _, _| {
        Reply::begun(200, &[], |writer| {
            loop {
                writer.write_all(b" ")?;
                thread::sleep(Duration::from_millis(100));
            }
        })
    });
    let (registry, _) = Registry::start(trickle.unasked());
    let mut build =
        registry.place.imgraph(BUILD).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while registry.server.take_requests().is_empty() {
        assert_eq!(build.try_wait().unwrap(), None, "nothing was asked");
        thread::sleep(Duration::from_millis(10));
    }
    let id = rustix::process::Pid::from_child(&build);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(build.wait().unwrap().code(), Some(130));
    check_blobs(&registry.place);
}

#[test]
fn documents_of_a_hostile_registry_do_no_harm() {
    check_all(harms::manifests());
    check_all(harms::configurations());
}

#[test]
fn blobs_of_a_hostile_registry_do_no_harm() {
    check_all(harms::blobs());
}

#[test]
fn a_hostile_registry_leads_nowhere() {
    check_all(harms::directions());
}
