//! Placeholder line until the crate's map is written.
