//! The disk as a mounted file system: FUSE's requests, one by one, without any cache of the kernel's in between.
//!
//! It offers what the store uses. What it does not use, as renaming, fails, so that it cannot begin to rely on it unseen.

use crate::{
    disk::{Disk, Kind},
    power::{Held, Power, Request as Asked},
};
use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use std::{
    ffi::OsStr,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The kernel remembers no attributes and no names: it asks each time.
const NOT_CACHED: Duration = Duration::ZERO;
const BLOCK: u32 = 4096;
/// Blocks that the disk says are free: more than any test fills.
const FREE: u64 = 1 << 24;

/// Mounts the disk until the session is dropped.
pub(crate) fn mount(power: Arc<Power>, at: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("powercut".into()), MountOption::NoAtime];
    fuser::spawn_mount(Mounted(power), at, &config)
}

struct Mounted(Arc<Power>);

impl Mounted {
    fn look(&self) -> Result<Held<'_>, Errno> {
        self.0.take(Asked::Look).ok_or(Errno::EIO)
    }

    fn step(&self) -> Result<Held<'_>, Errno> {
        self.0.take(Asked::Step).ok_or(Errno::EIO)
    }

    fn make(&self, folder: INodeNo, name: &OsStr, is_folder: bool) -> Result<FileAttr, Errno> {
        let mut disk = self.step()?;
        if disk.find(folder.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let node = disk.make(folder.0, name, is_folder).ok_or(Errno::ENOTDIR)?;
        attributes(&disk, node)
    }

    fn unlink(&self, folder: INodeNo, name: &OsStr) -> Result<(), Errno> {
        if self.step()?.unlink(folder.0, name) { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn sync(&self, node: INodeNo) -> Result<(), Errno> {
        if self.step()?.sync(node.0) { Ok(()) } else { Err(Errno::ENOENT) }
    }
}

fn attributes(disk: &Disk, node: u64) -> Result<FileAttr, Errno> {
    let (kind, size, perm) = match disk.kind(node).ok_or(Errno::ENOENT)? {
        Kind::File(len) => (FileType::RegularFile, len, 0o600),
        Kind::Folder => (FileType::Directory, 0, 0o700),
    };
    Ok(FileAttr {
        ino: INodeNo(node),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    })
}

fn answer(outcome: Result<(), Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(outcome: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match outcome {
        Ok(attributes) => reply.entry(&NOT_CACHED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn attribute(outcome: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match outcome {
        Ok(attributes) => reply.attr(&NOT_CACHED, &attributes),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found =
            self.look().and_then(|disk| attributes(&disk, disk.find(parent.0, name).ok_or(Errno::ENOENT)?));
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attribute(self.look().and_then(|disk| attributes(&disk, node.0)), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = self.step().and_then(|mut disk| {
            if size.is_some_and(|size| !disk.set_len(node.0, size as usize)) {
                return Err(Errno::EISDIR);
            }
            attributes(&disk, node.0)
        });
        attribute(set, reply);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        entry(self.make(parent, name, true), reply);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, false) {
            Ok(attributes) => {
                let how = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&NOT_CACHED, &attributes, Generation(0), FileHandle(0), how);
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.unlink(parent, name), reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let disk = match self.look() {
            Ok(disk) => disk,
            Err(error) => return reply.error(error),
        };
        let Some(bytes) = disk.bytes(node.0) else { return reply.error(Errno::EISDIR) };
        let start = bytes.len().min(offset as usize);
        reply.data(&bytes[start..bytes.len().min(start + size as usize)]);
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.step().map(|mut disk| disk.write(node.0, offset as usize, data)) {
            Ok(true) => reply.written(data.len() as u32),
            Ok(false) => reply.error(Errno::EISDIR),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.sync(node), reply);
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.sync(node), reply);
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let disk = match self.look() {
            Ok(disk) => disk,
            Err(error) => return reply.error(error),
        };
        let Some(folder) = disk.folder(node.0) else { return reply.error(Errno::ENOTDIR) };
        for (place, (name, node)) in (1..).zip(folder.names()).skip(offset as usize) {
            let kind = match disk.kind(*node) {
                Some(Kind::Folder) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(*node), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(FREE, FREE, FREE, FREE, FREE, BLOCK, 255, BLOCK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Keep;
    use std::{fs, io::Write};

    /// Without FUSE there is nothing to test: `ci/powercut.sh` says so by name.
    #[test]
    fn through_the_kernel_what_is_not_synced_is_dropped() {
        let (folder, power) = (tempfile::tempdir().unwrap(), Arc::new(Power::new(1)));
        power.on(None);
        let session = mount(power.clone(), folder.path()).unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let mut file = fs::File::create_new(inner.join("file")).unwrap();
        file.write_all(b"synced").unwrap();
        file.sync_data().unwrap();
        file.write_all(b" and not").unwrap();
        fs::File::open(&inner).unwrap().sync_all().unwrap();
        fs::File::open(folder.path()).unwrap().sync_all().unwrap();
        fs::write(inner.join("other"), b"other").unwrap();
        assert_eq!(fs::read(inner.join("file")).unwrap(), b"synced and not");
        assert!(fs::rename(inner.join("file"), inner.join("renamed")).is_err());
        drop((file, session));
        power.off();
        let dropped = power.forget(Keep::Nothing);
        assert_eq!((dropped.names, dropped.bytes > 0), (1, true));
        power.on(None);
        let _session = mount(power.clone(), folder.path()).unwrap();
        assert_eq!(fs::read(inner.join("file")).unwrap(), b"synced");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }
}
