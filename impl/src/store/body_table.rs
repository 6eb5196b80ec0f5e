//! The bodies of one transaction: which are here, which are wanted, which are garbage.
//!
//! A body's state is one row; each of its segments that lies in a file here has a row of its own, so that a body of
//! thousands of segments is not written anew for each that comes. Files are never removed here: rows go first, in a
//! commit, and the collector removes the files that it left to nobody.

use super::{BodyRow, Error, bookkeeping::Row, keys, tx::Tx};
use crate::{
    causality::Dot,
    crdt::{Entry, Payload, Raise, Record, State},
    object::{Body, RecordKey, Segment},
};
use redb::ReadableTable;

impl Tx<'_> {
    /// After a record changed: new external bodies are wanted, what purged versions held is garbage.
    pub(super) fn bodies_follow(
        &mut self,
        key: &RecordKey,
        before: &Record,
        after: &Record,
        by: &[Dot],
    ) -> Result<(), Error> {
        for (&dot, entry) in before.entries.iter().filter(|(dot, _)| !after.entries.contains_key(dot)) {
            let Payload::Version { content: Some(content), .. } = &entry.payload else { continue };
            self.remove_body_row(keys::WANTED, dot)?;
            let is_whole = if is_inline(entry) {
                // It needs no file collected; it is kept only while its superseder's body has yet to arrive.
                self.any_body_outstanding(after, by)?
            } else {
                self.remove_body_row(keys::HELD, dot)?.is_some()
            };
            if is_whole || self.segments(dot)?.next().is_some() {
                // Of a body that never came whole only the files are left to be collected.
                let content = is_whole.then(|| (entry.hlc, content.clone()));
                let row = BodyRow { record: key.encode(), missing: 0, purged_by: by.to_vec(), content };
                self.put_body_row(keys::GARBAGE, dot, &row)?;
            }
        }
        for (&dot, entry) in &after.entries {
            let Some(segments) = external(entry) else { continue };
            if entry.raise == Raise::Lost {
                self.remove_body_row(keys::WANTED, dot)?;
            } else if !before.entries.contains_key(&dot) && self.body_row(keys::HELD, dot)?.is_none() {
                self.want(key, dot, segments)?;
            }
        }
        Ok(())
    }

    /// After a record was refilled: what ended while it was out of service ended unseen. Bodies of versions that it does not
    /// hold are not wanted any more, and their files are garbage.
    pub fn settle_bodies(&mut self, key: &RecordKey, record: &Record) -> Result<(), Error> {
        let encoded = key.encode();
        let mut gone = Vec::new();
        for state in [keys::HELD, keys::WANTED] {
            for row in self.bodies.range(&[state][..]..&[state + 1][..])? {
                let (row_key, sealed) = row?;
                let Some(dot) = keys::dot_of(&row_key.value()[1..]) else { continue };
                let is_of_record =
                    BodyRow::unseal(row_key.value(), sealed.value()).is_ok_and(|row| row.record == encoded);
                if is_of_record && !record.entries.contains_key(&dot) {
                    gone.push((state, dot));
                }
            }
        }
        for (state, dot) in gone {
            self.remove_body_row(state, dot)?;
            if self.segments(dot)?.next().is_some() {
                let row = BodyRow { record: encoded.clone(), ..BodyRow::default() };
                self.put_body_row(keys::GARBAGE, dot, &row)?;
            }
        }
        Ok(())
    }

    /// A version is in its record again or for the first time: what of its body is not here is wanted.
    fn want(&mut self, key: &RecordKey, dot: Dot, segments: &[Segment]) -> Result<(), Error> {
        self.remove_body_row(keys::GARBAGE, dot)?; // a repair brought it back
        let here = self.segments(dot)?.count();
        let missing = u32::try_from(segments.len().saturating_sub(here)).unwrap_or(u32::MAX);
        let row = BodyRow { record: key.encode(), missing, ..BodyRow::default() };
        self.put_body_row(if missing == 0 { keys::HELD } else { keys::WANTED }, dot, &row)
    }

    /// What of a version's body is not here is wanted, whatever its row said.
    pub fn want_again(&mut self, key: &RecordKey, dot: Dot) -> Result<(), Error> {
        let record = self.record(key)?;
        let Some(entry) = record.entries.get(&dot).filter(|entry| entry.raise != Raise::Lost) else {
            return Ok(());
        };
        if let Some(segments) = external(entry) {
            self.remove_body_row(keys::HELD, dot)?;
            self.remove_body_row(keys::WANTED, dot)?;
            self.want(key, dot, segments)?;
        }
        Ok(())
    }

    /// Whether one of these operations made a version whose body is not here yet.
    fn any_body_outstanding(&self, record: &Record, by: &[Dot]) -> Result<bool, Error> {
        for dot in by {
            let is_external = record.entries.get(dot).is_some_and(|entry| external(entry).is_some());
            if is_external && self.body_row(keys::HELD, *dot)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that a wanted segment now lies in a file, synced with its folder. `false` if nobody wants it: then nobody owns
    /// the file either.
    pub fn segment_arrived(&mut self, dot: Dot, number: u32, blob: &str) -> Result<bool, Error> {
        let wanted = self.body_row(keys::WANTED, dot)?;
        let key = keys::segment(dot, number);
        // A row that rotted names no file.
        let is_here = self.bodies.get(&key[..])?.is_some_and(|row| String::unseal(&key, row.value()).is_ok());
        let Some(wanted) = wanted.filter(|_| !is_here) else {
            self.orphans.push(blob.to_owned());
            return Ok(false);
        };
        self.bodies.insert(&key[..], &blob.to_owned().seal(&key)[..])?;
        let row = BodyRow { missing: wanted.missing.saturating_sub(1), ..wanted };
        if row.missing == 0 {
            self.remove_body_row(keys::WANTED, dot)?;
            self.put_body_row(keys::HELD, dot, &row)?;
        } else {
            self.put_body_row(keys::WANTED, dot, &row)?;
        }
        Ok(true)
    }

    /// Notes that a segment's file is gone or corrupt: it is wanted again. `blob` is the file that was read: if another
    /// has taken its place meanwhile, nothing changes.
    pub fn segment_vanished(&mut self, dot: Dot, number: u32, blob: &str) -> Result<(), Error> {
        let key = keys::segment(dot, number);
        let named = self.bodies.get(&key[..])?.map(|sealed| String::unseal(&key, sealed.value()));
        if !named.is_some_and(|named| named.map_or(true, |named| named == blob)) {
            return Ok(());
        }
        self.bodies.remove(&key[..])?;
        self.orphans.push(blob.to_owned());
        for state in [keys::HELD, keys::WANTED] {
            if let Some(row) = self.remove_body_row(state, dot)? {
                self.put_body_row(keys::WANTED, dot, &BodyRow { missing: row.missing + 1, ..row })?;
                break;
            }
        }
        Ok(())
    }

    /// Removes a garbage body's rows; its files are nobody's then.
    pub fn drop_garbage(&mut self, dot: Dot) -> Result<(), Error> {
        self.remove_body_row(keys::GARBAGE, dot)?;
        let found: Vec<(u32, String)> = self.segments(dot)?.collect::<Result<_, _>>()?;
        for (number, blob) in found {
            self.bodies.remove(&keys::segment(dot, number)[..])?;
            self.orphans.push(blob);
        }
        Ok(())
    }

    /// Gives the files of a garbage body to another version, which wants the same body.
    pub fn hand_over(&mut self, garbage: Dot, to: Dot) -> Result<(), Error> {
        let found: Vec<(u32, String)> = self.segments(garbage)?.collect::<Result<_, _>>()?;
        for (number, blob) in found {
            self.bodies.remove(&keys::segment(garbage, number)[..])?;
            self.segment_arrived(to, number, &blob)?;
        }
        self.remove_body_row(keys::GARBAGE, garbage)?;
        Ok(())
    }

    /// The segments of a body that lie in files here, with their files. One whose row rotted is not here.
    fn segments(&self, dot: Dot) -> Result<impl Iterator<Item = Result<(u32, String), Error>> + '_, Error> {
        let (start, end) = (keys::segment(dot, 0), keys::segment(dot, u32::MAX));
        let rows = self.bodies.range(&start[..]..&end[..])?;
        Ok(rows.filter_map(|row| match row {
            Ok((key, sealed)) => {
                let blob = String::unseal(key.value(), sealed.value()).ok()?;
                Some(Ok((keys::segment_number(key.value())?, blob)))
            }
            Err(error) => Some(Err(error.into())),
        }))
    }

    /// A row of the bodies table. One that rotted says nothing any more: what is garbage is still to be collected, and all
    /// else is as if it were not here, until a scrub finds that out.
    pub fn body_row(&self, state: u8, dot: Dot) -> Result<Option<BodyRow>, Error> {
        let key = keys::body(state, dot);
        let Some(sealed) = self.bodies.get(&key[..])? else { return Ok(None) };
        let rotten = (state == keys::GARBAGE).then(BodyRow::default);
        Ok(BodyRow::unseal(&key, sealed.value()).ok().or(rotten))
    }

    fn put_body_row(&mut self, state: u8, dot: Dot, row: &BodyRow) -> Result<(), Error> {
        let key = keys::body(state, dot);
        self.bodies.insert(&key[..], &row.seal(&key)[..])?;
        Ok(())
    }

    /// Removes and returns a row of the bodies table.
    fn remove_body_row(&mut self, state: u8, dot: Dot) -> Result<Option<BodyRow>, Error> {
        let key = keys::body(state, dot);
        let removed = self.bodies.remove(&key[..])?;
        // A row that rotted says nothing any more.
        Ok(removed.and_then(|sealed| BodyRow::unseal(&key, sealed.value()).ok()))
    }

    /// What is kept of versions that one of these operations purged.
    pub fn purged_by(&self, dot: Dot) -> Result<Vec<(Dot, BodyRow)>, Error> {
        let mut found = Vec::new();
        for row in self.bodies.range(&[keys::GARBAGE][..]..&[keys::GARBAGE + 1][..])? {
            let (key, sealed) = row?;
            let Ok(row) = BodyRow::unseal(key.value(), sealed.value()) else { continue };
            if row.purged_by.contains(&dot) {
                found.extend(keys::dot_of(&key.value()[1..]).map(|dot| (dot, row)));
            }
        }
        Ok(found)
    }
}

fn is_inline(entry: &Entry) -> bool {
    matches!(
        &entry.payload,
        Payload::Version { content: Some(content), .. } if matches!(content.manifest.body, Body::Inline(_))
    )
}

/// The segments of a version whose body lies in files.
pub(crate) fn external(entry: &Entry) -> Option<&[Segment]> {
    match &entry.payload {
        Payload::Version { content: Some(content), .. } => match &content.manifest.body {
            Body::External(segments) => Some(segments),
            Body::Inline(_) => None,
        },
        _ => None,
    }
}
