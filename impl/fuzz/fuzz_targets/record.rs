//! Stored bytes: the envelope is opened only over what was sealed, and records and operations decode or are refused.
#![no_main]

use anabranch::{crdt::codec, object::wire, store::envelope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (key, value) = bytes.split_at(bytes.len().min(8));
    assert_eq!(envelope::open(key, &envelope::seal(key, value)), Some(value));
    let _ = envelope::open(key, value);
    if let Ok(record) = codec::decode_record(value) {
        assert_eq!(codec::decode_record(&codec::encode_record(&record)).expect("it reads back"), record);
    }
    if let Ok(op) = wire::decode_op(value) {
        assert_eq!(wire::decode_op(&wire::encode_op(&op)).expect("it reads back"), op);
    }
});
