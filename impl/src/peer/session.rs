//! One connection to a peer, after both sides have said who they are.
//!
//! Every step has a time limit: a stream cut by a partition stalls for ever without an error.

use super::{
    frame,
    message::{Hello, Message, PROTOCOL, PROTOCOL_MIN, Purpose},
};
use crate::{
    causality::{Epoch, SiteId},
    env::{Env, io_timeout},
};
use std::{collections::BTreeMap, fmt, io, time::Duration};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

/// The longest handshake, in bytes: who speaks is not known before it was read.
const HELLO_MAX: usize = 4 << 10;
/// Bytes that are written under one time limit.
const PIECE: usize = 64 << 10;

/// How long a handshake, a frame being written, or the silence between two frames may last.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connecting and the handshake.
    pub handshake: Duration,
    /// Writing 64 KiB of a frame.
    pub write: Duration,
    /// Silence between two bytes. Heartbeats come several times within it.
    pub silence: Duration,
}

/// Why a peer is not talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It speaks no protocol that this side speaks.
    Protocol,
    /// It belongs to another cluster.
    Cluster,
    /// It is not the site that was called, or no member.
    Site,
    /// Another session of its site runs in a newer epoch: two disks share one site number.
    OlderEpoch,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "no common protocol version: upgrade the older site",
            Self::Cluster => "another cluster: check `cluster` in the configuration",
            Self::Site => "not the site expected here: check the peers' addresses",
            Self::OlderEpoch => "another process runs as this site in a newer epoch: stop one of both",
        })
    }
}

/// Why a session did not come about.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The connection failed or timed out.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// This side refuses the peer.
    #[error("the peer is refused: {0}")]
    Refused(Refusal),
    /// The peer refuses this side.
    #[error("the peer refuses this site: {0}")]
    RefusedByPeer(String),
}

/// The sending half.
pub struct Sender<E: Env> {
    env: E,
    half: WriteHalf<E::Conn>,
    limits: Limits,
}

/// The receiving half.
pub struct Receiver<E: Env> {
    env: E,
    half: ReadHalf<E::Conn>,
    limits: Limits,
}

/// A connection whose handshake is done.
pub struct Session<E: Env> {
    /// Who is on the other side.
    pub peer: (SiteId, Epoch),
    /// What the connection is for.
    pub purpose: Purpose,
    /// How far the peer's wall clock was ahead of this site's at the handshake, in milliseconds.
    pub clock_offset_ms: i64,
    /// How long the handshake's question and answer took; none on the answering side.
    pub round_trip: Option<Duration>,
    /// To the peer.
    pub sender: Sender<E>,
    /// From the peer.
    pub receiver: Receiver<E>,
}

impl<E: Env> Sender<E> {
    /// Sends one message.
    pub async fn send(&mut self, message: Message) -> io::Result<()> {
        let frame = frame::encode(message)?;
        for piece in frame.chunks(PIECE) {
            io_timeout(&self.env, self.limits.write, self.half.write_all(piece)).await?;
        }
        io_timeout(&self.env, self.limits.write, self.half.flush()).await
    }
}

impl<E: Env> Receiver<E> {
    /// The next message; an error after too long a silence. After an error, or if cancelled, the session is over.
    ///
    /// Silence is counted between bytes, not between messages: on a narrow link a large one takes long.
    pub async fn receive(&mut self) -> io::Result<Message> {
        let mut head = [0; frame::HEAD];
        self.fill(&mut head).await?;
        let len = frame::payload_len(head)?;
        let mut payload = Vec::new();
        while payload.len() < len {
            let start = payload.len();
            payload.resize(len.min(start + frame::STEP), 0);
            self.fill(&mut payload[start..]).await?;
        }
        frame::decode(head, payload)
    }

    async fn fill(&mut self, mut rest: &mut [u8]) -> io::Result<()> {
        while !rest.is_empty() {
            let count = io_timeout(&self.env, self.limits.silence, self.half.read(rest)).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest = &mut rest[count..];
        }
        Ok(())
    }
}

impl<E: Env> Session<E> {
    /// The connection, for those who speak something else from here on.
    pub fn into_conn(self) -> E::Conn {
        self.receiver.half.unsplit(self.sender.half)
    }

    /// Lets the peer be silent for so long: it has much to read before it answers.
    #[must_use]
    pub fn patient(mut self, silence: Duration) -> Self {
        self.receiver.limits.silence = silence;
        self
    }
}

/// Who this side is.
#[derive(Clone, Debug)]
pub struct Own {
    /// The cluster's name.
    pub cluster: String,
    /// Site and epoch.
    pub origin: (SiteId, Epoch),
    /// The names that sites prove to be theirs, where connections prove names.
    pub names: BTreeMap<SiteId, String>,
}

