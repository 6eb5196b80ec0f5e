//! Room kept for the day the disk is full.
//!
//! redb cannot even be opened on a full disk, and it doubles its file when it grows. So writes are refused while less is
//! free than that growth and a margin; and a reserve file is given back to the disk when an opening finds it full.

use super::Error;
use crate::env::{DiskFile, Env, Open};
use std::io;

/// The file whose blocks are the reserve.
pub const FILE: &str = "reserve";

/// redb grows by doubling up to one region of this many bytes.
const GROWTH_MAX: u64 = 4 << 30;

/// How much to keep free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Bytes beside the database's own growth.
    pub margin: u64,
}

impl Reserve {
    /// Refuses when a write might meet a full disk inside the database. `database` is its length in bytes.
    pub fn check<E: Env>(self, env: &E, database: u64, about_to_write: u64) -> Result<(), Error> {
        let available = env.available_bytes()?;
        let needed = self.margin + database.min(GROWTH_MAX) + about_to_write;
        if available < needed { Err(Error::Full { available, needed }) } else { Ok(()) }
    }

    /// Before the database is opened: gives the reserve back if the disk is full.
    pub(super) fn release_if_full<E: Env>(self, env: &E) -> Result<bool, Error> {
        if env.available_bytes()? >= self.margin {
            return Ok(false);
        }
        match env.remove(FILE) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// After the database is open: takes the reserve again if there is room for it.
    pub(super) fn take<E: Env>(self, env: &E) -> Result<(), Error> {
        const BLOCK: usize = 64 << 10;
        let file = env.open(FILE, Open::OrCreate)?;
        let mut len = file.len()?;
        while len < self.margin && env.available_bytes()? > 2 * self.margin {
            // Written, not only extended: a hole reserves nothing.
            let block = BLOCK.min((self.margin - len) as usize);
            file.write_at(len, &vec![0; block])?;
            len += block as u64;
        }
        Ok(())
    }
}
