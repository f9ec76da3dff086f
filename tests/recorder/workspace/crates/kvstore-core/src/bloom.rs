//! A filter that answers "certainly not there" without a look at the disk.

#[derive(Debug)]
pub struct Bloom {
    bits: Vec<bool>,
    seed: u64,
}

impl Bloom {
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            bits: vec![false; size],
            seed,
        }
    }

    fn places(&self, key: &[u8]) -> [usize; 3] {
        [1, 2, 3]
            .map(|n| (example_hash::fnv1a(self.seed ^ n, key) % self.bits.len() as u64) as usize)
    }

    pub fn insert(&mut self, key: &[u8]) {
        for place in self.places(key) {
            self.bits[place] = true;
        }
    }

    pub fn may_contain(&self, key: &[u8]) -> bool {
        self.places(key).iter().all(|place| self.bits[*place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_filter_contains_nothing() {
        assert!(!Bloom::new(64, 0).may_contain(b"key"));
    }

    #[test]
    fn an_inserted_key_is_found() {
        let mut bloom = Bloom::new(64, 0);
        bloom.insert(b"key");
        assert!(bloom.may_contain(b"key"));
    }

    #[test]
    fn seeds_change_the_places() {
        assert_ne!(
            Bloom::new(4096, 1).places(b"key"),
            Bloom::new(4096, 2).places(b"key")
        );
    }
}
