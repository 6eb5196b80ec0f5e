//! Bodies too large for the op log: immutable files under a unique final name, one a segment.
//!
//! A file is written, synced with its folder, and only then named by a commit; so a crash leaves at worst a file that
//! nothing names, which the next start collects. Nothing is renamed or overwritten.
//!
//! | file | |
//! |---|---|
//! | block | [`BLOCK`] bytes of the segment, fewer in the last block |
//! | CRC-32C, little endian | of the block's number (8 bytes, little endian) and its bytes |
//! | … | |
//!
//! So any range is checked as it is read, and a block of another place in the file is noticed.

use crate::env::{DiskFile, Env, Open};
use std::io;

/// The folder of all bodies.
pub const FOLDER: &str = "bodies";

/// Bytes that one checksum covers.
pub const BLOCK: usize = 64 << 10;
const CHECKSUM: usize = 4;

/// A segment being written. Dropped unfinished, it is collected at the next start; [`Writer::discard`] does it at once.
pub struct Writer<E: Env> {
    env: E,
    name: String,
    file: E::File,
    len: u64,
    /// The last block, as long as it is not full.
    block: Vec<u8>,
    hash: blake3::Hasher,
}

/// A finished segment.
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
    /// Starts a segment under a new name.
    pub fn create(env: &E) -> io::Result<Self> {
        let id = u128::from(env.random_u64()) << 64 | u128::from(env.random_u64());
        let name = format!("{FOLDER}/{:02x}/{id:032x}", id >> 120);
        let file = env.open(&name, Open::New)?;
        Ok(Self { env: env.clone(), name, file, len: 0, block: Vec::new(), hash: blake3::Hasher::new() })
    }

    /// Appends bytes.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        while self.block.len() + bytes.len() >= BLOCK {
            let (now, later) = bytes.split_at(BLOCK - self.block.len());
            self.block.extend_from_slice(now);
            bytes = later;
            self.write_block(self.len - bytes.len() as u64)?;
        }
        self.block.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes the block that ends before this byte of the segment.
    fn write_block(&mut self, end: u64) -> io::Result<()> {
        let number = (end - 1) / BLOCK as u64;
        let checksum = checksum(number, &self.block);
        self.block.extend_from_slice(&checksum);
        self.file.write_at(number * (BLOCK + CHECKSUM) as u64, &self.block)?;
        self.block.clear();
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

    /// Makes the segment and its name durable.
    pub fn finish(mut self) -> io::Result<Written> {
        if !self.block.is_empty() {
            self.write_block(self.len)?;
        }
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

fn checksum(number: u64, block: &[u8]) -> [u8; CHECKSUM] {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), block).to_le_bytes()
}

/// Whether an error says that a segment's file is not there, not whole or not what was written: anything else may pass.
pub fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | UnexpectedEof | InvalidData)
}

/// Reads up to `len` bytes of a segment of `size` bytes at an offset; fewer only at its end. What it returns is checked.
pub fn read<E: Env>(env: &E, blob: &str, size: u64, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let end = size.min(offset.saturating_add(len as u64));
    if offset >= end {
        return Ok(Vec::new());
    }
    let file = env.open(blob, Open::Existing)?;
    let block = BLOCK as u64;
    let (first, last) = (offset / block, (end - 1) / block);
    let mut bytes = Vec::with_capacity((end - offset) as usize);
    let mut stored = Vec::new();
    for number in first..=last {
        let start = number * block;
        stored.resize((size - start).min(block) as usize + CHECKSUM, 0);
        file.read_at(number * (BLOCK + CHECKSUM) as u64, &mut stored)?;
        let (data, sum) = stored.split_at(stored.len() - CHECKSUM);
        if sum != checksum(number, data) {
            let what = format!("block {number} of {blob} is damaged");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let from = offset.saturating_sub(start) as usize;
        bytes.extend_from_slice(&data[from..data.len().min((end - start) as usize)]);
    }
    Ok(bytes)
}
