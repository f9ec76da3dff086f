//! The write-ahead log: records with a checksum, in segments on disk.
#[cfg(feature = "compression")]
pub mod compression;
pub mod record;
pub mod segment;

pub use record::{Record, RecordError};
pub use segment::SegmentSet;
