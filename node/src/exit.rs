//! What the exit codes mean; they are stable.

/// Done: seeds are known, no check failed, or a watch was ended as asked.
pub const DONE: u8 = 0;
/// At least one check of `doctor` failed.
pub const CHECK_FAILED: u8 = 1;
/// The source was asked and lists nobody.
pub const KNOWN_EMPTY: u8 = 3;
/// The source could not be asked, or its answer cannot be used.
pub const UNKNOWN: u8 = 4;
/// The command line, the environment or the configuration file cannot be used (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// The system refused something that every run needs (`EX_OSERR`).
pub const SYSTEM: u8 = 71;
/// Standard output cannot be written (`EX_IOERR`).
pub const OUTPUT: u8 = 74;
/// SIGINT ended a command that was not a watch.
pub const INTERRUPTED: u8 = 130;
/// SIGTERM ended a command that was not a watch.
pub const TERMINATED: u8 = 143;

/// The codes with their words, for help.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    done: seeds are known, no check failed, a watch ended by SIGTERM or SIGINT
  1    doctor: at least one check failed
  3    seeds: known to be empty, the source lists nobody
  4    seeds: unknown, the source could not be asked or its answer cannot be used
  64   the command line, environment or configuration file cannot be used
  71   the system refused something that every run needs
  74   standard output cannot be written
  130  ended by SIGINT        143  ended by SIGTERM";
