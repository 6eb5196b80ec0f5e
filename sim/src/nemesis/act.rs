//! Faults at work on the ground. Everything here is synchronous; the death and start of processes are orders that the
//! simulator carries out.

use super::Fault;
use crate::{
    history::WriteId,
    world::{
        disk::Disk,
        ground::State,
        watch::{MARK, Part, mark, read_mark},
    },
};
use rand::Rng;
use std::{collections::BTreeSet, time::Duration};

/// What a fault asks of the simulator besides what it did to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing more.
    Done,
    /// It had nothing to act on; worth another try.
    NotYet,
    /// The site's process must die now, and start again when the fault ends.
    Kill,
    /// The process dies by itself when its disk does.
    Armed,
}

/// What was lost beyond what a site can recover by itself: the oracle's grounds for calling a write destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A disk went back to what it had durable at an instant; zero for an empty one.
    Disk {
        /// Whose.
        site: u16,
        /// When.
        at: Duration,
        /// What it still has.
        kept_until: Duration,
    },
    /// The only file of a body went.
    Body {
        /// Where.
        site: u16,
        /// When.
        at: Duration,
        /// Whose body.
        write: WriteId,
    },
}

/// How much the engine keeps free in simulations; small, as the disks are.
pub const RESERVE: u64 = 128 << 10;

fn links_of(state: &mut State, site: u16) -> impl Iterator<Item = &mut crate::world::link::Link> {
    state.links.iter_mut().filter(move |((a, b), _)| *a == site || *b == site).map(|(_, link)| link)
}

fn cut(state: &mut State, by: i32, matches: impl Fn(u16, u16) -> bool) {
    for ((a, b), link) in &mut state.links {
        if matches(*a, *b) {
            link.cuts = link.cuts.saturating_add_signed(by);
        }
    }
}

impl Fault {
    /// Begins.
    pub fn begin(
        &self,
        state: &mut State,
        now: Duration,
        backup: Option<&Disk>,
        losses: &mut Vec<Loss>,
    ) -> Act {
        let us = now.as_micros() as i64;
        match self {
            Self::Partition { side } => cut(state, 1, |a, b| side.contains(&a) != side.contains(&b)),
            Self::OneWay { from, to } => cut(state, 1, |a, b| (a, b) == (*from, *to)),
            Self::Flapping { a: x, b: y, .. } => {
                cut(state, 1, |a, b| (a, b) == (*x, *y) || (b, a) == (*x, *y));
            }
            Self::Latency { site, added } => {
                links_of(state, *site).for_each(|l| l.shape.latency = l.base.latency + *added);
            }
            Self::Loss { site, ppm } => links_of(state, *site).for_each(|l| l.shape.loss_ppm = *ppm),
            Self::Bandwidth { site, bytes_per_s } => {
                links_of(state, *site).for_each(|l| l.shape.bandwidth = (*bytes_per_s).max(1000));
            }
            Self::Corrupt { site, ppm } => links_of(state, *site).for_each(|l| l.shape.corrupt_ppm = *ppm),
            Self::Reset { a, b } => {
                let hit = state.reset_conns(|sites| sites == (*a, *b) || sites == (*b, *a));
                return if hit > 0 { Act::Done } else { Act::NotYet };
            }
            Self::Crash { site, after_disk_ops, .. } => {
                let machine = state.machine(*site);
                if !machine.up {
                    return Act::Done;
                }
                let Some(ops) = after_disk_ops else { return Act::Kill };
                machine.disk.faults.dies_after = Some(*ops);
                return Act::Armed;
            }
            Self::Pause { site } => {
                let machine = state.machine(*site);
                machine.paused = true;
                machine.pauses += 1;
            }
            Self::ClockStep { site, by_ms } | Self::ClockStrobe { site, by_ms } => {
                state.machine(*site).clock.step(us, *by_ms);
            }
            Self::ClockDrift { site, ppm } => state.machine(*site).clock.drift(us, *ppm),
            Self::ClockFreeze { site } => state.machine(*site).clock.freeze(us, true),
            Self::DiskFull { site, room } => {
                let disk = &mut state.machine(*site).disk;
                disk.faults.capacity = Some(disk.used() + room);
            }
            Self::SyncFail { site } => state.machine(*site).disk.faults.failing_syncs = 1,
            Self::SlowDisk { site, added } => {
                state.machine(*site).disk.faults.slow_us = added.as_micros() as u64;
            }
            Self::BodyLost { site } => return lose_body(state, *site, now, losses),
            Self::BitRot { site } => {
                // Any stored value that holds a write's bytes: a record, or a log entry; of writes that another site has too.
                // Both copies at the only site that has a write would be that site's loss, which other faults are for.
                let spread: BTreeSet<WriteId> =
                    state.watch.seen().iter().filter(|d| d.to != *site).map(|d| d.write).collect();
                let may = |bytes: &[u8]| {
                    let mark = bytes.get(..MARK).and_then(read_mark);
                    mark.is_some_and(|(write, _)| spread.contains(&write))
                };
                let machine = state.machine(*site);
                let rotted = machine.disk.rot("meta.redb", b"<<e0000", may, &mut machine.power);
                return if rotted { Act::Done } else { Act::NotYet };
            }
            Self::BodyRot { site } => return rot_body(state, *site),
            Self::Rebuild { site } => {
                state.machine(*site).disk.wipe();
                losses.push(Loss::Disk { site: *site, at: now, kept_until: Duration::ZERO });
                return Act::Kill;
            }
            Self::Restore { site, backup_at } => {
                let Some(backup) = backup else { return Act::Done };
                state.machine(*site).disk.restore(backup.clone());
                losses.push(Loss::Disk { site: *site, at: now, kept_until: *backup_at });
                return Act::Kill;
            }
        }
        Act::Done
    }

