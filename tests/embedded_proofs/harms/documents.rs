//! Manifests, indexes and configurations that lie, have no end, or become large.

use serde_json::{Value, json};

use super::{Harm, forever};
use crate::attacker::Reply;
use crate::base_layout::digest;
use crate::layout::{CONFIG, INDEX, MANIFEST};
use crate::served::Served;

/// What is wrong with a manifest or an index.
pub(crate) fn manifests() -> Vec<Harm> {
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
                changed(served, |manifest, _| manifest["layers"][0]["urls"] = json!(["file:///etc/passwd"]));
            },
            "lies elsewhere",
        ),
        Harm::new(
            "a digest that is a path",
            |served| {
                changed(served, |manifest, _| {
                    manifest["layers"][0]["digest"] = json!("sha256:../../../victim");
                });
            },
            "its manifest is not right",
        ),
    ]
}

/// What is wrong with a configuration.
pub(crate) fn configurations() -> Vec<Harm> {
    vec![
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
                });
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
pub(super) fn changed(served: &mut Served, change: fn(&mut Value, &mut Value)) {
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
