//! `length (4, big endian) | crc32c (4) | message`: messages on a byte stream.
//!
//! A frame whose checksum does not hold ends the connection: after it nothing on the stream can be trusted, and every
//! exchange resumes from durable state on a new one.

use super::message::Message;
use bytes::Bytes;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message accepted, in bytes. What is sent stays far below: see the limits in `replication`.
pub const FRAME_MAX: usize = 16 << 20;

/// Writes one message and flushes.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, message: Message) -> io::Result<()> {
    let payload = message.to_bytes();
    if payload.len() > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message exceeds the frame limit"));
    }
    let mut frame = Vec::with_capacity(payload.len() + 8);
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32c::crc32c(&payload).to_be_bytes());
    frame.extend_from_slice(&payload);
    to.write_all(&frame).await?;
    to.flush().await
}

/// Reads one message. Not safe to cancel: a caller that gives up must drop the connection.
pub async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Message> {
    let len = from.read_u32().await? as usize;
    let crc = from.read_u32().await?;
    if len > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame exceeds the limit"));
    }
    let mut payload = vec![0; len];
    from.read_exact(&mut payload).await?;
    if crc32c::crc32c(&payload) != crc {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame's checksum does not hold"));
    }
    Message::from_bytes(Bytes::from(payload)).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::message::Ops;
    use proptest::prelude::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_and_a_flipped_bit_is_noticed(
            ops in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..5),
            flip in any::<prop::sample::Index>(),
        ) {
            let message = Message::Ops(Ops { ops: ops.into_iter().map(Bytes::from).collect() });
            let mut wire = Vec::new();
            block_on(write(&mut wire, message.clone())).unwrap();
            prop_assert_eq!(block_on(read(&mut &wire[..])).unwrap(), message);
            let bit = flip.index(wire.len() * 8);
            wire[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(block_on(read(&mut &wire[..])).is_err());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_reserved_for_it() {
        let wire = [0xff; 64];
        assert_eq!(block_on(read(&mut &wire[..])).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
