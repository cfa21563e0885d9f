//! What the exit codes mean; they are stable.

/// Done: seeds are known, no check failed, or a watch was ended as asked.
pub const DONE: u8 = 0;
/// At least one check of `doctor` failed.
pub const CHECK_FAILED: u8 = 1;
/// The source was asked and lists nobody.
pub const KNOWN_EMPTY: u8 = 3;
/// The source could not be asked, or its answer cannot be used.
pub const UNKNOWN: u8 = 4;
/// The node that was asked is no member with a quorum: what it shows may be stale.
pub const NOT_IN_FORCE: u8 = 5;
/// The node that was to be asked cannot be reached, or went away meanwhile.
pub const UNREACHABLE: u8 = 6;
/// The node that was asked refuses.
pub const CALL_REFUSED: u8 = 7;
/// The command line, the environment or the configuration file cannot be used (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// The node could not be started: an address is taken, or the ring refuses its settings
/// (`EX_UNAVAILABLE`).
pub const NOT_STARTED: u8 = 69;
/// The protocol stopped without being asked to (`EX_SOFTWARE`).
pub const STOPPED: u8 = 70;
/// The system refused something that every run needs (`EX_OSERR`).
pub const SYSTEM: u8 = 71;
/// Standard output cannot be written (`EX_IOERR`).
pub const OUTPUT: u8 = 74;
/// With `--exit-on-refusal`: the cluster refuses the node for good (`EX_NOPERM`).
pub const REFUSED: u8 = 77;
/// SIGINT ended a command that was not a watch, or a node at once.
pub const INTERRUPTED: u8 = 130;
/// SIGTERM ended a command that was not a watch, or a node at once.
pub const TERMINATED: u8 = 143;

/// The codes with their words, for help.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    done: seeds are known, no check failed, a watch ended, a node left in order
  1    doctor: at least one check failed
  3    seeds: known to be empty, the source lists nobody
  4    seeds: unknown, the source could not be asked or its answer cannot be used
  5    topology, status: the node is no member with a quorum; what it shows may be stale
  6    the node that was to be asked cannot be reached, or went away meanwhile
  7    the node that was asked refuses
  64   the command line, environment or configuration file cannot be used
  69   run: the node could not be started
  70   run: the protocol stopped without being asked to
  71   the system refused something that every run needs
  74   standard output cannot be written
  77   run --exit-on-refusal: the cluster refuses the node for good
  130  ended by SIGINT        143  ended by SIGTERM (run: by the second one, at once)";
