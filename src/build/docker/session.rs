//! The session: a gRPC server on our side of a connection that BuildKit calls into.
//!
//! `POST /session` is upgraded, and the engine becomes the client on the same connection. Files go
//! through [`file_sync`](super::file_sync), agents through [`agents`](super::agents); the other services are small and stand here. Registries
//! are asked anonymously. The services are told apart by hand: a router would bring a web framework.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;

use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bollard_buildkit_proto::health::health_server::{Health, HealthServer};
use bollard_buildkit_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard_buildkit_proto::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::agents::Agents;
use super::connection::{self, Connection};
use super::file_sync::TransferDesk;
use super::identifier;
use super::wire::Packet;
use crate::build::builder::{AgentSocket, BuildError, SecretValue};

/// What the engine is told that it may call.
const METHODS: [&str; 6] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
];
/// BuildKit's own limit (`session/secrets/secretsprovider`), in bytes.
const LARGEST_SECRET: usize = 500 * 1024;

/// What a session gives to commands that mount it.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    /// Secrets.
    pub(super) secrets: &'g [SecretValue],
    /// SSH agents.
    pub(super) agents: &'g [AgentSocket],
}

/// An open session; dropping it closes the connection.
pub(super) struct Session {
    /// The name by which a solve refers to it.
    pub(super) id: String,
    server: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Session {
    /// Opens a session. Builds with the same `shared_key` reuse each other's copies of folders in the
    /// engine, so that only what differs travels.
    pub(super) async fn open(
        connection: &Connection,
        shared_key: &str,
        transfers: TransferDesk,
        given: Given<'_>,
    ) -> Result<Self, BuildError> {
        let id = identifier::fresh();
        let mut headers = vec![
            ("x-docker-expose-session-uuid", id.as_str()),
            ("x-docker-expose-session-name", "imgraph"),
            ("x-docker-expose-session-sharedkey", shared_key),
        ];
        headers.extend(METHODS.map(|method| ("x-docker-expose-session-grpc-method", method)));
        let stream = connection.upgrade("/session", &headers).await?;
        let services = Services::new(transfers, given);
        let server = tokio::spawn(async move {
            let answer = service_fn(move |request| services.clone().answer(request));
            // How a session ends says nothing: what went wrong is in the answer of the solve.
            server().serve_connection(stream, answer).await.unwrap_or_default();
        });
        Ok(Self { id, server })
    }
}

/// The HTTP side of a session.
fn server() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.timer(TokioTimer::new());
    server.initial_stream_window_size(connection::STREAM_WINDOW);
    server.initial_connection_window_size(connection::CONNECTION_WINDOW);
    server
}

#[derive(Clone)]
struct Services {
    transfers: TransferDesk,
    secrets: SecretsServer<SecretStore>,
    agents: SshServer<Agents>,
    credentials: AuthServer<Anonymous>,
    health: HealthServer<Healthy>,
}

impl Services {
    fn new(transfers: TransferDesk, given: Given<'_>) -> Self {
        let secrets = given.secrets.iter().map(|secret| (secret.id.clone(), secret.value.clone())).collect();
        Self {
            transfers,
            secrets: SecretsServer::new(SecretStore(secrets)),
            agents: Agents::serve(given.agents),
            credentials: AuthServer::new(Anonymous),
            health: HealthServer::new(Healthy),
        }
    }

    async fn answer(
        mut self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<tonic::body::Body>, Infallible> {
        match request.uri().path().trim_start_matches('/').split_once('/') {
            Some(("moby.filesync.v1.FileSync", "DiffCopy")) => {
                let mut grpc = Grpc::new(ProstCodec::<Packet, Packet>::default());
                Ok(grpc.streaming(self.transfers, request).await)
            }
            Some(("moby.buildkit.secrets.v1.Secrets", _)) => self.secrets.call(request).await,
            Some(("moby.sshforward.v1.SSH", _)) => self.agents.call(request).await,
            Some(("moby.filesync.v1.Auth", _)) => self.credentials.call(request).await,
            Some(("grpc.health.v1.Health", _)) => self.health.call(request).await,
            _ => Ok(Status::unimplemented("this session has no such service").into_http()),
        }
    }
}

impl StreamingService<Packet> for TransferDesk {
    type Response = Packet;
    type ResponseStream = ReceiverStream<Result<Packet, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Packet>>) -> Self::Future {
        Box::pin(self.clone().diff_copy(request))
    }
}

struct SecretStore(BTreeMap<String, Vec<u8>>);

#[tonic::async_trait]
impl Secrets for SecretStore {
    /// The answers are those of BuildKit's own client: an optional secret that is not found is left out.
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        match self.0.get(&id) {
            None => Err(Status::not_found(format!("secret {id}: not found"))),
            Some(value) if value.len() > LARGEST_SECRET => {
                let size = value.len();
                Err(Status::invalid_argument(format!(
                    "secret {id} has {size} bytes; {LARGEST_SECRET} are allowed"
                )))
            }
            Some(value) => Ok(Response::new(GetSecretResponse { data: value.clone() })),
        }
    }
}

struct Anonymous;

#[tonic::async_trait]
impl Auth for Anonymous {
    async fn credentials(
        &self,
        _request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        Ok(Response::new(CredentialsResponse::default()))
    }

    async fn fetch_token(
        &self,
        _request: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("the engine fetches tokens itself"))
    }

    async fn get_token_authority(
        &self,
        _request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the engine fetches tokens itself"))
    }

    async fn verify_token_authority(
        &self,
        _request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the engine fetches tokens itself"))
    }
}

/// BuildKit gives up on a session that does not answer this every few seconds (`session/grpc.go`).
struct Healthy;

#[tonic::async_trait]
impl Health for Healthy {
    type WatchStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(
        &self,
        _request: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("only a check is answered"))
    }

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("only a check is answered"))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};
    use std::time::Duration;

    use hyper::body::{Body, Bytes, Frame};
    use hyper_util::rt::TokioIo;

    use super::*;

    /// So many frames of ten bytes.
    struct Asks(u32);

    impl Body for Asks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))))
        }
    }

    /// Counts the bytes of a body, after a rest.
    async fn count_late(request: http::Request<Incoming>) -> Result<http::Response<Asks>, hyper::Error> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (mut body, mut count) = (request.into_body(), 0);
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            count += frame?.into_data().map_or(0, |data| data.len() as u32);
        }
        Ok(http::Response::new(Asks(count / 10)))
    }

    #[test]
    fn an_engine_may_ask_for_many_files_before_one_is_sent() {
        const MANY: u32 = 50_000;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let serving = server().serve_connection(TokioIo::new(ours), service_fn(count_late));
            let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
            let asking = async {
                let (mut sender, connection) = client.handshake(TokioIo::new(theirs)).await.unwrap();
                tokio::spawn(connection);
                let answer = sender.send_request(http::Request::new(Asks(MANY))).await.unwrap();
                let (mut body, mut count) = (answer.into_body(), 0);
                while let Some(frame) =
                    std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
                {
                    count += frame.unwrap().into_data().map_or(0, |data| data.len() as u32);
                }
                assert_eq!(count, MANY * 10);
            };
            tokio::select! {
                ended = serving => panic!("the session ended: {ended:?}"),
                () = asking => {}
            }
        });
    }
}