    /// Ends. Whatever a fault leaves behind for good stays.
    pub fn end(&self, state: &mut State, now: Duration) {
        let us = now.as_micros() as i64;
        match self {
            Self::Partition { side } => cut(state, -1, |a, b| side.contains(&a) != side.contains(&b)),
            Self::OneWay { from, to } => cut(state, -1, |a, b| (a, b) == (*from, *to)),
            Self::Flapping { a: x, b: y, .. } => {
                cut(state, -1, |a, b| (a, b) == (*x, *y) || (b, a) == (*x, *y));
            }
            Self::Latency { site, .. }
            | Self::Loss { site, .. }
            | Self::Bandwidth { site, .. }
            | Self::Corrupt { site, .. } => {
                links_of(state, *site).for_each(|link| link.shape = link.base.clone());
            }
            Self::Pause { site } => state.machine(*site).paused = false,
            Self::ClockStep { site, .. }
            | Self::ClockDrift { site, .. }
            | Self::ClockFreeze { site }
            | Self::ClockStrobe { site, .. } => state.machine(*site).clock.heal(us),
            Self::DiskFull { site, .. } => state.machine(*site).disk.faults.capacity = None,
            Self::SyncFail { site } => state.machine(*site).disk.faults.failing_syncs = 0,
            Self::SlowDisk { site, .. } => state.machine(*site).disk.faults.slow_us = 0,
            Self::Reset { .. }
            | Self::Crash { .. }
            | Self::BodyLost { .. }
            | Self::BitRot { .. }
            | Self::BodyRot { .. }
            | Self::Rebuild { .. }
            | Self::Restore { .. } => {}
        }
    }

    /// For faults that go on and off: how often.
    pub fn period(&self) -> Option<Duration> {
        match self {
            Self::Flapping { period, .. } => Some(*period),
            Self::ClockStrobe { .. } => Some(Duration::from_millis(200)),
            _ => None,
        }
    }
}

/// Flips a bit of a body's file, in its first mark, if all of the body has reached another site and is there still.
fn rot_body(state: &mut State, site: u16) -> Act {
    let reached = |part: Part| -> BTreeSet<(u16, WriteId)> {
        let seen = state.watch.seen().iter().filter(|d| d.part == part && d.to != site);
        seen.map(|d| (d.to, d.write)).collect()
    };
    let (mut start, middle, end) = (reached(Part::Start), reached(Part::Middle), reached(Part::End));
    // Where it has rotted too, or is gone since, it is no copy to mend from.
    start.retain(|(other, write)| {
        let disk = &state.machine(*other).disk;
        disk.contents("bodies").any(|(_, bytes)| bytes.starts_with(&mark(*write, Part::Start)))
    });
    let machine = state.machine(site);
    let found = machine.disk.contents("bodies").filter_map(|(name, bytes)| {
        let (write, part) = read_mark(bytes.get(..MARK)?)?;
        let is_first_of_two = memchr::memmem::find(bytes, &mark(write, Part::Middle)).is_some();
        let is_whole = |at: &(u16, WriteId)| {
            at.1 == write && end.contains(at) && (!is_first_of_two || middle.contains(at))
        };
        (part == Part::Start && start.iter().any(is_whole)).then(|| (name.to_owned(), bytes[..MARK].to_vec()))
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Act::NotYet;
    }
    let (name, mark) = &found[machine.power.random_range(0..found.len())];
    if machine.disk.rot(name, mark, |_| true, &mut machine.power) { Act::Done } else { Act::NotYet }
}

/// Loses the file with the first bytes of a body whose end has reached no other site.
fn lose_body(state: &mut State, site: u16, now: Duration, losses: &mut Vec<Loss>) -> Act {
    let spread: BTreeSet<WriteId> =
        state.watch.seen().iter().filter(|d| d.part == Part::End).map(|d| d.write).collect();
    let disk = &state.machine(site).disk;
    let found = disk.contents("bodies").find_map(|(name, bytes)| {
        let (write, part) = read_mark(bytes.get(..MARK)?)?;
        (part == Part::Start && !spread.contains(&write)).then(|| (name.to_owned(), write))
    });
    let Some((name, write)) = found else { return Act::NotYet };
    state.machine(site).disk.lose(&name);
    losses.push(Loss::Body { site, at: now, write });
    Act::Done
}
