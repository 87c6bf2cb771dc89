//! A registry that somebody made to do harm, asked by the program itself.
//!
//! Whatever it answers is an error that says what is wrong, with little memory, no file outside of the cache and no
//! password for a stranger. What it left in the cache is whole: once the registry is honest, the same build in the
//! same cache gives the same image as anywhere.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::attacker::{Reply, Request, Server};
use crate::base_layout::{self, digest};
use crate::hostile::{self, Trial};
use crate::layout::{CONFIG, GZIP, INDEX, MANIFEST, config};
use crate::place::{Place, digests, succeeded};
use crate::served::{REPOSITORY, Served, begin_of, gzip};

const PASSWORD: &str = "hunter22";
/// `reader:hunter22` in base 64.
const AUTH: &str = "cmVhZGVyOmh1bnRlcjIy";

const BUILD: &[&str] = &["build", "--progress", "plain", "//:app"];

/// What no registry can make a build ask it.
const MOST_REQUESTS: usize = 64;

/// What a server answers in the place of an honest one, where it does. `stranger` is another host.
type Fault = dyn Fn(&Served, &Request, &str) -> Option<Reply> + Send + Sync;

/// One way to do harm.
struct Harm {
    what: &'static str,
    /// Before the colon or the `@`: what the Dockerfile asks for, where it is not the tag.
    reference: fn(&Served) -> String,
    /// What is in the registry.
    make: fn(&mut Served),
    fault: Box<Fault>,
    /// Whether it wants the password before it does harm.
    asks: bool,
    /// What is said.
    words: &'static str,
}

impl Harm {
    /// By an honest server, of what is made.
    fn new(what: &'static str, make: fn(&mut Served), words: &'static str) -> Self {
        Self { what, reference: |_| String::new(), make, fault: Box::new(|_, _, _| None), asks: true, words }
    }

    /// By the answers to all that is asked.
    fn any(what: &'static str, words: &'static str, fault: fn(&Served, &Request, &str) -> Reply) -> Self {
        let fault =
            move |served: &Served, request: &Request, stranger: &str| Some(fault(served, request, stranger));
        Self { fault: Box::new(fault), ..Self::new(what, |_| {}, words) }
    }

    /// By the answers to requests for the layer.
    fn layer(what: &'static str, words: &'static str, fault: fn(&[u8], &Request, &str) -> Reply) -> Self {
        let fault = move |served: &Served, request: &Request, stranger: &str| {
            let layer = served.layer();
            request.path.ends_with(&layer).then(|| fault(&served.blobs[&layer], request, stranger))
        };
        Self { fault: Box::new(fault), ..Self::new(what, |_| {}, words) }
    }

    /// It asks for the password itself, or does not.
    fn unasked(self) -> Self {
        Self { asks: false, ..self }
    }

    fn by_digest(self) -> Self {
        Self { reference: |served| format!("@{}", digest(&served.manifests["latest"])), ..self }
    }
}

/// The honest image: what it is built from, and what it gives.
fn honest() -> &'static Served {
    static HONEST: OnceLock<Served> = OnceLock::new();
    HONEST.get_or_init(|| Served::of(&[&base_layout::read("busybox-2.tar")]))
}

/// What a build of the honest image gives, wherever it happens.
static EXPECTED: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Endless bytes, in pieces.
fn forever(writer: &mut dyn Write, byte: u8) -> io::Result<()> {
    let piece = vec![byte; 64 << 10];
    loop {
        writer.write_all(&piece)?;
    }
}

