//! `length (4, big endian) | crc32c of the message (4) | crc32c of both (4) | message`: messages on a byte stream.
//!
//! The head has a checksum of its own: a bit flipped in a length would otherwise make the reader take the frames after it
//! for the rest of a long message, and never notice, because bytes keep coming (found by scenario `bad-wires`).
//! A frame whose checksum does not hold ends the connection: after it nothing on the stream can be trusted, and every
//! exchange resumes from durable state on a new one.

use super::message::Message;
use bytes::Bytes;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message accepted, in bytes. What is sent stays far below: see the limits in `replication`.
pub const FRAME_MAX: usize = 16 << 20;

/// Length and checksums.
pub const HEAD: usize = 12;

/// A message as it goes over the wire.
pub fn encode(message: Message) -> io::Result<Vec<u8>> {
    let payload = message.to_bytes();
    if payload.len() > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message exceeds the frame limit"));
    }
    let mut frame = Vec::with_capacity(payload.len() + HEAD);
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32c::crc32c(&payload).to_be_bytes());
    let head = crc32c::crc32c(&frame);
    frame.extend_from_slice(&head.to_be_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// The length of the payload that follows a head, if it is within the limit.
pub fn payload_len(head: [u8; HEAD]) -> io::Result<usize> {
    if crc32c::crc32c(&head[..8]).to_be_bytes() != head[8..] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame's head does not match its checksum"));
    }
    let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if len > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame exceeds the limit"));
    }
    Ok(len)
}

/// The message of a head and its payload, if the checksum holds.
pub fn decode(head: [u8; HEAD], payload: Vec<u8>) -> io::Result<Message> {
    if crc32c::crc32c(&payload).to_be_bytes() != head[4..8] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame's checksum does not hold"));
    }
    Message::from_bytes(Bytes::from(payload))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes one message and flushes.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, message: Message) -> io::Result<()> {
    to.write_all(&encode(message)?).await?;
    to.flush().await
}

/// Bytes of a message that are reserved before those before them have come: a head alone costs its sender more than us.
pub const STEP: usize = 256 << 10;

/// Reads one message of at most `max` bytes. Not safe to cancel: a caller that gives up must drop the connection.
pub async fn read<R: AsyncRead + Unpin>(from: &mut R, max: usize) -> io::Result<Message> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head).await?;
    let len = payload_len(head)?;
    if len > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is longer than can be meant here"));
    }
    let mut payload = Vec::new();
    while payload.len() < len {
        let start = payload.len();
        payload.resize(len.min(start + STEP), 0);
        from.read_exact(&mut payload[start..]).await?;
    }
    decode(head, payload)
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
            prop_assert_eq!(block_on(read(&mut &wire[..], FRAME_MAX)).unwrap(), message);
            let bit = flip.index(wire.len() * 8);
            wire[bit / 8] ^= 1 << (bit % 8);
            // Frames go on coming: a flipped length must not swallow them.
            wire.resize(wire.len() + 4096, 0);
            prop_assert_eq!(block_on(read(&mut &wire[..], FRAME_MAX)).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_reserved_for_it() {
        let wire = [0xff; 64];
        assert_eq!(block_on(read(&mut &wire[..], FRAME_MAX)).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    #[test]
    fn a_long_message_comes_in_steps_and_a_short_one_is_asked_for_where_only_that_can_be_meant() {
        let message = Message::Ops(Ops { ops: vec![vec![7; 3 * STEP + 1].into()] });
        let wire = encode(message.clone()).unwrap();
        assert_eq!(block_on(read(&mut &wire[..], FRAME_MAX)).unwrap(), message);
        let refused = block_on(read(&mut &wire[..], 3 * STEP)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}
