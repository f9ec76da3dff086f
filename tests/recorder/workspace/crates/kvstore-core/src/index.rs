//! Which keys are hot, and where their bytes are.
use example_arena::Arena;
use example_lru::Lru;
use std::collections::BTreeMap;
use std::ops::Range;

#[derive(Debug)]
pub struct Index {
    arena: Arena,
    places: BTreeMap<Vec<u8>, Range<usize>>,
    hot: Lru,
}

impl Index {
    pub fn new(hot: usize) -> Self {
        Self {
            arena: Arena::default(),
            places: BTreeMap::new(),
            hot: Lru::new(hot),
        }
    }

    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        let place = self.arena.push(value);
        self.places.insert(key.to_vec(), place);
        self.hot.touch(key);
    }

    pub fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        let place = self.places.get(key).cloned()?;
        self.hot.touch(key);
        Some(self.arena.get(place))
    }

    pub fn n_hot(&self) -> usize {
        self.hot.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_has_no_bytes() {
        assert_eq!(Index::new(2).get(b"key"), None);
    }

    #[test]
    fn the_last_value_wins() {
        let mut index = Index::new(2);
        index.put(b"key", b"1");
        index.put(b"key", b"22");
        assert_eq!(index.get(b"key"), Some(&b"22"[..]));
    }

    #[test]
    fn the_hot_list_has_a_limit() {
        let mut index = Index::new(2);
        for key in [b"a", b"b", b"c"] {
            index.put(key, b"1");
        }
        assert_eq!(index.n_hot(), 2);
    }

    #[test]
    fn reading_warms_a_key() {
        let mut index = Index::new(2);
        index.put(b"a", b"1");
        index.get(b"a");
        assert_eq!(index.n_hot(), 1);
    }
}
