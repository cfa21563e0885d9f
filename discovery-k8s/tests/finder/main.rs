//! The Kubernetes finder against the scripted API server: whatever the server does, the finder ends
//! in the right seed set, or in the right typed *unknown* with its last good set.

#![cfg(feature = "testing")]

mod bad_input;
mod census;
mod credentials;
mod listed;
mod pod_facts;
mod restraint;
mod scene;
mod streams;
mod troubles;
