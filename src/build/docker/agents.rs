//! The SSH agents that a session gives (`session/sshforward`).
//!
//! For each connection of a program BuildKit opens a stream. The agents themselves are spoken to by blocking threads,
//! one for each connection, which end when one side hangs up.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::thread;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::{Ssh, SshServer};
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::build::agent_connection;
use crate::build::builder::AgentSocket;

/// The header that says whose agent a stream is for.
const ID: &str = "buildkit.ssh.id";
/// The id of the agent that a mount asks for which names none.
const DEFAULT: &str = "default";
/// How much of an answer travels at once, in bytes.
const PIECE: usize = 32 * 1024;
/// How many pieces of an answer wait to be sent.
const WAITING: usize = 4;

/// Where agents listen, by their ids.
pub(super) struct Agents(BTreeMap<String, PathBuf>);

impl Agents {
    /// A service that gives these.
    pub(super) fn serve(agents: &[AgentSocket]) -> SshServer<Self> {
        SshServer::new(Self(agents.iter().map(|agent| (agent.id.clone(), agent.socket.clone())).collect()))
    }

    /// The socket of an agent. The answer is that of BuildKit's own client.
    fn socket(&self, id: &str) -> Result<&PathBuf, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        self.0.get(id).ok_or_else(|| Status::not_found(format!("unset ssh forward key {id}")))
    }
}

#[tonic::async_trait]
impl Ssh for Agents {
    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.socket(&request.get_ref().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID).map(|id| id.to_str()).transpose();
        let id = id.map_err(|_no_text| Status::invalid_argument("the id of an SSH agent is no text"))?;
        let connection = connect(self.socket(id.unwrap_or(DEFAULT))?.clone());
        let connection = connection.map_err(|cause| Status::unavailable(format!("an SSH agent: {cause}")))?;
        Ok(Response::new(forward(connection, request.into_inner())))
    }
}

/// A connection to the agent at `socket`, for what a build may ask.
fn connect(socket: PathBuf) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    // An agent that does not answer is one that hangs up: ssh says so itself.
    thread::Builder::new()
        .name("ssh agent".to_owned())
        .spawn(move || agent_connection::serve(theirs, &socket))?;
    UnixStream::from_std(ours)
}

/// Passes on what is `asked`, and gives what is answered.
fn forward(
    connection: UnixStream,
    mut asked: Streaming<BytesMessage>,
) -> ReceiverStream<Result<BytesMessage, Status>> {
    let (mut answers, mut questions) = connection.into_split();
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        // Where the stream breaks, the connection is closed, which the other side sees.
        while let Ok(Some(message)) = asked.message().await {
            if questions.write_all(&message.data).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = answers.read(&mut piece).await {
            let message = BytesMessage { data: piece[..read].to_vec() };
            if sender.send(Ok(message)).await.is_err() {
                break;
            }
        }
    });
    ReceiverStream::new(receiver)
}
