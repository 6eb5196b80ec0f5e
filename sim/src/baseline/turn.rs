//! A client's turn: the next operation of its part of the plan, noted as the real client notes it.

use super::{
    model::{Event, Model},
    wire::{Message, Version},
};
use crate::{
    history::{Ending, Shown, WriteId},
    plan::PlannedOp,
    workload::{Action, PATIENCE},
};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How long a site takes to answer: a commit on a good disk.
const SERVICE: Duration = Duration::from_millis(5);

impl Model {
    /// Begins the client's next operation, or waits for its instant. The site runs.
    pub(super) fn turn(&mut self, client: usize) {
        let plan = self.plan.clone();
        loop {
            let Some(&place) = self.clients[client].ops.get(self.clients[client].next) else { return };
            let op = &plan.ops[place];
            if self.now < op.at {
                self.at(op.at, Event::Turn(client));
                return;
            }
            self.clients[client].next += 1;
            if self.now <= op.at + PATIENCE {
                self.begin(client, op, self.key_of[place]);
                return;
            }
            // The site was down when its turn came: its client got no connection.
            self.history.invoke(op.id, op.at);
            let operation = self.history.get_mut(op.id);
            operation.ending = Ending::Refused("no connection".into());
            operation.completed = Some(op.at);
        }
    }

    fn begin(&mut self, client: usize, op: &PlannedOp, key: u32) {
        self.history.invoke(op.id, self.now);
        let Some(ending) = self.perform(op, key) else {
            // The process ends under it: the client never learns, and goes on when there is a process again.
            self.obey();
            self.at(self.now, Event::Turn(client));
            return;
        };
        let slow = Duration::from_micros(self.ground.lock().machine(op.site).disk.faults.slow_us);
        let life = self.site(op.site).life;
        self.at(self.now + SERVICE + slow, Event::Answer { client, write: op.id, ending, life });
    }

    /// The operation's effect, at once. None if the site dies of it.
    fn perform(&mut self, op: &PlannedOp, key: u32) -> Option<Ending> {
        let shown = self.shown(op.site, key);
        let operation = self.history.get_mut(op.id);
        match op.action {
            Action::Get => {
                operation.answer = Some(shown);
                Some(Ending::Acked)
            }
            // None of these stores takes a context: they are all plain writes.
            Action::Put { size } | Action::ReadModifyWrite { size } => {
                (operation.read_at, operation.shown) = (Some(self.now), Some(shown));
                self.write(op, key, Some(op.id), size as u64)
            }
            Action::ForeignToken { .. } => {
                (operation.read_at, operation.shown) = (Some(self.now), Some(shown));
                Some(Ending::Refused("this store takes no tokens".into()))
            }
            Action::Delete => {
                (operation.read_at, operation.shown) = (Some(self.now), Some(shown));
                self.write(op, key, None, 0)
            }
            Action::DeleteVersion => {
                let Shown::Write(target) = shown else {
                    return Some(Ending::Refused("nothing to delete".into()));
                };
                let stamp = self.sites[usize::from(op.site)].store[&key].stamp.to_string();
                operation.target = Some((stamp, target));
                self.write(op, key, None, 0)
            }
            Action::Tag | Action::Configure { .. } | Action::ToggleBucket => Some(Ending::Acked),
        }
    }

    fn write(&mut self, op: &PlannedOp, key: u32, content: Option<WriteId>, bytes: u64) -> Option<Ending> {
        let wall_ms = {
            let mut state = self.ground.lock();
            let machine = state.machine(op.site);
            // Nothing of a write whose sync failed, or that lost power in the middle, is found again.
            machine.exited |= machine.disk.faults.failing_syncs > 0;
            machine.disk.dead |= machine.disk.faults.dies_after.is_some();
            if machine.exited || machine.disk.dead {
                return None;
            }
            machine.clock.wall_ms(self.now.as_micros() as i64)
        };
        if !self.takes(op.site, bytes) {
            return Some(Ending::Refused("the disk is full".into()));
        }
        let unique = xxh3_64_with_seed(&op.id.to_le_bytes(), self.plan.seed);
        let site = self.site(op.site);
        let stored = site.store.get(&key).map(|version| version.stamp);
        let version = Version { stamp: site.stamper.make(wall_ms, stored, unique), content, bytes };
        self.history.get_mut(op.id).version = Some(version.stamp.to_string());
        // Acknowledged whether it wins or not: that is how a write is born dead.
        self.offer(op.site, key, version);
        for to in (0..self.plan.sites).filter(|to| *to != op.site) {
            self.send(Message { from: op.site, to, key, version, is_copy: false });
        }
        Some(Ending::Acked)
    }
}