fn documents() -> Vec<Harm> {
    vec![
        Harm::any("another manifest", "has other bytes than its digest", |served, _, _| {
            Reply::new(200, &[], [served.manifests["latest"].as_slice(), b"\n"].concat())
        })
        .by_digest(),
        Harm {
            fault: Box::new(|_, request, _| {
                request.path.contains("/manifests/sha256:").then(|| Reply::new(200, &[], "{}"))
            }),
            ..Harm::new(
                "an index whose manifest is another",
                |served| wrapped(served, 1),
                "other bytes than its digest",
            )
        },
        Harm::any(
            "a manifest without end",
            "the manifest of HOST/team/app has more than 4194304 bytes",
            |_, _, _| {
                Reply::begun(200, &[], |writer| {
                    writer.write_all(b"{\"schemaVersion\":2,\"config\":")?;
                    forever(writer, b' ')
                })
            },
        ),
        Harm::any("a manifest of a GiB", "has more than 4194304 bytes", |_, _, _| {
            Reply::begun(200, &[("Content-Length", "1073741824")], |writer| forever(writer, b' '))
        }),
        Harm::any("chunks without end", "has more than 4194304 bytes", |_, _, _| {
            Reply::begun(200, &[("Transfer-Encoding", "chunked")], |writer| {
                loop {
                    writer.write_all(b"1000\r\n")?;
                    writer.write_all(&[b' '; 0x1000])?;
                    writer.write_all(b"\r\n")?;
                }
            })
        }),
        Harm::any("an index of itself", "has other bytes than its digest", |_, _, _| {
            let itself = json!({"mediaType": INDEX, "digest": digest(b"itself"), "size": 300});
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [itself]});
            Reply::new(200, &[], index.to_string())
        }),
        Harm::new("indexes in one another", |served| wrapped(served, 9), "too deep in one another"),
        Harm::new("indexes of everything", widened, "HOST/team/app is not there for linux/"),
        Harm::new(
            "a manifest of no JSON",
            |served| plant(served, b"<html>hello</html>"),
            "its manifest is not right",
        ),
        Harm::new(
            "a manifest in a manifest",
            |served| plant(served, "[".repeat(1 << 20).as_bytes()),
            "its manifest is not right",
        ),
        Harm::new(
            "a manifest that says that it is an index",
            |served| changed(served, |manifest, _| manifest["mediaType"] = json!(INDEX)),
            "neither that of an image nor an index",
        ),
        Harm::new(
            "a layer that is a page",
            |served| changed(served, |manifest, _| manifest["layers"][0]["mediaType"] = json!("text/html")),
            "a layer of it is `text/html`",
        ),
        Harm::new(
            "a layer that lies elsewhere",
            |served| {
                changed(served, |manifest, _| manifest["layers"][0]["urls"] = json!(["file:///etc/passwd"]))
            },
            "lies elsewhere",
        ),
        Harm::new(
            "a digest that is a path",
            |served| {
                changed(served, |manifest, _| {
                    manifest["layers"][0]["digest"] = json!("sha256:../../../victim")
                })
            },
            "its manifest is not right",
        ),
        Harm::new(
            "a configuration beyond all",
            |served| changed(served, |manifest, _| manifest["config"]["size"] = json!(u64::MAX)),
            "the configuration of HOST/team/app has more than",
        ),
        Harm::new(
            "a configuration of no JSON",
            |served| configured(served, "GIF89a"),
            "its configuration is not right",
        ),
        Harm::new(
            "a configuration of a list",
            |served| configured(served, &format!("[{}0]", "0,".repeat(2_000_000))),
            "its configuration is not right",
        ),
        Harm::new("a long history", |served| filled(served, "history", "{}"), "HOST/team/app cannot be used"),
        Harm::new(
            "a field that nobody knows",
            |served| filled(served, "x", "0"),
            "HOST/team/app cannot be used",
        ),
        Harm::new("lists in a list", |served| filled(served, "x", "[]"), "HOST/team/app cannot be used"),
        Harm::new(
            "a deep configuration",
            |served| {
                let deep = format!("{}0{}", "[".repeat(100_000), "]".repeat(100_000));
                filled(served, "x", &deep);
            },
            "its configuration is not right",
        ),
        Harm::new(
            "more layers than anybody has",
            |served| {
                changed(served, |manifest, config| {
                    manifest["layers"] = json!(vec![manifest["layers"][0].clone(); 2000]);
                    config["rootfs"]["diff_ids"] = json!(vec![digest(b""); 2000]);
                })
            },
            "more than 1000 layers",
        ),
    ]
}

/// `latest` is an index of one image, so many times over.
fn wrapped(served: &mut Served, times: usize) {
    let mut inner = json!({
        "mediaType": MANIFEST, "digest": digest(&served.manifests["latest"]), "size": served.manifests["latest"].len()
    });
    for _ in 0..times {
        inner = served.index(&[inner]);
    }
}

/// `latest` is an index of many indexes, each of many images that say nowhere that they are for a machine of nobody.
fn widened(served: &mut Served) {
    changed(served, |_, config| config["architecture"] = json!("mips"));
    let bytes = &served.manifests["latest"];
    let mut inner = json!({"mediaType": MANIFEST, "digest": digest(bytes), "size": bytes.len()});
    for _ in 0..3 {
        inner = served.index(&vec![inner; 17]);
    }
}

/// `latest` is these bytes.
fn plant(served: &mut Served, bytes: &[u8]) {
    served.manifests.insert("latest".to_owned(), bytes.to_owned());
}

