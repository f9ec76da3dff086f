//! A least recently used list of keys.
#[derive(Debug, Default)]
pub struct Lru {
    capacity: usize,
    entries: Vec<(u64, Vec<u8>)>,
}

impl Lru {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::new() }
    }

    pub fn touch(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let hash = example_hash::fnv1a(0, key);
        self.entries.retain(|(other, _)| *other != hash);
        self.entries.push((hash, key.to_vec()));
        (self.entries.len() > self.capacity).then(|| self.entries.remove(0).1)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
