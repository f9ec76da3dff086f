//! Two tables that follow the same commands.
use kvstore_core::Table;
use kvstore_server::protocol::answer;

fn both(lines: &[&str]) -> (Table, Table) {
    let (mut leader, mut follower) = (Table::default(), Table::default());
    for line in lines {
        answer(&mut leader, line);
        answer(&mut follower, line);
    }
    (leader, follower)
}

#[test]
fn a_follower_has_the_same_length() {
    let (leader, follower) = both(&["SET a 1", "SET b 2"]);
    assert_eq!(leader.len(), follower.len());
}

#[test]
fn a_follower_forgets_deleted_keys() {
    let (_, follower) = both(&["SET a 1", "DEL a"]);
    assert!(follower.is_empty());
}

#[test]
fn a_follower_ignores_nonsense() {
    let (leader, follower) = both(&["NO", "SET a 1"]);
    assert_eq!(leader.get(b"a"), follower.get(b"a"));
}
