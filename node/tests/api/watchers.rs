//! A thousand watchers of one node and ten thousand events: nobody sees a gap, and memory is
//! bounded.
