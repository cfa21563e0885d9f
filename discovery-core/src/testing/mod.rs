//! For tests of and with finders (feature `testing`): a scripted finder, and the conformance kit
//! that any finder can be held against.
