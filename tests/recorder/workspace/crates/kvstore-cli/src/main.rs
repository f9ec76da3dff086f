//! The command line: one command, one answer.
use kvstore_core::Table;
use kvstore_server::protocol::answer;

fn to_line(arguments: &[String]) -> Option<String> {
    let (verb, rest) = arguments.split_first()?;
    Some(
        std::iter::once(verb.to_uppercase())
            .chain(rest.iter().cloned())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match to_line(&arguments) {
        Some(line) => println!("{}", answer(&mut Table::default(), &line)),
        None => eprintln!("usage: kvstore <get|set|del|scan|ping> [words]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Option<String> {
        to_line(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn no_words_no_line() {
        assert_eq!(line(&[]), None);
    }

    #[test]
    fn the_verb_is_shouted() {
        assert_eq!(line(&["get", "a"]).as_deref(), Some("GET a"));
    }

    #[test]
    fn keys_keep_their_case() {
        assert_eq!(line(&["get", "Key"]).as_deref(), Some("GET Key"));
    }

    #[test]
    fn a_line_can_be_answered() {
        assert_eq!(
            answer(&mut Table::default(), &line(&["ping"]).unwrap()),
            "PONG"
        );
    }
}
