//! One message of each kind, as frames.

use super::{freeze, hex, read, unhex};
use anabranch::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    object::wire::vector_out,
    peer::{
        Hello, Message, frame,
        message::{
            AuditReply, AuditRequest, BodyChunk, BodyMissing, BodyRequest, Lacks, MergeChunk, MergeNeeded,
            MergeRequest, NoSource, Ops, OriginBytes, Pull, Reading, RecordBytes, RepairReply, RepairRequest,
            Report, Vector,
        },
    },
};

fn dot() -> Dot {
    Dot { site: SiteId(2), epoch: Epoch::new(3, 0xdead_beef), seq: 300 }
}

fn vector() -> VersionVector {
    let mut vector = VersionVector::default();
    vector.advance((SiteId(1), Epoch::new(1, 7)), 5);
    vector.advance(dot().origin(), dot().seq);
    vector
}

/// Every kind of message, with no field at its default where that leaves it out.
fn messages() -> Vec<(&'static str, Message)> {
    let cut = || vector_out(vector().iter());
    let bytes = |text: &'static str| bytes::Bytes::from_static(text.as_bytes());
    vec![
        (
            "hello",
            Message::Hello(Hello {
                protocol: 1,
                protocol_min: 1,
                cluster: "photos".into(),
                site: 2,
                epoch: dot().epoch.0,
                wall_ms: 1_790_000_000_123,
                purpose: 4,
                refused: "another cluster".into(),
            }),
        ),
        (
            "pull",
            Message::Pull(Pull {
                vector: Some(Vector::encode(&vector(), 0)),
                sites: vec![1, 2],
                folded: 9,
                lacks: Some(Lacks::encode(&[dot()])),
            }),
        ),
        ("ops", Message::Ops(Ops { ops: vec![bytes("one"), bytes("two")] })),
        (
            "report",
            Message::Report(Report {
                vector: Some(Vector::encode(&vector(), 0)),
                wall_ms: 1_790_000_000_123,
                folded: 9,
                drained: true,
                joined: true,
                lacks: Some(Lacks::encode(&[])),
            }),
        ),
        ("merge-needed", Message::MergeNeeded(MergeNeeded {})),
        ("merge-request", Message::MergeRequest(MergeRequest { after: b"key".to_vec() })),
        (
            "merge-chunk",
            Message::MergeChunk(MergeChunk {
                after: b"a".to_vec(),
                upto: Some(b"b".to_vec()),
                records: vec![RecordBytes { key: b"b".to_vec(), record: bytes("record") }],
                origins: vec![OriginBytes { last: Some(dot().into()), chain: vec![1; 16], folded: true }],
            }),
        ),
        ("no-source", Message::NoSource(NoSource {})),
        ("repair-request", Message::RepairRequest(RepairRequest { key: b"key".to_vec() })),
        (
            "repair-reply",
            Message::RepairReply(RepairReply { key: b"key".to_vec(), record: bytes("record"), cut: cut() }),
        ),
        (
            "body-request",
            Message::BodyRequest(BodyRequest { dot: Some(dot().into()), segment: 1, offset: 70_000 }),
        ),
        ("body-chunk", Message::BodyChunk(BodyChunk { bytes: bytes("bytes"), last: true })),
        ("body-missing", Message::BodyMissing(BodyMissing { missed_too: true })),
        (
            "audit-request",
            Message::AuditRequest(AuditRequest { ranges: vec![1, 1023], key: b"key".to_vec() }),
        ),
        (
            "audit-reply",
            Message::AuditReply(AuditReply { sums: vec![1, u64::MAX], keys: vec![bytes("key")], cut: cut() }),
        ),
        ("reading", Message::Reading(Reading {})),
    ]
}

fn said() -> String {
    let line = |(name, message)| format!("{name} {}\n", hex(&frame::encode(message).unwrap()));
    messages().into_iter().map(line).collect()
}

#[test]
fn protocol_1_is_said_as_it_was_and_understood() {
    let frozen = read("protocol-1.txt");
    assert_eq!(said(), frozen);
    for (line, (name, message)) in frozen.lines().zip(messages()) {
        let frame = unhex(line.strip_prefix(name).unwrap().trim());
        let (head, payload) = frame.split_first_chunk().unwrap();
        assert_eq!(frame::decode(*head, payload.to_vec()).unwrap(), message, "{name}");
    }
}

#[test]
#[ignore = "writes a fixture that is not there yet"]
fn freeze_protocol() {
    freeze("protocol-1.txt", &said());
}
