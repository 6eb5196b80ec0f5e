//! One site's disk: what was synced survives a power cut, what was not may be lost, kept or torn sector by sector.
//!
//! Each file has a *view* (what reads show: the page cache) and a *durable* image; writes dirty 512-byte sectors of the
//! view, a sync copies them over. Names are the same: created and removed names are durable once their folder is synced.
//! A failed sync marks the pages clean all the same, as Linux does: reads go on showing the new bytes until the cache is
//! dropped or power is cut, then the old ones.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// What is wrong with a disk now.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults {
    /// Bytes that all files together may have.
    pub capacity: Option<u64>,
    /// The next syncs fail, this many.
    pub failing_syncs: u32,
    /// Reads fail.
    pub failing_reads: bool,
    /// Operations until power is cut in the middle of one; the world cuts it then.
    pub dies_after: Option<u32>,
    /// Added to every piece of blocking work, in microseconds.
    pub slow_us: u64,
}

#[derive(Clone, Debug, Default)]
struct File {
    view: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<u32>,
    /// Sectors whose sync failed: the view shows what the disk does not have.
    phantom: BTreeSet<u32>,
}

/// A disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<u64, File>,
    /// Names as the running process sees them, and as they are on the disk.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next: u64,
    used: u64,
    /// Raised when the process that holds the open files is gone: its handles are dead.
    pub generation: u64,
    /// What is wrong now.
    pub faults: DiskFaults,
    /// Power is gone in mid-operation; nothing works until it is cut formally.
    pub dead: bool,
    /// Operations so far.
    pub ops: u64,
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

fn broken() -> io::Error {
    io::Error::other("input/output error (simulated)")
}

