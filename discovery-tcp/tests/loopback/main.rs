//! Members on real sockets, over loopback. What can be told in virtual time is told in the
//! simulator; here is what only sockets, processes and clocks can break.

mod ending;
mod forming;
mod hostile;
mod paused;
mod publishing;
mod stage;