/// `latest` is the same image with other documents.
fn changed(served: &mut Served, change: fn(&mut Value, &mut Value)) {
    let mut manifest = served.manifest();
    let of = manifest["config"]["digest"].as_str().unwrap();
    let mut config = serde_json::from_slice(&served.blobs[of]).unwrap();
    let before: Value = config;
    config = before.clone();
    change(&mut manifest, &mut config);
    if config != before {
        manifest["config"] = served.blob(CONFIG, config.to_string());
    }
    served.latest(&manifest);
}

/// `latest` has this configuration.
fn configured(served: &mut Served, text: &str) {
    let mut manifest = served.manifest();
    manifest["config"] = served.blob(CONFIG, text);
    served.latest(&manifest);
}

/// `latest` has a configuration of 4 MB, most of it a list of equal things.
fn filled(served: &mut Served, field: &str, thing: &str) {
    let manifest = served.manifest();
    let of = manifest["config"]["digest"].as_str().unwrap();
    let config = String::from_utf8(served.blobs[of].clone()).unwrap();
    let count = (4_190_000 - config.len()) / (thing.len() + 1);
    let list = vec![thing; count].join(",");
    let text = format!("{},\"{field}\":[{list}]}}", config.strip_suffix('}').unwrap());
    assert!(text.len() < 4 << 20);
    configured(served, &text);
}

