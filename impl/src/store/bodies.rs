//! Bodies too large for the op log: immutable files under a unique final name.
//!
//! A file is written, synced with its folder, and only then named by a commit; so a crash leaves at worst a file that
//! nothing names, which the next start collects. Nothing is renamed or overwritten.

use crate::env::{DiskFile, Env, Open};
use std::io;

/// The folder of all bodies.
pub const FOLDER: &str = "bodies";

/// A body being written. Dropped unfinished, it is collected at the next start; [`Writer::discard`] does it at once.
pub struct Writer<E: Env> {
    env: E,
    name: String,
    file: E::File,
    len: u64,
    hash: blake3::Hasher,
}

/// A finished body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file's name.
    pub blob: String,
    /// Length in bytes.
    pub size: u64,
    /// Hash of the bytes.
    pub blake3: [u8; 32],
}

impl<E: Env> Writer<E> {
    /// Starts a body under a new name.
    pub fn create(env: &E) -> io::Result<Self> {
        let id = u128::from(env.random_u64()) << 64 | u128::from(env.random_u64());
        let name = format!("{FOLDER}/{:02x}/{id:032x}", id >> 120);
        let file = env.open(&name, Open::New)?;
        Ok(Self { env: env.clone(), name, file, len: 0, hash: blake3::Hasher::new() })
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.len, bytes)?;
        self.len += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been appended.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the body and its name durable.
    pub fn finish(self) -> io::Result<Written> {
        self.file.sync()?;
        let folder = self.name.rsplit_once('/').map_or(FOLDER, |(folder, _)| folder);
        self.env.sync_folder(folder)?;
        Ok(Written { blob: self.name, size: self.len, blake3: *self.hash.finalize().as_bytes() })
    }

    /// Removes what was written.
    pub fn discard(self) -> io::Result<()> {
        self.env.remove(&self.name)
    }
}

/// Whether an error says that the file is not there, or not whole: anything else may pass.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}

/// Reads up to `len` bytes of a body at an offset; fewer only at its end.
pub fn read<E: Env>(env: &E, blob: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let file = env.open(blob, Open::Existing)?;
    let rest = file.len()?.saturating_sub(offset);
    let mut bytes = vec![0; len.min(usize::try_from(rest).unwrap_or(usize::MAX))];
    file.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
