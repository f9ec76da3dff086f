//! Writes many keys and says how long it took; `--check` compares with the limit.
use kvstore_core::Table;
use std::process::ExitCode;
use std::time::Instant;

const KEYS: u32 = 200_000;
const LIMIT_MS: u128 = 10;

fn main() -> ExitCode {
    let start = Instant::now();
    let mut table = Table::default();
    for n in 0..KEYS {
        table.set(&n.to_be_bytes(), b"value");
    }
    let taken = start.elapsed().as_millis();
    println!(
        "bench: {} keys in {taken} ms (limit {LIMIT_MS} ms)",
        table.len()
    );
    if std::env::args().any(|word| word == "--check") && taken > LIMIT_MS {
        eprintln!("error: bench is over its limit: {taken} ms > {LIMIT_MS} ms");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
