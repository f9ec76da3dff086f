//! The protocol, from outside.
use kvstore_core::Table;
use kvstore_server::protocol::answer;

#[test]
fn ping_is_answered() {
    assert_eq!(answer(&mut Table::default(), "PING"), "PONG");
}

#[test]
fn a_missing_key_is_none() {
    assert_eq!(answer(&mut Table::default(), "GET a"), "NONE");
}

#[test]
fn set_says_ok() {
    assert_eq!(answer(&mut Table::default(), "SET a 1"), "OK");
}

#[test]
fn deleting_nothing_says_none() {
    assert_eq!(answer(&mut Table::default(), "DEL a"), "NONE");
}

#[test]
fn an_empty_scan_counts_zero() {
    assert_eq!(answer(&mut Table::default(), "SCAN a z"), "COUNT 0");
}

#[test]
fn nonsense_is_an_error() {
    assert_eq!(
        answer(&mut Table::default(), "NO"),
        "ERROR unknown command or wrong number of words: NO"
    );
}

#[test]
fn a_value_can_be_read_back() {
    let mut table = Table::default();
    answer(&mut table, "SET a 1");
    assert_eq!(answer(&mut table, "GET a"), "VALUE 1");
}

#[test]
fn a_deleted_key_is_gone() {
    let mut table = Table::default();
    answer(&mut table, "SET a 1");
    assert_eq!(answer(&mut table, "DEL a"), "OK");
}

#[test]
fn a_scan_counts_keys() {
    let mut table = Table::default();
    answer(&mut table, "SET b 1");
    assert_eq!(answer(&mut table, "SCAN a c"), "COUNT 1");
}

#[test]
fn a_scan_includes_its_upper_bound() {
    let mut table = Table::default();
    answer(&mut table, "SET c 1");
    assert_eq!(answer(&mut table, "SCAN a c"), "COUNT 1");
}

#[test]
fn a_value_can_be_replaced() {
    let mut table = Table::default();
    answer(&mut table, "SET a 2");
    assert_eq!(answer(&mut table, "GET a"), "VALUE 2");
}
