//! The line protocol and the listener.
pub mod listener;
pub mod protocol;
