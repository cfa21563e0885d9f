//! Ctrl-C and its kin: whatever must not outlive this tool is ended before it goes.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::progress::note;

type Ending = Box<dyn Fn() + Send>;

struct Endings {
    next: u64,
    waiting: BTreeMap<u64, Ending>,
}

static ENDINGS: Mutex<Endings> = Mutex::new(Endings {
    next: 0,
    waiting: BTreeMap::new(),
});
static LISTENING: Once = Once::new();

/// Keeps an ending registered; it is forgotten when this is dropped.
#[derive(Debug)]
#[must_use = "the ending is forgotten when this is dropped"]
pub(crate) struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        endings().waiting.remove(&self.0);
    }
}

/// Starts a program in a process group of its own, which a signal that ends this tool kills.
///
/// Under the lock: a signal in between waits until the group is known.
pub(crate) fn start_group(command: &mut Command) -> anyhow::Result<(Child, Pid, Guard)> {
    LISTENING.call_once(listen);
    let mut endings = endings();
    let child = command.process_group(0).spawn()?;
    let group = Pid::from_raw(i32::try_from(child.id())?);
    let guard = endings.add(Box::new(move || {
        // A group that has ended by itself needs no killing.
        let _ = killpg(group, Signal::SIGKILL);
    }));
    Ok((child, group, guard))
}

/// Has `ending` done if a signal ends this tool while the guard lives.
pub(crate) fn on_interrupt(ending: impl Fn() + Send + 'static) -> Guard {
    LISTENING.call_once(listen);
    endings().add(Box::new(ending))
}

impl Endings {
    fn add(&mut self, ending: Ending) -> Guard {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, ending);
        Guard(number)
    }
}

fn listen() {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let Ok(mut signals) = signals else {
        note("signals cannot be awaited; stop the cluster with `cargo xtask cluster down`");
        return;
    };
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            note("\ninterrupted; ending what was started");
            // Held to the end: nothing new is registered any more.
            let endings = endings();
            for ending in endings.waiting.values().rev() {
                ending();
            }
            exit(signal);
        }
    });
}

/// As a shell would report the signal.
#[expect(
    clippy::exit,
    reason = "after a signal there is no caller to return to"
)]
fn exit(signal: i32) -> ! {
    std::process::exit(128 + signal)
}

fn endings() -> MutexGuard<'static, Endings> {
    // A map of closures is whole at every moment.
    ENDINGS.lock().unwrap_or_else(PoisonError::into_inner)
}
