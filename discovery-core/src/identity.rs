//! Who is who: the id of one run, the stable name, the pod uid, and the listing identity of a
//! process. Drawing random numbers and reading the environment are left to the caller.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Longest node name in bytes: a DNS subdomain name, as Kubernetes allows for a pod.
pub const NAME_BYTES_MAX: usize = 253;

/// Longest pod uid in bytes; Kubernetes writes 36.
pub const POD_UID_BYTES_MAX: usize = 64;

/// Names one run of a node: 128 bits, new at each start and never used again.
///
/// The order of ids has no meaning but is the same everywhere, so it may break ties.
///
/// ```
/// use discovery_core::NodeId;
///
/// let id = NodeId::from_u128(0x2a);
/// assert_eq!(id.to_string(), "0000000000000000000000000000002a");
/// assert_eq!("0000000000000000000000000000002a".parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u128);

impl NodeId {
    /// Makes an id from 128 random bits; where they come from is the caller's choice.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// Why a text is not an identity; nothing was changed and a retry with the same text fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A node id is exactly 32 hexadecimal digits.
    #[error("node id '{value}' is not 32 hexadecimal digits")]
    NodeId {
        /// The text as given, cut to a printable length.
        value: String,
    },
    /// The text is empty.
    #[error("{field} is empty; give it 1 to {bytes_max} bytes")]
    Empty {
        /// Which identity was asked for.
        field: &'static str,
        /// The limit on its length, in bytes.
        bytes_max: usize,
    },
    /// The text is longer than its limit.
    #[error("{field} has {bytes} bytes; the limit is {bytes_max}")]
    TooLong {
        /// Which identity was asked for.
        field: &'static str,
        /// The length that was given, in bytes.
        bytes: usize,
        /// The limit on its length, in bytes.
        bytes_max: usize,
    },
    /// The text holds a character that cannot be printed on one line.
    #[error("{field} '{value}' holds a space or a control character; remove it")]
    Unprintable {
        /// Which identity was asked for.
        field: &'static str,
        /// The text with such characters escaped.
        value: String,
    },
}

impl FromStr for NodeId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IdentityError::NodeId {
            value: text.chars().take(64).collect(),
        };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| wrong())
    }
}

/// Checks what names and uids have in common: 1 to `bytes_max` bytes, printable on one line.
pub(crate) fn checked(
    field: &'static str,
    text: &str,
    bytes_max: usize,
) -> Result<Arc<str>, IdentityError> {
    if text.is_empty() {
        return Err(IdentityError::Empty { field, bytes_max });
    }
    if text.len() > bytes_max {
        return Err(IdentityError::TooLong {
            field,
            bytes: text.len(),
            bytes_max,
        });
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let value = text.escape_debug().to_string();
        return Err(IdentityError::Unprintable { field, value });
    }
    Ok(Arc::from(text))
}

/// A type for a short text that is checked once, where it enters.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $bytes_max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the text and keeps it.
            ///
            /// # Errors
            ///
            /// If it is empty, longer than its limit or not printable on one line.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::identity::IdentityError> {
                $crate::identity::checked($field, text.as_ref(), $bytes_max).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::identity::IdentityError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

pub(crate) use checked_text;

checked_text! {
    /// A node's name, stable across its runs: in Kubernetes the pod's name.
    ///
    /// 1 to [`NAME_BYTES_MAX`] bytes, no space, no control character.
    NodeName, "node name", NAME_BYTES_MAX
}

checked_text! {
    /// The uid that the Kubernetes API gave a pod; the same name with another uid is another pod.
    ///
    /// 1 to [`POD_UID_BYTES_MAX`] bytes, no space, no control character.
    PodUid, "pod uid", POD_UID_BYTES_MAX
}

/// Who a listed process is: its pod, or, where the listing names no pod, its address.
///
/// With an address alone a process can never be exempt from answering, nor be proven dead by what
/// the API says; see the clauses FORM-3 and RECOVER-3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ProcessIdentity {
    /// The pod of this uid.
    Pod(PodUid),
    /// Whoever listens at this address.
    Address(SocketAddr),
}

impl ProcessIdentity {
    /// The pod's uid, if the process has one.
    pub fn pod_uid(&self) -> Option<&PodUid> {
        match self {
            Self::Pod(uid) => Some(uid),
            Self::Address(_) => None,
        }
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(uid) => write!(f, "pod {uid}"),
            Self::Address(addr) => write!(f, "address {addr}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_prints_and_parses_to_itself() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef] {
            let id = NodeId::from_u128(bits);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn node_ids_print_in_the_order_they_sort() {
        let (low, high) = (NodeId::from_u128(9), NodeId::from_u128(16));
        assert!(low < high);
        assert!(low.to_string() < high.to_string());
    }

    #[test]
    fn a_text_that_is_not_32_digits_is_no_node_id() {
        for text in [
            "",
            "2a",
            "+0000000000000000000000000000002",
            &"g".repeat(32),
            &"0".repeat(33),
        ] {
            assert!(
                matches!(text.parse::<NodeId>(), Err(IdentityError::NodeId { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_is_refused_with_what_is_wrong_about_it() {
        assert!(matches!(
            NodeName::new(""),
            Err(IdentityError::Empty { .. })
        ));
        assert!(matches!(
            NodeName::new("a b"),
            Err(IdentityError::Unprintable { .. })
        ));
        assert!(matches!(
            NodeName::new("a\n"),
            Err(IdentityError::Unprintable { .. })
        ));
        assert!(matches!(
            NodeName::new("x".repeat(NAME_BYTES_MAX + 1)),
            Err(IdentityError::TooLong {
                bytes: 254,
                bytes_max: NAME_BYTES_MAX,
                ..
            })
        ));
        assert_eq!(NodeName::new("web-0").unwrap().as_str(), "web-0");
    }
}
