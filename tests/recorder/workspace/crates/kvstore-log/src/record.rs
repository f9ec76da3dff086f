//! One record: key, value and a checksum over both.
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RecordError {
    Truncated,
    Checksum { expected: u32, found: u32 },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "record is truncated"),
            Self::Checksum { expected, found } => {
                write!(f, "checksum {found:08x}, expected {expected:08x}")
            }
        }
    }
}

impl Record {
    pub fn new(key: &[u8], value: &[u8]) -> Self {
        Self {
            key: key.to_vec(),
            value: value.to_vec(),
        }
    }

    /// Writes the record; the checksum comes first.
    ///
    /// ```
    /// let bytes = kvstore_log::Record::new(b"k", b"v").encode();
    /// assert_eq!(bytes.len(), 4 + 1 + 1 + 1 + 1);
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        example_varint::write(self.key.len() as u64, &mut body);
        body.extend_from_slice(&self.key);
        example_varint::write(self.value.len() as u64, &mut body);
        body.extend_from_slice(&self.value);
        let mut out = example_crc32::checksum(&body).to_le_bytes().to_vec();
        out.extend(body);
        out
    }

    /// Reads one record, with the number of bytes it took.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), RecordError> {
        let (head, body) = bytes.split_at_checked(4).ok_or(RecordError::Truncated)?;
        let expected = u32::from_le_bytes(head.try_into().map_err(|_| RecordError::Truncated)?);
        let (key, used_by_key) = field(body)?;
        let (value, used_by_value) = field(&body[used_by_key..])?;
        let length = used_by_key + used_by_value;
        let found = example_crc32::checksum(&body[..length]);
        if found != expected {
            return Err(RecordError::Checksum { expected, found });
        }
        Ok((Self { key, value }, 4 + length))
    }
}

fn field(bytes: &[u8]) -> Result<(Vec<u8>, usize), RecordError> {
    let (length, used) = example_varint::read(bytes).ok_or(RecordError::Truncated)?;
    let end = used + length as usize;
    let field = bytes.get(used..end).ok_or(RecordError::Truncated)?;
    Ok((field.to_vec(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_round_trip() {
        let record = Record::new(b"colour", b"blue");
        assert_eq!(
            Record::decode(&record.encode()),
            Ok((record.clone(), record.encode().len()))
        );
    }

    #[test]
    fn an_empty_value_is_a_value() {
        let record = Record::new(b"k", b"");
        assert_eq!(Record::decode(&record.encode()).map(|(r, _)| r), Ok(record));
    }

    #[test]
    fn a_short_head_is_truncated() {
        assert_eq!(Record::decode(b"abc"), Err(RecordError::Truncated));
    }

    #[test]
    fn a_short_body_is_truncated() {
        let bytes = Record::new(b"key", b"value").encode();
        assert_eq!(
            Record::decode(&bytes[..bytes.len() - 1]),
            Err(RecordError::Truncated)
        );
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let mut bytes = Record::new(b"key", b"value").encode();
        bytes[6] ^= 1;
        assert!(matches!(
            Record::decode(&bytes),
            Err(RecordError::Checksum { .. })
        ));
    }

    #[test]
    fn long_values_use_two_length_bytes() {
        assert_eq!(Record::new(b"", &[0; 200]).encode().len(), 4 + 1 + 2 + 200);
    }

    #[test]
    fn errors_are_readable() {
        assert_eq!(RecordError::Truncated.to_string(), "record is truncated");
    }

    #[test]
    #[should_panic(expected = "record is truncated")]
    fn unwrapping_a_truncated_record_panics() {
        if let Err(error) = Record::decode(b"") {
            panic!("{error}");
        }
    }
}
