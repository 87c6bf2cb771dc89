//! Connections to an engine: for its API, and upgraded to raw streams for BuildKit.
//!
//! Why an engine cannot be reached is told apart here, once, with the way out of it.

use std::io;
use std::time::Duration;

use bollard::Docker;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use http::{Method, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, Endpoint};

use super::address::EngineAddress;
use crate::build::builder::BuildError;

/// How many bytes an engine may send of one answer before they are read.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;

/// As many of all answers of a connection. The HTTP library takes small frames that are not read yet for an
/// attack, and ends the connection, when they are more than this window allows for. An engine that is sent
/// files asks for each of them in a frame of some ten bytes: as many as the window of one answer lets
/// through must be allowed.
pub(super) const CONNECTION_WINDOW: u32 = 64 << 20;

/// How long an answer of the Engine API may take, in seconds. A pull answers as soon as it begins.
const API_TIMEOUT: u64 = 120;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// BuildKit puts the whole Dockerfile into the trailers of a failure, so they may be large.
const LARGEST_TRAILERS: u32 = 16 * 1024 * 1024;
/// For messages that come in, in bytes: a burst of progress is larger than gRPC's usual 4 MB.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<Stream: AsyncRead + AsyncWrite + Send + Unpin> Duplex for Stream {}

/// An engine that answers.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Where it listens.
    pub(super) address: EngineAddress,
    /// The Engine API.
    pub(super) api: Docker,
}

impl Connection {
    /// Connects, and agrees on a version of the Engine API.
    pub(super) async fn open(address: &EngineAddress) -> Result<Self, BuildError> {
        dial(address).await.map_err(|error| unreachable_engine(address, &error))?;
        let version = bollard::API_DEFAULT_VERSION;
        let api = match address {
            EngineAddress::Unix(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), API_TIMEOUT, version)
            }
            EngineAddress::Tcp(host) => {
                Docker::connect_with_http(&format!("tcp://{host}"), API_TIMEOUT, version)
            }
        };
        let api = api.map_err(|error| no_engine(address, &error))?;
        let api = api.negotiate_version().await.map_err(|error| no_engine(address, &error))?;
        Ok(Self { address: address.clone(), api })
    }

    /// Asks for `path` and takes over the connection.
    pub(super) async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Result<Upgraded, BuildError> {
        let stream = dial(&self.address).await.map_err(|error| unreachable_engine(&self.address, &error))?;
        let lost = |error: hyper::Error| self.refused(path, &error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, "docker")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "h2c");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(String::new()).map_err(|error| self.refused(path, &error.to_string()))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(path, &format!("it answered {}", response.status())));
        }
        hyper::upgrade::on(response).await.map_err(lost)
    }

    /// BuildKit's control service, on a connection of its own.
    pub(super) async fn control(&self) -> Result<ControlClient<Channel>, BuildError> {
        let stream = std::sync::Mutex::new(Some(self.upgrade("/grpc", &[]).await?));
        let connector = tower::service_fn(move |_: http::Uri| {
            let stream = stream.lock().ok().and_then(|mut stream| stream.take());
            std::future::ready(stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
        });
        let channel = Endpoint::from_static("http://docker")
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(LARGEST_TRAILERS)
            .connect_with_connector(connector)
            .await
            .map_err(|error| self.refused("/grpc", &error.to_string()))?;
        Ok(ControlClient::new(channel).max_decoding_message_size(LARGEST_MESSAGE))
    }

    fn refused(&self, path: &str, reason: &str) -> BuildError {
        BuildError::Surroundings {
            message: format!("Docker Engine at {} does not open {path}: {reason}", self.address),
            help: Some("BuildKit must be part of the engine, and nothing may filter its socket".to_owned()),
        }
    }
}

async fn dial(address: &EngineAddress) -> io::Result<Box<dyn Duplex>> {
    let dialled = async {
        Ok(match address {
            EngineAddress::Unix(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Duplex>,
            EngineAddress::Tcp(host) => Box::new(TcpStream::connect(host.as_str()).await?),
        })
    };
    tokio::time::timeout(CONNECT_TIMEOUT, dialled)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn unreachable_engine(address: &EngineAddress, error: &io::Error) -> BuildError {
    let (reason, help) = match (error.kind(), address) {
        (io::ErrorKind::NotFound, EngineAddress::Unix(_)) => (
            "there is no such socket".to_owned(),
            "start Docker Engine, or set DOCKER_HOST to where it listens",
        ),
        (io::ErrorKind::PermissionDenied, _) => (
            "permission denied".to_owned(),
            "add yourself to the `docker` group and log in again, or run as root",
        ),
        (io::ErrorKind::ConnectionRefused, _) => {
            ("nothing listens there".to_owned(), "start Docker Engine: `systemctl start docker`")
        }
        _ => (error.to_string(), "check that DOCKER_HOST names a running Docker Engine"),
    };
    BuildError::Surroundings {
        message: format!("cannot reach Docker Engine at {address}: {reason}"),
        help: Some(help.to_owned()),
    }
}

/// What listens there does not answer as an engine does.
pub(super) fn no_engine(address: &EngineAddress, error: &bollard::errors::Error) -> BuildError {
    BuildError::Surroundings {
        message: format!("what listens at {address} does not answer like Docker Engine: {error}"),
        help: Some("check that DOCKER_HOST names a running Docker Engine".to_owned()),
    }
}
