//! The protocol between two sites: messages, frames, and the handshake of one connection.
//!
//! In reading order: [`message`] is what is said, [`frame`] how it lies on the wire, [`session`] one connection after its
//! handshake. What is said when is `replication`'s matter.

pub mod frame;
pub mod message;
pub mod session;

pub use message::{Hello, Message, Purpose};
pub use session::{Refusal, Session, SessionError};
