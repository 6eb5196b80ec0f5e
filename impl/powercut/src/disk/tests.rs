use super::{Disk, Keep, Kind, Lie, ROOT, file::SECTOR};
use std::ffi::OsStr;

fn disk_with_a_file(seed: u64) -> (Disk, u64) {
    let mut disk = Disk::new(seed);
    let file = disk.make(ROOT, OsStr::new("file"), false).unwrap();
    disk.write(file, 0, &[1; 4 * SECTOR]);
    disk.sync(file);
    disk.sync(ROOT);
    (disk, file)
}

#[test]
fn what_was_synced_survives_and_what_was_not_is_dropped() {
    let (mut disk, file) = disk_with_a_file(1);
    disk.write(file, 0, &[2; 8 * SECTOR]);
    assert_eq!(disk.bytes(file), Some(&[2; 8 * SECTOR][..]));
    let dropped = disk.cut(Keep::Nothing);
    assert_eq!(dropped.bytes, 8 * SECTOR as u64);
    assert_eq!(disk.bytes(file), Some(&[1; 4 * SECTOR][..]));
}

#[test]
fn unsynced_sectors_are_new_old_or_between_each_by_itself() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let (mut disk, file) = disk_with_a_file(seed);
        disk.write(file, 0, &[2; 4 * SECTOR]);
        disk.write(file, 0, &[3; 4 * SECTOR]);
        disk.cut(Keep::Some(50));
        let bytes = disk.bytes(file).unwrap();
        assert!(bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        seen.insert(bytes.chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>());
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert!(seen.iter().flatten().all(|state| (1..=3).contains(state)));
}

#[test]
fn a_shortened_file_has_its_end_again_unless_it_was_synced() {
    let (mut disk, file) = disk_with_a_file(1);
    disk.set_len(file, SECTOR + 7);
    disk.set_len(file, 3 * SECTOR);
    assert_eq!(disk.bytes(file).unwrap()[SECTOR + 7..], [0; 2 * SECTOR - 7]);
    disk.cut(Keep::Nothing);
    assert_eq!(disk.bytes(file), Some(&[1; 4 * SECTOR][..]));
    disk.set_len(file, SECTOR + 7);
    disk.sync(file);
    disk.cut(Keep::Nothing);
    assert_eq!(disk.bytes(file), Some(&[1; SECTOR + 7][..]));
}

#[test]
fn a_synced_file_without_a_synced_name_is_gone_and_a_removed_one_comes_back() {
    let (mut disk, file) = disk_with_a_file(1);
    let folder = disk.make(ROOT, OsStr::new("folder"), true).unwrap();
    let inner = disk.make(folder, OsStr::new("inner"), false).unwrap();
    disk.write(inner, 0, b"inner");
    disk.sync(inner);
    disk.sync(folder);
    assert!(disk.unlink(ROOT, OsStr::new("file")));
    let dropped = disk.cut(Keep::Nothing);
    assert_eq!(dropped.names, 2);
    assert!(disk.kind(inner).is_none() && disk.find(ROOT, OsStr::new("folder")).is_none());
    assert!(matches!(disk.kind(file), Some(Kind::File(len)) if len == 4 * SECTOR as u64));
    disk.unlink(ROOT, OsStr::new("file"));
    disk.sync(ROOT);
    disk.cut(Keep::Nothing);
    assert!(disk.kind(file).is_none());
}

#[test]
fn a_lying_disk_drops_what_it_said_was_safe() {
    for (lie, old_survives, new_survives) in [
        (Lie::Never, true, true),
        (Lie::Files, false, false),
        (Lie::NewFiles, true, false),
        (Lie::Folders, true, false),
    ] {
        let (mut disk, file) = disk_with_a_file(1);
        disk.lie(lie);
        let new = disk.make(ROOT, OsStr::new("new"), false).unwrap();
        disk.write(new, 0, &[2; SECTOR]);
        disk.write(file, 0, &[2; SECTOR]);
        for node in [new, file, ROOT] {
            disk.sync(node);
        }
        disk.cut(Keep::Nothing);
        assert_eq!(disk.bytes(file).unwrap()[0] == 2, old_survives, "{lie:?}");
        assert_eq!(disk.bytes(new).is_some_and(|bytes| !bytes.is_empty()), new_survives, "{lie:?}");
    }
}
