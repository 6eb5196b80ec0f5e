//! Bodies that say what they are: a write's bytes follow from its number, so that any reader can check any object.

use crate::{
    history::{Shown, WriteId},
    world::watch::{CHUNK, MARK, Part, SEGMENT, mark, read_mark},
};
use bytes::Bytes;

/// The length of a body of about so many bytes: no mark straddles two messages.
fn whole(size: usize) -> usize {
    let size = size.max(2 * MARK);
    if size > CHUNK && size % CHUNK < MARK { size - size % CHUNK } else { size }
}

/// The bytes of a write: its marks, and filler drawn from its number between them.
pub fn bytes_of(write: WriteId, size: usize) -> Bytes {
    let size = whole(size);
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(&mark(write, Part::Start));
    let mut state = u64::from(write) ^ 0x9e37_79b9_7f4a_7c15;
    while bytes.len() < size - MARK {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Printable, and never a '<': the filler holds no mark.
        bytes.push(b'a' + ((state >> 40) % 26) as u8);
    }
    bytes.extend_from_slice(&mark(write, Part::End));
    if size > SEGMENT {
        bytes[SEGMENT - MARK..SEGMENT].copy_from_slice(&mark(write, Part::Middle));
    }
    bytes.into()
}

/// Which write these bytes are, if they are exactly its bytes.
pub fn identify(bytes: &[u8]) -> Shown {
    match read_mark(bytes) {
        Some((write, Part::Start)) if bytes_of(write, bytes.len()) == bytes => Shown::Write(write),
        Some((write, _)) => Shown::Corrupt(format!(
            "{} bytes that begin like write {write} and are not its bytes",
            bytes.len()
        )),
        None => Shown::Corrupt(format!("{} bytes that no client wrote", bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_write_and_a_changed_one_is_noticed() {
        for size in [1, 24, 25, 5000, SEGMENT, SEGMENT + 5, SEGMENT + MARK, 60_000] {
            let bytes = bytes_of(77, size);
            assert_eq!(identify(&bytes), Shown::Write(77));
            let mut changed = bytes.to_vec();
            let last = changed.len() / 2;
            changed[last] ^= 1;
            assert!(matches!(identify(&changed), Shown::Corrupt(_)));
            assert!(matches!(identify(&bytes[..bytes.len() - 1]), Shown::Corrupt(_)));
        }
        assert!(matches!(identify(b""), Shown::Corrupt(_)));
    }
}