impl Own {
    fn hello<E: Env>(&self, env: &E, purpose: Purpose, refused: Option<Refusal>) -> Message {
        Message::Hello(Hello {
            protocol: PROTOCOL,
            protocol_min: PROTOCOL_MIN,
            cluster: self.cluster.clone(),
            site: self.origin.0.0.into(),
            epoch: self.origin.1.0,
            wall_ms: env.wall_ms(),
            purpose: purpose.code(),
            refused: refused.map_or(String::new(), |refusal| refusal.to_string()),
        })
    }
}

/// Calls a peer.
pub async fn call<E: Env>(
    env: &E,
    own: &Own,
    address: &str,
    expected: SiteId,
    purpose: Purpose,
    limits: Limits,
) -> Result<Session<E>, SessionError> {
    let greeting = async {
        let conn = env.connect(address).await?;
        let proven = E::proven_name(&conn);
        let (mut receiver, mut sender) = split(conn);
        let asked = env.monotonic();
        frame::write(&mut sender, own.hello(env, purpose, None)).await?;
        let answer = frame::read(&mut receiver, HELLO_MAX).await?;
        Ok((proven, receiver, sender, answer, env.monotonic().saturating_sub(asked)))
    };
    let (proven, receiver, sender, answer, round_trip) = io_timeout(env, limits.handshake, greeting).await?;
    let hello = hello_of(answer)?;
    if !hello.refused.is_empty() {
        return Err(SessionError::RefusedByPeer(hello.refused));
    }
    let peer =
        check(own, &hello, proven.as_deref(), |site| site == expected).map_err(SessionError::Refused)?;
    let session = session(env, peer, purpose, &hello, sender, receiver, limits);
    Ok(Session { round_trip: Some(round_trip), ..session })
}

/// Answers a caller. `admit` says whether its site and epoch are welcome; a refused caller is told why.
pub async fn answer<E: Env>(
    env: &E,
    own: &Own,
    conn: E::Conn,
    admit: impl FnOnce(SiteId, Epoch) -> Result<(), Refusal>,
    limits: Limits,
) -> Result<Session<E>, SessionError> {
    let proven = E::proven_name(&conn);
    let (mut receiver, mut sender) = split(conn);
    let hello = hello_of(io_timeout(env, limits.handshake, frame::read(&mut receiver, HELLO_MAX)).await?)?;
    let purpose = hello.purpose().ok_or_else(not_a_hello)?;
    let admitted =
        check(own, &hello, proven.as_deref(), |_| true).and_then(|peer| admit(peer.0, peer.1).map(|()| peer));
    let reply = own.hello(env, purpose, admitted.err());
    io_timeout(env, limits.handshake, frame::write(&mut sender, reply)).await?;
    let peer = admitted.map_err(SessionError::Refused)?;
    Ok(session(env, peer, purpose, &hello, sender, receiver, limits))
}

fn hello_of(message: Message) -> io::Result<Hello> {
    match message {
        Message::Hello(hello) => Ok(hello),
        _ => Err(not_a_hello()),
    }
}

fn not_a_hello() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not start with a handshake")
}

fn check(
    own: &Own,
    hello: &Hello,
    proven: Option<&str>,
    expected: impl FnOnce(SiteId) -> bool,
) -> Result<(SiteId, Epoch), Refusal> {
    if hello.protocol < PROTOCOL_MIN || PROTOCOL < hello.protocol_min {
        return Err(Refusal::Protocol);
    }
    if hello.cluster != own.cluster {
        return Err(Refusal::Cluster);
    }
    // Whoever has proved a name is the site of that name and no other.
    let is_proven = |site| proven.is_none_or(|name| own.names.get(&site).is_some_and(|known| known == name));
    let origin = hello.origin().filter(|(site, _)| expected(*site) && *site != own.origin.0);
    origin.filter(|(site, _)| is_proven(*site)).ok_or(Refusal::Site)
}

fn session<E: Env>(
    env: &E,
    peer: (SiteId, Epoch),
    purpose: Purpose,
    hello: &Hello,
    sender: WriteHalf<E::Conn>,
    receiver: ReadHalf<E::Conn>,
    limits: Limits,
) -> Session<E> {
    let clock_offset_ms = hello.wall_ms.cast_signed() - env.wall_ms().cast_signed();
    Session {
        peer,
        purpose,
        clock_offset_ms,
        round_trip: None,
        sender: Sender { env: env.clone(), half: sender, limits },
        receiver: Receiver { env: env.clone(), half: receiver, limits },
    }
}
