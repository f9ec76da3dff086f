//! Run-length encoding of values.

/// Encodes `bytes` as pairs of length and byte.
///
/// ```
/// assert_eq!(kvstore_log::compression::encode(b"aaab"), vec![3, b'a', 1, b'b']);
/// ```
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for byte in bytes {
        match out.len() {
            n if n >= 2 && out[n - 1] == *byte && out[n - 2] < u8::MAX => out[n - 2] += 1,
            _ => out.extend([1, *byte]),
        }
    }
    out
}

/// Decodes what `encode` wrote; `None` when a pair is incomplete.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    Some(
        bytes
            .chunks(2)
            .flat_map(|pair| std::iter::repeat_n(pair[1], usize::from(pair[0])))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_input_stays_empty() {
        assert!(encode(b"").is_empty());
    }

    #[test]
    fn runs_are_counted() {
        assert_eq!(encode(b"zzzz"), vec![4, b'z']);
    }

    #[test]
    fn single_bytes_are_kept() {
        assert_eq!(encode(b"ab"), vec![1, b'a', 1, b'b']);
    }

    #[test]
    fn long_runs_are_split() {
        assert_eq!(encode(&[7; 300]), vec![255, 7, 45, 7]);
    }

    #[test]
    fn odd_input_is_refused() {
        assert_eq!(decode(&[1, 2, 3]), None);
    }

    #[test]
    fn decode_reverses_encode() {
        let text = b"aaaabbbccd";
        assert_eq!(decode(&encode(text)).as_deref(), Some(&text[..]));
    }

    #[test]
    fn binary_values_survive() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
    }

    #[test]
    fn text_without_runs_grows() {
        assert!(encode(b"abc").len() > 3);
    }
}
