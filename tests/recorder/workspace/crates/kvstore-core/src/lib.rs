//! The store: a sorted table in memory over the log.
pub mod bloom;
pub mod config;
pub mod index;
pub mod table;

pub use config::Config;
pub use table::Table;
