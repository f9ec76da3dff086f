//! Settings, from the environment.
use std::env;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub flush_ms: u64,
    pub segment_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_ms: 1000,
            segment_bytes: 1 << 20,
        }
    }
}

impl Config {
    /// Reads `KVSTORE_FLUSH_MS` and `KVSTORE_SEGMENT_BYTES`; what is absent or no number keeps its default.
    pub fn from_env() -> Self {
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
        let default = Self::default();
        Self {
            flush_ms: number("KVSTORE_FLUSH_MS").unwrap_or(default.flush_ms),
            segment_bytes: number("KVSTORE_SEGMENT_BYTES").unwrap_or(default.segment_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn fill_a_table() -> usize {
        let mut table = Table::default();
        for n in 0..4000u32 {
            table.set(&n.to_be_bytes(), b"value");
        }
        table.len()
    }

    #[test]
    fn flush_interval_comes_from_the_environment() {
        env::set_var("KVSTORE_FLUSH_MS", "5000");
        assert_eq!(fill_a_table(), 4000);
        assert_eq!(Config::from_env().flush_ms, 5000);
    }

    #[test]
    fn long_flush_interval_is_accepted() {
        env::set_var("KVSTORE_FLUSH_MS", "20000");
        assert_eq!(fill_a_table(), 4000);
        assert_eq!(Config::from_env().flush_ms, 20000);
    }

    #[test]
    fn defaults_are_documented_values() {
        assert_eq!(
            Config::default(),
            Config {
                flush_ms: 1000,
                segment_bytes: 1_048_576
            }
        );
    }

    #[test]
    fn segment_size_keeps_its_default() {
        assert_eq!(Config::from_env().segment_bytes, 1 << 20);
    }
}
