//! How often the filter errs, with seeds as they come.
use kvstore_core::bloom::Bloom;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

fn false_positives(seed: u64) -> usize {
    let mut bloom = Bloom::new(4096, seed);
    for n in 0..500u32 {
        bloom.insert(&n.to_be_bytes());
    }
    (10_000..11_000u32)
        .filter(|n| bloom.may_contain(&n.to_be_bytes()))
        .count()
}

#[test]
fn false_positives_stay_below_four_percent() {
    let seed = RandomState::new().hash_one("bloom");
    let found = false_positives(seed);
    assert!(
        found < 40,
        "{found} of 1000 false positives (limit 40) with seed {seed:#018x}"
    );
}

#[test]
fn no_key_is_lost() {
    let mut bloom = Bloom::new(4096, 9);
    for n in 0..500u32 {
        bloom.insert(&n.to_be_bytes());
    }
    assert!((0..500u32).all(|n| bloom.may_contain(&n.to_be_bytes())));
}

#[test]
fn a_larger_filter_errs_less() {
    assert!(false_positives(1) < 1000);
}
