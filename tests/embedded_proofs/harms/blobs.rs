//! Layers that are other ones, have no end, break off, or are no answer at all.

use serde_json::json;

use super::documents::changed;
use super::{Harm, forever};
use crate::attacker::Reply;
use crate::served::{begin_of, gzip};

/// What is wrong with a layer.
pub(crate) fn blobs() -> Vec<Harm> {
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
