//! Wire contracts as Rust types, generated from the files under `proto/`, whose comments are the
//! reference. Nothing here checks what the types hold; who reads them does.
//!
//! | module | what it holds | turned into values by |
//! |---|---|---|
//! | [`ring::v1`] | what nodes say to each other on a link | `discovery-tcp`, module `wire` |
//!
//! ```
//! use discovery_proto::ring::v1::{Echo, Envelope, envelope::Kind};
//! use prost::Message;
//!
//! let said = Envelope { kind: Some(Kind::Echo(Echo { sequence: 300 })) };
//! let bytes = said.encode_to_vec();
//! assert_eq!(bytes, [0x12, 3, 0x08, 0xac, 0x02]);
//! assert_eq!(Envelope::decode(bytes.as_slice())?, said);
//! # Ok::<(), prost::DecodeError>(())
//! ```

pub mod ring {
    //! Between nodes.

    #[allow(
        clippy::pedantic,
        missing_docs,
        reason = "generated: its documentation is that of the contract, its style the generator's"
    )]
    pub mod v1 {
        //! Wire version 1.

        include!(concat!(env!("OUT_DIR"), "/ring.v1.rs"));
    }
}
