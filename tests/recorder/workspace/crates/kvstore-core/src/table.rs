//! The sorted table in memory.
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone)]
pub struct Table {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Table {
    /// Sets a value and returns the one before.
    ///
    /// ```
    /// let mut table = kvstore_core::Table::default();
    /// assert_eq!(table.set(b"k", b"1"), None);
    /// assert_eq!(table.set(b"k", b"2"), Some(b"1".to_vec()));
    /// ```
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        self.entries.insert(key.to_vec(), value.to_vec())
    }

    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.entries.get(key).map(Vec::as_slice)
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.entries.remove(key).is_some()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys from `first` to `last`, both included.
    ///
    /// ```
    /// let mut table = kvstore_core::Table::default();
    /// table.set(b"a", b"1");
    /// assert_eq!(table.scan(b"a", b"a").len(), 1);
    /// ```
    pub fn scan(&self, first: &[u8], last: &[u8]) -> Vec<&[u8]> {
        self.entries
            .range(first.to_vec()..=last.to_vec())
            .map(|(key, _)| key.as_slice())
            .collect()
    }

    /// Keys that match a pattern with `*` and `?`.
    pub fn keys(&self, pattern: &str) -> Vec<&[u8]> {
        let wanted = pattern.as_bytes();
        self.entries
            .keys()
            .filter(|key| example_glob::matches(wanted, key))
            .map(Vec::as_slice)
            .collect()
    }

    /// The first key; an empty table is a mistake of the caller.
    pub fn first_key(&self) -> &[u8] {
        self.entries.keys().next().map(Vec::as_slice).unwrap()
    }

    /// The last key; an empty table is a mistake of the caller.
    pub fn last_key(&self) -> &[u8] {
        self.entries.keys().next_back().map(Vec::as_slice).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters() -> Table {
        let mut table = Table::default();
        for key in [b"a", b"b", b"c", b"d"] {
            table.set(key, b"1");
        }
        table
    }

    #[test]
    fn a_new_table_is_empty() {
        assert!(Table::default().is_empty());
    }

    #[test]
    fn set_then_get() {
        assert_eq!(letters().get(b"b"), Some(&b"1"[..]));
    }

    #[test]
    fn removing_twice_says_so() {
        let mut table = letters();
        assert!(table.remove(b"a"));
        assert!(!table.remove(b"a"));
    }

    #[test]
    fn scan_includes_the_upper_bound() {
        assert_eq!(letters().scan(b"b", b"d"), [b"b", b"c", b"d"]);
    }

    #[test]
    fn scan_of_one_key_finds_it() {
        assert_eq!(letters().scan(b"c", b"c"), [b"c"]);
    }

    #[test]
    fn scan_starts_at_the_lower_bound() {
        assert_eq!(letters().scan(b"c", b"z").first(), Some(&&b"c"[..]));
    }

    #[test]
    fn patterns_select_keys() {
        assert_eq!(letters().keys("?").len(), 4);
    }

    #[test]
    fn a_star_matches_everything() {
        assert_eq!(letters().keys("*").len(), letters().len());
    }

    #[test]
    fn first_and_last_key() {
        assert_eq!(
            (letters().first_key(), letters().last_key()),
            (&b"a"[..], &b"d"[..])
        );
    }

    #[test]
    #[should_panic]
    fn an_empty_table_has_no_first_key() {
        Table::default().first_key();
    }
}
