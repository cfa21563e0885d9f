//! An idempotency key beside a payload, as both travel in one published message. A message without
//! a key travels as it is, so that programs that use the protocol without a node read it too. Pure.

/// What a payload with a key begins with: no text and no common format does.
const MARK: [u8; 4] = [0x00, 0xd1, 0x5c, 0x01];

/// Longest key in bytes.
pub(crate) const KEY_BYTES_MAX: usize = 128;

/// What a key adds to a payload besides its own bytes.
pub(crate) const OVERHEAD: usize = MARK.len() + 1;

/// Puts a key beside a payload; an empty key is none.
///
/// Whoever calls has checked that the key is not longer than [`KEY_BYTES_MAX`]; a longer one is
/// cut.
pub(crate) fn seal(key: &str, payload: &[u8]) -> Vec<u8> {
    if key.is_empty() && !payload.starts_with(&MARK) {
        return payload.to_vec();
    }
    let key = &key.as_bytes()[..key.len().min(KEY_BYTES_MAX)];
    let mut sealed = Vec::with_capacity(OVERHEAD + key.len() + payload.len());
    sealed.extend(MARK);
    sealed.push(u8::try_from(key.len()).unwrap_or(0));
    sealed.extend(key);
    sealed.extend(payload);
    sealed
}

/// The key, empty if there is none, and the payload. What is no envelope is a payload.
pub(crate) fn open(sealed: &[u8]) -> (&str, &[u8]) {
    read(sealed).unwrap_or(("", sealed))
}

fn read(sealed: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = sealed.strip_prefix(&MARK)?.split_first()?;
    let (key, payload) = rest.split_at_checked(usize::from(*length))?;
    let key = std::str::from_utf8(key).ok()?;
    (key.len() <= KEY_BYTES_MAX).then_some((key, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_without_a_key_travels_as_it_is() {
        assert_eq!(seal("", b"hello"), b"hello");
        assert_eq!(open(b"hello"), ("", &b"hello"[..]));
        assert_eq!(open(b""), ("", &b""[..]));
    }

    #[test]
    fn key_and_payload_are_read_back() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        for key in ["", "a", &longest] {
            for payload in [&b""[..], b"hello", &MARK, b"\x00\xd1\x5c\x01\x01k"] {
                let sealed = seal(key, payload);
                assert_eq!(open(&sealed), (key, payload));
                assert!(sealed.len() <= OVERHEAD + key.len() + payload.len());
            }
        }
    }

    #[test]
    fn what_only_begins_like_an_envelope_is_a_payload() {
        for broken in [
            &MARK[..],
            b"\x00\xd1\x5c\x01\x05abc",
            b"\x00\xd1\x5c\x01\x01\xff",
        ] {
            assert_eq!(open(broken), ("", broken));
        }
    }
}