fn blobs() -> Vec<Harm> {
    let mut harms = vec![
        Harm::layer("other bytes", "has other bytes than its digest", |layer, _, _| {
            Reply::new(200, &[], flipped(layer))
        }),
        Harm::layer("a longer layer", "bytes, and not the", |layer, _, _| {
            Reply::new(200, &[], [layer, b"x"].concat())
        }),
        Harm::layer("a shorter layer", "bytes, and not the", |layer, _, _| {
            Reply::new(200, &[], &layer[..layer.len() - 1])
        }),
        Harm::layer("a layer without end", "bytes, and not the", |layer, _, _| {
            let layer = layer.to_owned();
            Reply::begun(200, &[], move |writer| {
                writer.write_all(&layer)?;
                forever(writer, 0)
            })
        }),
        Harm::layer(
            "a layer that is cut",
            "could not be asked for the layer sha256:",
            |layer, request, _| {
                let (half, length) = (layer[..layer.len() / 2].to_owned(), layer.len().to_string());
                if begin_of(request) > 0 {
                    return Reply::raw(|_| Ok(()));
                }
                Reply::begun(200, &[("Content-Length", &length)], move |writer| writer.write_all(&half))
            },
        ),
        Harm::layer("a rest of other bytes", "has other bytes than its digest", |layer, request, _| {
            let from = begin_of(request);
            if from == 0 {
                let (half, length) = (layer[..layer.len() / 2].to_owned(), layer.len().to_string());
                return Reply::begun(200, &[("Content-Length", &length)], move |writer| {
                    writer.write_all(&half)
                });
            }
            let range = format!("bytes {from}-{}/{}", layer.len() - 1, layer.len());
            Reply::new(206, &[("Content-Range", &range)], flipped(&layer[from..]))
        }),
        Harm::layer(
            "a rest that begins elsewhere",
            "could not be asked for the layer",
            |layer, request, _| {
                if begin_of(request) > 0 {
                    return Reply::new(206, &[("Content-Range", "bytes 0-99/100")], vec![0; 100]);
                }
                let (half, length) = (layer[..layer.len() / 2].to_owned(), layer.len().to_string());
                Reply::begun(200, &[("Content-Length", &length)], move |writer| writer.write_all(&half))
            },
        ),
        Harm::layer("a part that nobody asked for", "has other bytes than its digest", |layer, _, _| {
            let range = format!("bytes 1-{}/{}", layer.len(), layer.len() + 1);
            Reply::new(206, &[("Content-Range", &range)], flipped(layer))
        }),
        Harm::layer("no range is right", "answered 416 to the layer", |_, _, _| Reply::new(416, &[], "")),
        Harm::layer("packed once more", "bytes, and not the", |layer, _, _| {
            Reply::new(200, &[("Content-Encoding", "gzip")], gzip(layer))
        }),
        Harm::layer("no HTTP", "could not be asked for the layer", |_, _, _| {
            Reply::raw(|writer| writer.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"))
        }),
        Harm::layer("headers without end", "could not be asked for the layer", |_, _, _| {
            Reply::raw(|writer| {
                writer.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
                forever(writer, b'a')
            })
        }),
        Harm::layer("not today", "answered 429 to the layer", |_, _, _| {
            Reply::new(429, &[("Retry-After", "18446744073709551615")], "")
        }),
    ];
    harms.push(Harm::new(
        "a layer beyond all disks",
        |served| changed(served, |manifest, _| manifest["layers"][0]["size"] = json!(1_u64 << 60)),
        "bytes",
    ));
    harms.last_mut().unwrap().fault = Box::new(|served, request, _| {
        request.path.ends_with(&served.layer()).then(|| Reply::begun(200, &[], |writer| forever(writer, 0)))
    });
    harms
}

/// All bytes but the last.
fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_owned();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

fn directions() -> Vec<Harm> {
    vec![
        Harm::any("a circle", "it was sent on more than ten times", |_, request, _| {
            Reply::sent_on(307, &request.path)
        }),
        Harm::any("a long way", "it was sent on more than ten times", |_, request, _| {
            Reply::sent_on(307, &format!("{}x", request.path))
        }),
        Harm::layer("a file", "answered 307 to the layer", |_, _, _| {
            Reply::sent_on(307, "file:///etc/passwd")
        }),
        Harm::layer("text in a URL", "answered 307 to the layer", |_, _, _| {
            Reply::sent_on(307, "data:text/plain,x")
        }),
        Harm::layer("another protocol", "could not be asked for the layer", |_, _, _| {
            Reply::sent_on(307, "ftp://127.0.0.1/x")
        }),
        Harm::layer("nowhere", "answered 307 to the layer", |_, _, _| Reply::sent_on(307, "http://[::")),
        Harm::layer("a stranger", "has other bytes than its digest", |layer, request, stranger| {
            Reply::sent_on(307, &format!("http://{stranger}{}?size={}", request.path, layer.len()))
        }),
        Harm::layer("a stranger who asks who is there", "answered 401 to the layer", |_, _, stranger| {
            Reply::sent_on(307, &format!("http://{stranger}/who"))
        }),
        Harm::layer("a stranger with a name", "answered 401 to the layer", |_, _, stranger| {
            Reply::sent_on(307, &format!("http://reader@{stranger}/who"))
        }),
        Harm::any("a realm of strangers", "the password is not sent there", |_, _, stranger| {
            challenge(&format!("http://{stranger}/who"))
        })
        .unasked(),
        Harm::any("a realm that is a file", "names no place that gives tokens", |_, _, _| {
            challenge("file:///etc/passwd")
        })
        .unasked(),
        Harm::any(
            "a realm that sends on",
            "to another host, which is not told who asks",
            |_, request, stranger| match request.path.starts_with("/token") {
                true => Reply::sent_on(307, &format!("http://{stranger}/who")),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            },
        )
        .unasked(),
        Harm::any("a token without end", "has more than 262144 bytes", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::begun(200, &[], |writer| {
                    writer.write_all(b"{\"token\":\"")?;
                    forever(writer, b'a')
                }),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
        Harm::any("a token of two lines", "answered without a token", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::new(200, &[], r#"{"token":"a\r\nHost: evil"}"#),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
        Harm::any("a token that does not help", "HOST answered 401 to the manifest", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::new(200, &[], r#"{"token":"a"}"#),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
    ]
}

fn challenge(realm: &str) -> Reply {
    Reply::new(401, &[("WWW-Authenticate", &format!(r#"Bearer realm="{realm}",service="s""#))], "")
}

/// The other host: it asks everybody who they are, and gives wrong bytes of whatever size.
fn stranger() -> Server {
    Server::start(|request| match request.path.split_once("?size=") {
        Some((_, size)) => Reply::new(200, &[], vec![b'x'; size.parse().unwrap()]),
        None => Reply::new(401, &[("WWW-Authenticate", "Basic realm=\"tell me\"")], ""),
    })
}

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

/// That every blob of the store is what its name says.
fn check_blobs(place: &Place) {
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
    each(trials, check_layers, |(what, _, _)| what);
}

/// An image of one layer that has no end.
fn zeros() -> Served {
    let mut served = Served::default();
    let layer = served.blob(GZIP, hostile::zeros());
    served.image(&[layer], &config(&[digest(b"zeros")]));
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
    let mut build = registry.place.imgraph(BUILD).stderr(Stdio::null()).spawn().unwrap();
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
    check_all(documents());
}

#[test]
fn blobs_of_a_hostile_registry_do_no_harm() {
    check_all(blobs());
}

#[test]
fn a_hostile_registry_leads_nowhere() {
    check_all(directions());
}
