//! What is left after a crash.
use kvstore_core::Table;
use kvstore_log::{Record, SegmentSet};
use std::fs;

fn set(name: &str) -> SegmentSet {
    let path = std::env::temp_dir().join(format!("kvstore-recovery-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    SegmentSet::open(&path, 128).expect("open")
}

fn recovered(set: &SegmentSet) -> Table {
    let mut table = Table::default();
    for record in set.replay().expect("replay") {
        table.set(&record.key, &record.value);
    }
    table
}

#[test]
fn every_record_comes_back() {
    let set = set("all");
    for n in 0..50u32 {
        set.append(&Record::new(&n.to_be_bytes(), b"value"))
            .expect("append");
    }
    assert_eq!(recovered(&set).len(), 50);
}

#[test]
fn the_last_write_wins() {
    let set = set("last");
    set.append(&Record::new(b"key", b"old")).expect("append");
    set.append(&Record::new(b"key", b"new")).expect("append");
    assert_eq!(recovered(&set).get(b"key"), Some(&b"new"[..]));
}

#[test]
fn nothing_written_nothing_recovered() {
    assert!(recovered(&set("none")).is_empty());
}

#[test]
fn recovery_is_repeatable() {
    let set = set("twice");
    set.append(&Record::new(b"key", b"value")).expect("append");
    assert_eq!(recovered(&set).len(), recovered(&set).len());
}
