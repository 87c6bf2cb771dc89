//! Whether the images of an engine are as they were at an earlier moment, for the price of one small answer.
//!
//! Listing a thousand images costs an engine a tenth of a second. But an engine with a classic store tells
//! an event for each image that it gets, names or loses, and keeps the last 256 events of all kinds for
//! whoever asks later. The last event about images is therefore a mark: as long as it is the last, the
//! images are the same. When it was pushed out by others, when the engine was started anew, or when
//! anything is unclear, the mark says nothing, and somebody has to look.
//!
//! A containerd store tells no event when BuildKit names an image there (seen on Engine 26.1), so that it
//! has no marks.
//!
//! **Invariant:** a question is about events until this moment by the engine's own clock. Only an engine
//! that runs on this very machine is asked, as the process behind its socket shows.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use bollard::{ClientVersion, Docker};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use super::address::EngineAddress;
use super::connection::API_TIMEOUT;

/// A moment in the life of an engine's images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The version of the Engine API that was agreed on, so that it need not be asked for again.
    api: (usize, usize),
    /// The last event about images: when it was, in nanoseconds since 1970, what was done, and to what.
    event: (i64, String, String),
}

/// The mark of this moment. What happens later is not in it, so that it is asked for before the images
/// are. `None` where there can be none.
pub(super) async fn mark(address: &EngineAddress, api: &Docker) -> Option<Mark> {
    if !is_of_this_machine(address).await {
        return None;
    }
    let version = api.client_version();
    let event = events(api, 1).await?.pop()?;
    Some(Mark { api: (version.major_version, version.minor_version), event })
}

/// Whether the images of the engine at `address` are as they were at the moment of `mark`.
pub(super) async fn is_still(address: &EngineAddress, mark: &Mark) -> bool {
    let EngineAddress::Unix(path) = address else { return false };
    let version = ClientVersion { major_version: mark.api.0, minor_version: mark.api.1 };
    let Ok(api) = Docker::connect_with_unix(&path.to_string_lossy(), API_TIMEOUT, &version) else {
        return false;
    };
    let since = mark.event.0 / 1_000_000_000;
    let still = async { events(&api, since).await.is_some_and(|events| events.last() == Some(&mark.event)) };
    is_of_this_machine(address).await && still.await
}

/// The events about images from `since`, in seconds since 1970, until now, in their order.
async fn events(api: &Docker, since: i64) -> Option<Vec<(i64, String, String)>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
    let filters = HashMap::from([("type", vec!["image"])]);
    let options =
        EventsOptionsBuilder::new().since(&since.to_string()).until(&until).filters(&filters).build();
    let told: Vec<EventMessage> = api.events(Some(options)).try_collect().await.ok()?;
    let event = |told: EventMessage| Some((told.time_nano?, told.action?, told.actor?.id?));
    let mut events: Vec<_> = told.into_iter().map(event).collect::<Option<_>>()?;
    events.sort_by_key(|(time, _, _)| *time);
    Some(events)
}

/// Whether the process behind the socket is an engine of this machine, whose clock is this machine's. A
/// socket that systemd opened for the engine is systemd's.
async fn is_of_this_machine(address: &EngineAddress) -> bool {
    let EngineAddress::Unix(path) = address else { return false };
    let Ok(stream) = UnixStream::connect(path).await else { return false };
    let Some(process) = stream.peer_cred().ok().and_then(|peer| peer.pid()) else { return false };
    match name_of(process).as_deref() {
        Some("dockerd") => true,
        Some("systemd") => {
            let engine = std::fs::read_to_string("/run/docker.pid").ok();
            let engine = engine.and_then(|text| text.trim().parse().ok());
            engine.and_then(name_of).as_deref() == Some("dockerd")
        }
        _ => false,
    }
}

/// What a process is called.
fn name_of(process: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}
