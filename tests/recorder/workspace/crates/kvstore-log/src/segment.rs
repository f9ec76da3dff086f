//! A directory of segments, each of them closed at a size limit.
use crate::record::Record;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct SegmentSet {
    directory: PathBuf,
    limit: u64,
}

impl SegmentSet {
    pub fn open(directory: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            limit,
        })
    }

    /// Appends to the last segment, or to a new one when the last is full.
    pub fn append(&self, record: &Record) -> io::Result<()> {
        let mut index = self.count()?.saturating_sub(1);
        let path = self.path(index);
        if path
            .metadata()
            .map(|m| m.len() >= self.limit)
            .unwrap_or(false)
        {
            index += 1;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(index))?;
        file.write_all(&record.encode())
    }

    pub fn count(&self) -> io::Result<usize> {
        Ok(fs::read_dir(&self.directory)?.count())
    }

    /// Every record of every segment, in order.
    pub fn replay(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for index in 0..self.count()? {
            let bytes = fs::read(self.path(index))?;
            let mut at = 0;
            while let Ok((record, used)) = Record::decode(&bytes[at..]) {
                records.push(record);
                at += used;
            }
        }
        Ok(records)
    }

    fn path(&self, index: usize) -> PathBuf {
        self.directory.join(format!("{index:06}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("kvstore-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_new_set_has_no_segments() {
        let set = SegmentSet::open(&scratch("empty"), 64).expect("open");
        assert_eq!(set.count().expect("count"), 0);
    }

    #[test]
    fn the_first_append_makes_a_segment() {
        let set = SegmentSet::open(&scratch("first"), 64).expect("open");
        set.append(&Record::new(b"a", b"1")).expect("append");
        assert_eq!(set.count().expect("count"), 1);
    }

    #[test]
    fn replay_keeps_the_order() {
        let set = SegmentSet::open(&scratch("order"), 16).expect("open");
        for key in [b"a", b"b", b"c"] {
            set.append(&Record::new(key, b"1")).expect("append");
        }
        let keys: Vec<_> = set
            .replay()
            .expect("replay")
            .into_iter()
            .map(|r| r.key)
            .collect();
        assert_eq!(keys, [b"a", b"b", b"c"]);
    }

    #[test]
    #[ignore = "needs 1 GiB of disk"]
    fn a_large_segment_is_closed_in_time() {
        let set = SegmentSet::open(&scratch("large"), 1 << 30).expect("open");
        set.append(&Record::new(b"a", &[0; 1 << 20]))
            .expect("append");
    }
}
