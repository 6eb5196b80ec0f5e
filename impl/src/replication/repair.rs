//! Refilling records that were found damaged.

use super::Shared;
use crate::{
    causality::SiteId,
    crdt::codec,
    engine::Error,
    env::Env,
    object::{RecordKey, wire::vector_in},
    peer::{Message, Purpose, message::RepairRequest},
};
use std::{io, sync::Arc};

/// Asks the peers for each damaged record until one can refill it.
pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>) {
    loop {
        shared.env.sleep(shared.config.heartbeat).await;
        let damaged = shared.engine.damaged_records().await.unwrap_or_default();
        for key in damaged {
            for peer in shared.config.peers.keys().copied() {
                if matches!(refill(&shared, peer, &key).await, Ok(true)) {
                    break;
                }
            }
        }
    }
}

async fn refill<E: Env>(shared: &Shared<E>, peer: SiteId, key: &RecordKey) -> io::Result<bool> {
    let mut session = shared.call(peer, Purpose::Ops).await.map_err(io::Error::other)?;
    session.sender.send(Message::RepairRequest(RepairRequest { key: key.encode() })).await?;
    loop {
        match session.receiver.receive().await? {
            Message::Report(_) => {}
            Message::RepairReply(reply) if reply.key == key.encode() => {
                let record = codec::decode_record(&reply.record).map_err(io::Error::other)?;
                let cut = vector_in(reply.cut).map_err(io::Error::other)?;
                let repaired: Result<bool, Error> =
                    shared.engine.repair_record(key.clone(), record, cut).await;
                return repaired.map_err(io::Error::other);
            }
            _ => return Ok(false),
        }
    }
}
