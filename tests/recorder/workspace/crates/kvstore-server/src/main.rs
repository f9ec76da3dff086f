//! The server: one connection after the other.
use kvstore_core::Table;
use kvstore_server::{listener, protocol};
use std::io::{BufRead, BufReader, Write};

fn main() -> std::io::Result<()> {
    let mut table = Table::default();
    for stream in listener::listen(listener::DEFAULT_PORT)?.incoming() {
        let mut stream = stream?;
        for line in BufReader::new(stream.try_clone()?).lines() {
            writeln!(stream, "{}", protocol::answer(&mut table, &line?))?;
        }
    }
    Ok(())
}