impl Disk {
    /// Counts an operation that changes the disk; the one at which power fails does nothing.
    fn tick(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(broken());
        }
        self.ops += 1;
        if let Some(left) = &mut self.faults.dies_after {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.dead = true;
                return Err(broken());
            }
        }
        Ok(())
    }

    /// The file of a name.
    pub fn lookup(&self, name: &str) -> Option<u64> {
        self.names.get(name).copied()
    }

    /// Makes an empty file.
    pub fn create(&mut self, name: &str) -> io::Result<u64> {
        self.tick()?;
        self.next += 1;
        self.files.insert(self.next, File::default());
        self.names.insert(name.into(), self.next);
        Ok(self.next)
    }

    /// Removes a name. Its file stays on the disk until the folder is synced.
    pub fn remove(&mut self, name: &str) -> io::Result<()> {
        self.tick()?;
        let file = self.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if let Some(file) = self.files.get(&file) {
            self.used -= file.view.len() as u64;
        }
        if !self.durable_names.values().any(|durable| *durable == file) {
            self.files.remove(&file);
        }
        Ok(())
    }

    /// The names below a folder.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        self.names.keys().filter(|name| name.starts_with(&prefix)).cloned().collect()
    }

    /// Makes the names in a folder and above it durable.
    pub fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        self.tick()?;
        let is_in = |name: &str| match name.rsplit_once('/') {
            Some((parent, _)) => parent == folder,
            None => folder.is_empty(),
        };
        let kept: BTreeSet<u64> = self.names.values().copied().collect();
        let durable = std::mem::take(&mut self.durable_names);
        self.durable_names = durable.into_iter().filter(|(name, _)| !is_in(name)).collect();
        let now = self.names.iter().filter(|(name, _)| is_in(name)).map(|(name, file)| (name.clone(), *file));
        self.durable_names.extend(now);
        let durable: BTreeSet<u64> = self.durable_names.values().copied().collect();
        self.files.retain(|file, _| kept.contains(file) || durable.contains(file));
        Ok(())
    }

    /// Length of a file.
    pub fn len(&self, file: u64) -> io::Result<u64> {
        Ok(self.file(file)?.view.len() as u64)
    }

    fn file(&self, file: u64) -> io::Result<&File> {
        if self.dead { Err(broken()) } else { self.files.get(&file).ok_or_else(broken) }
    }

    /// Reads bytes.
    pub fn read(&self, file: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.faults.failing_reads {
            return Err(broken());
        }
        let (file, start) = (self.file(file)?, offset as usize);
        let bytes = file.view.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes bytes into the cache.
    pub fn write(&mut self, file: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        self.tick()?;
        let end = offset as usize + data.len();
        let grows = (end as u64).saturating_sub(self.len(file)?);
        self.make_room(grows)?;
        let file = self.files.get_mut(&file).ok_or_else(broken)?;
        if end > file.view.len() {
            file.view.resize(end, 0);
        }
        file.view[offset as usize..end].copy_from_slice(data);
        if !data.is_empty() {
            file.dirty.extend((offset as usize / SECTOR) as u32..=((end - 1) / SECTOR) as u32);
        }
        Ok(())
    }

    fn make_room(&mut self, grows: u64) -> io::Result<()> {
        if grows > 0 && self.faults.capacity.is_some_and(|capacity| self.used + grows > capacity) {
            return Err(full());
        }
        self.used += grows;
        Ok(())
    }

    /// Cuts or extends a file.
    pub fn set_len(&mut self, file: u64, len: u64) -> io::Result<()> {
        self.tick()?;
        let before = self.len(file)?;
        self.make_room(len.saturating_sub(before))?;
        self.used -= before.saturating_sub(len);
        let file = self.files.get_mut(&file).ok_or_else(broken)?;
        file.view.resize(len as usize, 0);
        // What is cut off or made zero differs from the durable image from the shorter length on.
        let from = before.min(len) as usize / SECTOR;
        file.dirty.extend(from as u32..=(before.max(len) as usize / SECTOR) as u32);
        Ok(())
    }

    /// Makes a file's contents durable.
    pub fn sync(&mut self, file: u64) -> io::Result<()> {
        self.tick()?;
        let fails = self.faults.failing_syncs > 0;
        let file = self.files.get_mut(&file).ok_or_else(broken)?;
        let dirty = std::mem::take(&mut file.dirty);
        if fails {
            self.faults.failing_syncs -= 1;
            file.phantom.extend(dirty);
            return Err(broken());
        }
        file.durable.resize(file.view.len(), 0);
        for sector in dirty {
            let start = sector as usize * SECTOR;
            let end = (start + SECTOR).min(file.view.len());
            if start < end {
                file.durable[start..end].copy_from_slice(&file.view[start..end]);
                file.phantom.remove(&sector);
            }
        }
        // A phantom sector was not written by this sync: the disk keeps what it had.
        Ok(())
    }

    /// Reads show what is on the disk again, wherever the cache and it had come apart.
    pub fn drop_cache(&mut self, file: u64) -> io::Result<()> {
        let file = self.files.get_mut(&file).ok_or_else(broken)?;
        for sector in std::mem::take(&mut file.phantom) {
            let start = sector as usize * SECTOR;
            let end = (start + SECTOR).min(file.view.len());
            for at in start..end {
                file.view[at] = file.durable.get(at).copied().unwrap_or(0);
            }
        }
        Ok(())
    }

    /// Cuts power: of each file's dirty sectors some reach the disk and some do not; of names not synced, some.
    /// With `all_lost` none do.
    pub fn power_cut(&mut self, rng: &mut ChaCha8Rng, all_lost: bool) {
        for (name, file) in &self.names {
            if self.durable_names.get(name) != Some(file) && !all_lost && rng.random_bool(0.5) {
                self.durable_names.insert(name.clone(), *file);
            }
        }
        let removed: Vec<String> =
            self.durable_names.keys().filter(|name| !self.names.contains_key(*name)).cloned().collect();
        for name in removed {
            if !all_lost && rng.random_bool(0.5) {
                self.durable_names.remove(&name);
            }
        }
        self.names.clone_from(&self.durable_names);
        let kept: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| kept.contains(file));
        for file in self.files.values_mut() {
            let grown = !all_lost && rng.random_bool(0.5);
            if grown && file.view.len() != file.durable.len() {
                file.durable.resize(file.view.len(), 0);
            }
            for sector in std::mem::take(&mut file.dirty) {
                let start = sector as usize * SECTOR;
                let end = (start + SECTOR).min(file.view.len()).min(file.durable.len());
                if start < end && !all_lost && rng.random_bool(0.5) {
                    file.durable[start..end].copy_from_slice(&file.view[start..end]);
                }
            }
            file.phantom.clear();
            file.view.clone_from(&file.durable);
        }
        self.used = self
            .names
            .values()
            .filter_map(|file| self.files.get(file))
            .map(|file| file.view.len() as u64)
            .sum();
        self.process_gone();
    }

    /// The process ended and power stayed: the cache stays, its handles are dead.
    pub fn process_gone(&mut self) {
        self.generation += 1;
        self.dead = false;
        self.faults.dies_after = None;
    }

    /// Empties the disk: a new one was put in.
    pub fn wipe(&mut self) {
        let generation = self.generation + 1;
        let (ops, next) = (self.ops, self.next);
        *self = Self { next, generation, ops, ..Self::default() };
    }

    #[must_use]
    /// What a backup of the running site would hold: the durable image.
    pub fn backup(&self) -> Self {
        let mut copy = self.clone();
        copy.names.clone_from(&copy.durable_names);
        let kept: BTreeSet<u64> = copy.names.values().copied().collect();
        copy.files.retain(|file, _| kept.contains(file));
        for file in copy.files.values_mut() {
            file.dirty.clear();
            file.phantom.clear();
            file.view.clone_from(&file.durable);
        }
        copy.used = copy.files.values().map(|file| file.view.len() as u64).sum();
        copy.faults = DiskFaults::default();
        copy
    }

    /// Puts a backup back.
    pub fn restore(&mut self, backup: Self) {
        let (generation, ops, next) = (self.generation + 1, self.ops, self.next.max(backup.next));
        *self = Self { next, generation, ops, ..backup };
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that may still be written.
    pub fn available(&self) -> u64 {
        self.faults.capacity.unwrap_or(1 << 40).saturating_sub(self.used)
    }

    /// Flips one bit of a stored value: one that holds `needle`, drawn among all such places in the named file from which
    /// on the bytes are ones that `may` be struck. `false` if there is none.
    pub fn rot(
        &mut self,
        name: &str,
        needle: &[u8],
        may: impl Fn(&[u8]) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> bool {
        let Some(file) = self.names.get(name).and_then(|file| self.files.get_mut(file)) else { return false };
        // Only where the cache shows what the disk has: elsewhere the place already belongs to something else.
        let is_shown = |at: &usize| file.view.get(*at..at + needle.len()) == Some(needle);
        let places = memchr::memmem::find_iter(&file.durable, needle).filter(is_shown);
        let places: Vec<usize> = places.filter(|at| may(&file.durable[*at..])).collect();
        if places.is_empty() {
            return false;
        }
        let at = places[rng.random_range(0..places.len())] + rng.random_range(0..needle.len());
        let bit = 1 << rng.random_range(0..8u8);
        file.durable[at] ^= bit;
        file.view[at] ^= bit;
        true
    }

    /// The durable contents of the files below a folder.
    pub fn contents<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> + 'a {
        let prefix = format!("{folder}/");
        self.durable_names
            .iter()
            .filter(move |(name, _)| name.starts_with(&prefix))
            .filter_map(|(name, file)| Some((name.as_str(), self.files.get(file)?.durable.as_slice())))
    }

    /// Loses a file as a broken medium would: its name stays gone after a restart.
    pub fn lose(&mut self, name: &str) {
        self.names.remove(name);
        self.durable_names.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Concern, stream};

    fn read(disk: &Disk, file: u64) -> Vec<u8> {
        let mut bytes = vec![0; disk.len(file).unwrap() as usize];
        disk.read(file, 0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn synced_data_survives_a_power_cut_and_unsynced_sectors_are_lost_or_kept_one_by_one() {
        let (mut torn, mut kept, mut lost) = (0, 0, 0);
        for seed in 0..200 {
            let mut disk = Disk::default();
            let file = disk.create("f").unwrap();
            disk.write(file, 0, &[1; 2 * SECTOR]).unwrap();
            disk.sync(file).unwrap();
            disk.sync_folder("").unwrap();
            disk.write(file, 0, &[2; 2 * SECTOR]).unwrap();
            disk.power_cut(&mut stream(seed, Concern::PowerCut, 0), false);
            let bytes = read(&disk, disk.lookup("f").unwrap());
            match (bytes[0], bytes[SECTOR]) {
                (1, 1) => lost += 1,
                (2, 2) => kept += 1,
                _ => torn += 1,
            }
            assert!(bytes[..SECTOR].iter().all(|b| *b == bytes[0]), "sectors are whole");
        }
        assert!(torn > 50 && kept > 20 && lost > 20, "{torn} {kept} {lost}");
    }

    #[test]
    fn a_name_that_was_not_synced_may_vanish_and_a_removed_one_may_come_back() {
        let (mut vanished, mut back) = (0, 0);
        for seed in 0..100 {
            let mut disk = Disk::default();
            disk.create("old").unwrap();
            disk.sync_folder("").unwrap();
            disk.remove("old").unwrap();
            disk.create("new").unwrap();
            disk.power_cut(&mut stream(seed, Concern::PowerCut, 0), false);
            vanished += usize::from(disk.lookup("new").is_none());
            back += usize::from(disk.lookup("old").is_some());
        }
        assert!((20..80).contains(&vanished) && (20..80).contains(&back), "{vanished} {back}");
    }

    #[test]
    fn a_failed_sync_shows_new_bytes_until_the_cache_goes_and_old_ones_after() {
        let mut disk = Disk::default();
        let file = disk.create("f").unwrap();
        disk.write(file, 0, b"old").unwrap();
        disk.sync(file).unwrap();
        disk.write(file, 0, b"new").unwrap();
        disk.faults.failing_syncs = 1;
        assert!(disk.sync(file).is_err());
        disk.sync(file).expect("the next sync reports success, and has written nothing");
        assert_eq!(read(&disk, file), b"new");
        disk.drop_cache(file).unwrap();
        assert_eq!(read(&disk, file), b"old");
    }

    #[test]
    fn a_full_disk_refuses_growth_and_serves_reads() {
        let mut disk = Disk::default();
        let file = disk.create("f").unwrap();
        disk.write(file, 0, &[1; 100]).unwrap();
        disk.faults.capacity = Some(100);
        assert_eq!(disk.write(file, 50, &[2; 51]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.write(file, 50, &[2; 50]).unwrap();
        assert_eq!((disk.available(), read(&disk, file)[60]), (0, 2));
        disk.remove("f").unwrap();
        assert_eq!(disk.available(), 100);
    }

    #[test]
    fn a_backup_holds_what_was_durable_and_its_restore_forgets_the_rest() {
        let mut disk = Disk::default();
        let file = disk.create("f").unwrap();
        disk.write(file, 0, b"one").unwrap();
        disk.sync(file).unwrap();
        disk.sync_folder("").unwrap();
        disk.write(file, 0, b"two").unwrap();
        let backup = disk.backup();
        disk.sync(file).unwrap();
        disk.restore(backup);
        assert_eq!(read(&disk, disk.lookup("f").unwrap()), b"one");
    }

    #[test]
    fn rot_strikes_stored_bytes_and_nothing_that_has_taken_their_place_since() {
        let (mut disk, mut rng) = (Disk::default(), stream(1, Concern::PowerCut, 0));
        let file = disk.create("f").unwrap();
        disk.write(file, 0, b"..needle..").unwrap();
        disk.sync(file).unwrap();
        assert!(disk.rot("f", b"needle", |_| true, &mut rng));
        let rotten = read(&disk, file);
        assert!(rotten != b"..needle.." && rotten.starts_with(b"..") && rotten.ends_with(b".."));
        disk.write(file, 0, b"..needle..").unwrap();
        disk.sync(file).unwrap();
        disk.write(file, 0, b"other bytes").unwrap();
        assert!(!disk.rot("f", b"needle", |_| true, &mut rng));
        assert_eq!(read(&disk, file), b"other bytes");
    }
}
