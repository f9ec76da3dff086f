//! Writers and readers for a long time; run by the nightly workflow only.
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

fn rounds() -> usize {
    std::env::var("KVSTORE_SOAK_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

#[test]
#[ignore = "takes minutes"]
fn readers_and_writers_share_the_table() {
    let (table, index) = (Arc::new(Mutex::new(0usize)), Arc::new(Mutex::new(0usize)));
    for _ in 0..rounds() {
        let writer = {
            let (table, index) = (Arc::clone(&table), Arc::clone(&index));
            thread::spawn(move || {
                let mut rows = table.lock().expect("table");
                thread::sleep(Duration::from_micros(200));
                *index.lock().expect("index") += 1;
                *rows += 1;
            })
        };
        let reader = {
            let (table, index) = (Arc::clone(&table), Arc::clone(&index));
            thread::spawn(move || {
                thread::sleep(Duration::from_micros(400));
                let places = index.lock().expect("index");
                let rows = table.lock().expect("table");
                assert!(*places <= *rows + 1);
            })
        };
        writer.join().expect("writer");
        reader.join().expect("reader");
    }
    assert_eq!(*table.lock().expect("table"), rounds());
}

#[test]
#[ignore = "takes minutes"]
fn a_million_keys_fit() {
    let mut table = kvstore_core::Table::default();
    for n in 0..1_000_000u32 {
        table.set(&n.to_be_bytes(), b"");
    }
    assert_eq!(table.len(), 1_000_000);
}
