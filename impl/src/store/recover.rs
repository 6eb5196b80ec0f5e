//! Opening the store after anything: a first start, a clean stop, a power cut, a failed sync, a restored backup.
//!
//! In order: give the reserve back if the disk is full; drop cached pages, which after a failed sync may show what never
//! reached the disk; open the database, which repairs itself; check whose data it is; start a new epoch and sync it;
//! collect body files that no row names.

use super::{
    BODIES, BOOKKEEPING, Error, LOG, PartRow, RECORDS, STAGED, Store, UPLOADS, backend::Backend, bodies,
    bookkeeping::Row, keys, reserve::Reserve,
};
use crate::{
    causality::{Epoch, SiteId, Timestamp, VersionVector},
    env::{DiskFile, Env, Open},
};
use redb::{Builder, ReadableDatabase, ReadableTable};
use std::{collections::BTreeSet, io, sync::Arc};

/// The database's file.
pub(crate) const DATABASE: &str = "meta.redb";

/// Whose data it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's name.
    pub cluster: String,
    /// The site's number.
    pub site: SiteId,
}

/// A store as it was found.
pub struct Opened {
    /// The store, in its new epoch.
    pub store: Store,
    /// Where the hybrid clock resumes.
    pub ceiling: Timestamp,
    /// What was applied before.
    pub applied: VersionVector,
    /// Whether this is the first opening of an empty directory.
    pub is_new: bool,
}

/// Opens the store in the data directory. Blocks.
pub fn open<E: Env>(
    env: &E,
    identity: &Identity,
    reserve: Reserve,
    cache_bytes: usize,
) -> Result<Opened, Error> {
    if reserve.release_if_full(env)? {
        env.mark("reserve-released");
    }
    let file = env.open(DATABASE, Open::OrCreate)?;
    file.drop_cache()?;
    forget_unfinished(&file)?;
    let is_new = file.is_empty()?;
    let db = Builder::new().set_cache_size(cache_bytes).create_with_backend(Backend(file))?;
    let (epoch, ceiling) = start_epoch(env, &db, identity)?;
    // The names of database and folders are durable before the first acknowledgement.
    env.sync_folder("")?;
    let store = Store { db: Arc::new(db), epoch: (identity.site, epoch), latest: Arc::default() };
    collect_unnamed(env, &store)?;
    reserve.take(env)?;
    let applied = store.snapshot()?.vector()?;
    Ok(Opened { store, ceiling, applied, is_new })
}

/// A crash during the very first opening leaves a file without the database's magic number, which could never be opened
/// again. Nothing can have been acknowledged from it.
fn forget_unfinished<F: DiskFile>(file: &F) -> Result<(), Error> {
    const MAGIC: usize = 9;
    let len = file.len()?;
    let mut head = [0; MAGIC];
    if len > 0 {
        let readable = MAGIC.min(len as usize);
        file.read_at(0, &mut head[..readable])?;
        if head == [0; MAGIC] {
            file.set_len(0)?;
            file.sync()?;
        }
    }
    Ok(())
}

/// Commits the new epoch's number: synced before its first dot.
fn start_epoch<E: Env>(
    env: &E,
    db: &redb::Database,
    identity: &Identity,
) -> Result<(Epoch, Timestamp), Error> {
    let transaction = db.begin_write()?;
    let found = {
        for table in [RECORDS, LOG, BODIES, STAGED, UPLOADS] {
            transaction.open_table(table)?;
        }
        let mut table = transaction.open_table(BOOKKEEPING)?;
        let owner = format!("site {} of cluster {}", identity.site, identity.cluster);
        let found =
            table.get(keys::IDENTITY)?.map(|row| String::unseal(keys::IDENTITY, row.value())).transpose()?;
        if let Some(found) = found.filter(|found| *found != owner) {
            return Err(Error::Identity { found, wanted: owner });
        }
        let starts =
            table.get(keys::STARTS)?.map(|row| u64::unseal(keys::STARTS, row.value())).transpose()?;
        let starts = starts.unwrap_or(0) + 1;
        let ceiling =
            table.get(keys::CEILING)?.map(|row| u64::unseal(keys::CEILING, row.value())).transpose()?;
        table.insert(keys::IDENTITY, &owner.seal(keys::IDENTITY)[..])?;
        table.insert(keys::STARTS, &starts.seal(keys::STARTS)[..])?;
        (Epoch::new(starts as u32, env.random_u64() as u32), Timestamp(ceiling.unwrap_or(0)))
    };
    transaction.commit()?;
    Ok(found)
}

/// Removes body files that no row names: a crash came between the file's sync and the commit that would publish it.
fn collect_unnamed<E: Env>(env: &E, store: &Store) -> Result<(), Error> {
    let mut named = BTreeSet::new();
    let table = store.db.begin_read()?.open_table(BODIES)?;
    for row in table.range(&b"s"[..]..&b"t"[..])? {
        let (key, sealed) = row?;
        let Ok(blob) = String::unseal(key.value(), sealed.value()) else {
            // Any file may be this row's: none is removed.
            env.mark("body-row-corrupt");
            return Ok(());
        };
        named.insert(blob);
    }
    let uploads = store.db.begin_read()?.open_table(UPLOADS)?;
    for row in uploads.range(&b"p"[..]..&b"q"[..])? {
        let (key, sealed) = row?;
        let Ok(part) = PartRow::unseal(key.value(), sealed.value()) else {
            env.mark("body-row-corrupt");
            return Ok(());
        };
        named.extend(part.segments.into_iter().map(|segment| segment.blob));
    }
    for blob in env.list(bodies::FOLDER)? {
        if !named.contains(&blob) {
            match env.remove(&blob) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => env.mark("unnamed-body-collected"),
            }
        }
    }
    Ok(())
}

/// The database file's length in bytes.
pub(crate) fn database_bytes<E: Env>(env: &E) -> Result<u64, Error> {
    Ok(env.open(DATABASE, Open::Existing)?.len()?)
}
