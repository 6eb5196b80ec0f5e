//! A peer's bytes: whatever they are, they are decoded or refused, and what is decoded encodes to the same again.
#![no_main]

use anabranch::peer::{Message, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // As they come: nearly always refused, for the checksums do not hold.
    if let Some((head, payload)) = bytes.split_first_chunk::<{ frame::HEAD }>() {
        let _ = frame::payload_len(*head);
        let _ = frame::decode(*head, payload.to_vec());
    }
    // Behind checksums that hold.
    let Ok(message) = Message::from_bytes(bytes.to_vec().into()) else { return };
    let encoded = frame::encode(message).expect("what was decoded can be encoded");
    let (head, payload) = encoded.split_first_chunk::<{ frame::HEAD }>().expect("a frame has a head");
    assert_eq!(frame::payload_len(*head).expect("a head of ours"), payload.len());
    let again = frame::decode(*head, payload.to_vec()).expect("it reads back");
    assert_eq!(frame::encode(again).expect("and again"), encoded);
});
