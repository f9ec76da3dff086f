//! One line is one command.
use kvstore_core::Table;

#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Get(String),
    Set(String, String),
    Del(String),
    Scan(String, String),
    Ping,
}

/// Reads a line.
///
/// ```
/// use kvstore_server::protocol::{parse, Command};
/// assert_eq!(parse("PING"), Ok(Command::Ping));
/// ```
pub fn parse(line: &str) -> Result<Command, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["GET", key] => Ok(Command::Get((*key).into())),
        ["SET", key, value] => Ok(Command::Set((*key).into(), (*value).into())),
        ["DEL", key] => Ok(Command::Del((*key).into())),
        ["SCAN", first, last] => Ok(Command::Scan((*first).into(), (*last).into())),
        ["PING"] => Ok(Command::Ping),
        [] => Err("empty line".into()),
        [word, ..] => Err(format!("unknown command or wrong number of words: {word}")),
    }
}

/// Answers a line and changes the table.
pub fn answer(table: &mut Table, line: &str) -> String {
    match parse(line) {
        Ok(Command::Ping) => "PONG".into(),
        Ok(Command::Get(key)) => match table.get(key.as_bytes()) {
            Some(value) => format!("VALUE {}", String::from_utf8_lossy(value)),
            None => "NONE".into(),
        },
        Ok(Command::Set(key, value)) => {
            table.set(key.as_bytes(), value.as_bytes());
            "OK".into()
        }
        Ok(Command::Del(key)) => if table.remove(key.as_bytes()) {
            "OK"
        } else {
            "NONE"
        }
        .into(),
        Ok(Command::Scan(first, last)) => format!(
            "COUNT {}",
            table.scan(first.as_bytes(), last.as_bytes()).len()
        ),
        Err(reason) => format!("ERROR {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_takes_one_key() {
        assert_eq!(parse("GET a"), Ok(Command::Get("a".into())));
    }

    #[test]
    fn set_takes_key_and_value() {
        assert_eq!(parse("SET a 1"), Ok(Command::Set("a".into(), "1".into())));
    }

    #[test]
    fn del_takes_one_key() {
        assert_eq!(parse("DEL a"), Ok(Command::Del("a".into())));
    }

    #[test]
    fn scan_takes_two_keys() {
        assert_eq!(parse("SCAN a b"), Ok(Command::Scan("a".into(), "b".into())));
    }

    #[test]
    fn spaces_around_do_not_matter() {
        assert_eq!(parse("  PING \r\n"), Ok(Command::Ping));
    }

    #[test]
    fn an_empty_line_is_an_error() {
        assert_eq!(parse("  "), Err("empty line".into()));
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert!(parse("HELLO").is_err_and(|reason| reason.ends_with("HELLO")));
    }

    #[test]
    fn too_many_words_are_an_error() {
        assert!(parse("GET a b").is_err());
    }
}
