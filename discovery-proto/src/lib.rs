//! Wire contracts as Rust types, generated from the files under `proto/`, whose comments are the
//! reference. Nothing here checks what the types hold; who reads them does.
//!
//! | module | what it holds | turned into values by |
//! |---|---|---|
//! | [`ring::v1`] | what nodes say to each other on a link | `discovery-tcp`, module `wire` |
//! | `discovery::v1` (feature `api`) | what a node answers its users | the node, module `grpc` |
//! | `convert` (feature `api`) | the API's messages from values of `discovery-core`, and back | – |
//! | `client` (feature `client`) | a client that follows the topology from node to node | – |
//!
//! The feature `client` adds stubs to call a node with, `server` the traits that a node implements;
//! each brings `api`. Without them nothing here knows of connections or an async runtime.
//!
//! ```
//! use discovery_proto::ring::v1::{Envelope, PublishRefused, envelope::Kind};
//! use prost::Message;
//!
//! let refused = PublishRefused { sequence: 300, coordinator: None };
//! let said = Envelope { kind: Some(Kind::PublishRefused(refused)) };
//! let bytes = said.encode_to_vec();
//! assert_eq!(bytes, [0x52, 3, 0x08, 0xac, 0x02]);
//! assert_eq!(Envelope::decode(bytes.as_slice())?, said);
//! # Ok::<(), prost::DecodeError>(())
//! ```

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "api")]
pub mod convert;

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

#[cfg(feature = "api")]
pub mod discovery {
    //! For users of a node.

    #[allow(
        clippy::allow_attributes_without_reason,
        clippy::excessive_nesting,
        clippy::pedantic,
        missing_debug_implementations,
        missing_docs,
        unused_qualifications,
        reason = "generated: its documentation is that of the contract, its style the generator's"
    )]
    pub mod v1 {
        //! Version 1 of the API, which only grows.

        include!(concat!(env!("OUT_DIR"), "/discovery.v1.rs"));

        /// The contracts as descriptors, for reflection: an encoded
        /// `google.protobuf.FileDescriptorSet`, what it imports included.
        pub const FILE_DESCRIPTOR_SET: &[u8] =
            include_bytes!(concat!(env!("OUT_DIR"), "/discovery.v1.bin"));
    }
}

/// The example of the crate's README, compiled.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
mod readme {}
