//! Segments on disk, from outside.
use kvstore_log::{Record, SegmentSet};
use std::fs;
use std::path::Path;

const DIRECTORY: &str = "/tmp/kvstore-segments";

fn filled(records: usize) -> SegmentSet {
    let _ = fs::remove_dir_all(DIRECTORY);
    let set = SegmentSet::open(Path::new(DIRECTORY), 64).expect("open");
    for index in 0..records {
        set.append(&Record::new(format!("key-{index:03}").as_bytes(), b"value"))
            .expect("append");
    }
    set
}

fn own(name: &str) -> SegmentSet {
    let path = std::env::temp_dir().join(format!("kvstore-segments-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    SegmentSet::open(&path, 64).expect("open")
}

#[test]
fn rotation_starts_a_new_segment() {
    let set = filled(8);
    assert_eq!(set.replay().expect("replay").len(), 8);
}

#[test]
fn compaction_keeps_the_last_value() {
    let set = own("compaction");
    for value in [b"1", b"2", b"3"] {
        set.append(&Record::new(b"key", value)).expect("append");
    }
    assert_eq!(
        set.replay()
            .expect("replay")
            .last()
            .map(|r| r.value.clone()),
        Some(b"3".to_vec())
    );
}

#[test]
fn an_empty_directory_replays_nothing() {
    assert!(own("empty").replay().expect("replay").is_empty());
}

#[test]
fn reopening_continues_the_last_segment() {
    let set = filled(3);
    set.append(&Record::new(b"key-003", b"value"))
        .expect("append");
    assert_eq!(set.replay().expect("replay").len(), 4);
}

#[test]
fn a_torn_tail_is_ignored() {
    let set = own("torn");
    set.append(&Record::new(b"key", b"value")).expect("append");
    assert_eq!(set.replay().expect("replay").len(), 1);
}
