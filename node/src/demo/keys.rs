//! The demo on a terminal: a screen that is kept up to date, and keys that do things to members.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::style::Print;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{execute, queue};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval};

use super::gates::Number;
use super::screen::Screen;
use super::script::ScriptError;
use super::stage::{Stage, StageError};
use super::story::Story;

/// Time between two drawings of the screen.
const PACE: Duration = Duration::from_millis(100);

/// How long the thread that reads keys waits before it sees whether anybody still listens.
const KEY_PACE: Duration = Duration::from_millis(200);

/// Most keys that wait to be acted on; more are dropped.
const KEYS_MAX: usize = 16;

/// Most lines of the story that are kept.
const LINES_MAX: usize = 200;

/// Runs the demo on a terminal until the person quits.
///
/// # Errors
///
/// If a member cannot be started at first, or the terminal cannot be used.
///
/// # Cancel safety
///
/// Dropping the future ends all members and gives the terminal back.
pub async fn run_on_terminal(first_port: u16) -> Result<(), ScriptError> {
    let mut stage = Stage::start(first_port).await?;
    let mut terminal = Terminal::take()?;
    let mut keys = read_keys();
    let mut story = Story::default();
    let mut screen = Screen {
        chosen: 1,
        lines: Vec::new(),
        said: "Five members were started. Open a page in a browser, then press k.".to_owned(),
    };
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            key = keys.recv() => match key {
                None | Some(Key::Quit) => break,
                Some(key) => {
                    story.new_chapter();
                    screen.said = match act(&mut stage, &mut screen.chosen, key).await {
                        Ok(said) => said,
                        Err(error) => format!("That cannot be done: {error}"),
                    };
                }
            },
            _ = pace.tick() => {}
        }
        screen.lines.extend(story.go_on(&stage));
        let surplus = screen.lines.len().saturating_sub(LINES_MAX);
        screen.lines.drain(..surplus);
        terminal.draw(&stage, &screen)?;
    }
    drop(terminal);
    stage.end().await;
    Ok(())
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Choose(Number),
    Kill,
    Start,
    Pause,
    Leave,
    Add,
    Cut,
    Heal,
    KillCoordinator,
    Quit,
}

impl Key {
    fn of(code: KeyCode, modifiers: KeyModifiers) -> Option<Self> {
        let KeyCode::Char(letter) = code else {
            return (code == KeyCode::Esc).then_some(Self::Quit);
        };
        Some(match letter {
            // A terminal in this mode sends no signal by itself.
            'c' if modifiers.contains(KeyModifiers::CONTROL) => Self::Quit,
            'k' => Self::Kill,
            's' => Self::Start,
            'p' => Self::Pause,
            'l' => Self::Leave,
            'a' => Self::Add,
            'x' => Self::Cut,
            'h' => Self::Heal,
            'c' => Self::KillCoordinator,
            'q' => Self::Quit,
            _ => Self::Choose(u16::try_from(letter.to_digit(10)?).ok()?),
        })
    }
}

/// Does what a key asks for and says what was done.
async fn act(stage: &mut Stage, chosen: &mut Number, key: Key) -> Result<String, StageError> {
    let number = *chosen;
    Ok(match key {
        Key::Choose(number) if stage.places().contains_key(&number) => {
            *chosen = number;
            format!("Keys act on member {number} now.")
        }
        Key::Choose(number) => return Err(StageError::NotRunning { number }),
        Key::Kill => {
            stage.kill(&[number]).await?;
            format!("Member {number} was killed, as by kill -9; s starts it again.")
        }
        Key::Start => {
            stage.restart(number).await?;
            format!("Member {number} was started again, as a new node at its old address.")
        }
        Key::Pause => {
            let place = stage.places().get(&number);
            if place.is_some_and(super::stage::Place::is_paused) {
                stage.resume(number)?;
                format!("Member {number} goes on.")
            } else {
                stage.pause(number)?;
                format!("Member {number} is paused, as by SIGSTOP; p lets it go on.")
            }
        }
        Key::Leave => {
            stage.leave(number).await?;
            format!("Member {number} left by its own word; s starts it again.")
        }
        Key::Add => {
            let added = stage.add().await?;
            format!("Member {added} was started.")
        }
        Key::Cut => {
            let is_cut = !stage.is_cut(number);
            stage.cut(&[number], is_cut);
            if is_cut {
                format!("Member {number} reaches only those that are cut off as well.")
            } else {
                format!("Member {number} reaches those that are not cut off.")
            }
        }
        Key::Heal => {
            stage.heal();
            "Everybody reaches everybody.".to_owned()
        }
        Key::KillCoordinator => match stage.coordinator() {
            None => "Nobody coordinates now.".to_owned(),
            Some(number) => {
                stage.kill(&[number]).await?;
                *chosen = number;
                format!("Member {number}, which coordinated, was killed; s starts it again.")
            }
        },
        Key::Quit => String::new(),
    })
}

/// Reads keys on a thread of its own, since reading waits; it ends soon after nobody listens.
fn read_keys() -> Receiver<Key> {
    let (keys, told) = channel(KEYS_MAX);
    std::thread::spawn(move || {
        while !keys.is_closed() {
            match poll(KEY_PACE) {
                Ok(false) => {}
                Ok(true) if tell_key(&keys).is_ok() => {}
                Ok(true) | Err(_) => return,
            }
        }
    });
    told
}

fn tell_key(keys: &Sender<Key>) -> io::Result<()> {
    let Event::Key(event) = read()? else {
        return Ok(());
    };
    if event.kind == KeyEventKind::Press
        && let Some(key) = Key::of(event.code, event.modifiers)
    {
        // One that comes while too many wait is dropped, as the person sees.
        let _ = keys.try_send(key);
    }
    Ok(())
}

/// The terminal, taken for the demo; given back when this is dropped.
struct Terminal {
    out: io::Stdout,
}

impl Terminal {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on it is given back whatever happens.
        let mut terminal = Self { out: io::stdout() };
        execute!(terminal.out, EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }

    fn draw(&mut self, stage: &Stage, screen: &Screen) -> io::Result<()> {
        let (columns, rows) = size()?;
        let text = screen.text(stage, (usize::from(columns), usize::from(rows)));
        let mut out = self.out.lock();
        for (row, line) in (0..rows).zip(text.lines().chain(std::iter::repeat(""))) {
            queue!(
                out,
                MoveTo(0, row),
                Print(line),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing better can be done where the terminal has gone.
        let _ = execute!(self.out, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
