//! Which key asks for what, and that the stage does it.

use tokio::time::timeout;

use super::*;
use crate::view::Look;
use crate::view::sight::Sight;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_mins(1);

fn pressed(letter: char) -> Option<Key> {
    Key::of(KeyCode::Char(letter), KeyModifiers::NONE)
}

/// The demo, played by its keys.
struct Play {
    stage: Stage,
    chosen: Number,
}

impl Play {
    async fn start() -> Self {
        let stage = Stage::start(0).await.unwrap();
        let play = Self { stage, chosen: 1 };
        play.until(&[1, 2, 3, 4, 5], 5).await;
        play
    }

    /// Presses a key and returns what is said.
    async fn press(&mut self, letter: char) -> Result<String, StageError> {
        let key = pressed(letter).unwrap();
        timeout(LIMIT, act(&mut self.stage, &mut self.chosen, key))
            .await
            .unwrap()
    }

    /// Presses keys of which each is taken.
    async fn press_all(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.press(letter).await.unwrap();
        }
    }

    /// Waits until these stand as members of a topology of so many.
    async fn until(&self, numbers: &[Number], members: usize) {
        for number in numbers {
            self.stands(*number, |sight| {
                let topology = sight.topology.as_ref();
                sight.standing == "member"
                    && topology.is_some_and(|topology| topology.members.len() == members)
            })
            .await;
        }
    }

    /// Waits until the page of this one shows what is wanted.
    async fn stands(&self, number: Number, wanted: impl Fn(&Sight) -> bool) {
        let view = self.stage.places()[&number].view().unwrap();
        let mut looks = view.looks();
        let shows = |look: &Look| look.sight.as_ref().is_some_and(|sight| wanted(sight));
        let shown = timeout(LIMIT, looks.wait_for(shows)).await.is_ok();
        assert!(shown, "member {number} shows {:?}", view.look().sight);
    }
}

#[test]
fn each_key_asks_for_what_the_screen_says() {
    let all = [
        ('k', Key::Kill),
        ('s', Key::Start),
        ('p', Key::Pause),
        ('l', Key::Leave),
        ('a', Key::Add),
        ('x', Key::Cut),
        ('h', Key::Heal),
        ('c', Key::KillCoordinator),
        ('q', Key::Quit),
        ('1', Key::Choose(1)),
        ('9', Key::Choose(9)),
    ];
    for (letter, key) in all {
        assert_eq!(pressed(letter), Some(key), "{letter}");
    }
    for letter in ['z', 'K', ' ', '?'] {
        assert_eq!(pressed(letter), None, "{letter}");
    }
}

#[test]
fn escape_and_control_c_quit() {
    let quit = Some(Key::Quit);
    assert_eq!(Key::of(KeyCode::Esc, KeyModifiers::NONE), quit);
    assert_eq!(Key::of(KeyCode::Char('c'), KeyModifiers::CONTROL), quit);
    assert_eq!(Key::of(KeyCode::Enter, KeyModifiers::NONE), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_kill_pause_and_add_members() {
    let mut play = Play::start().await;
    assert!(play.press('7').await.is_err(), "there is no member 7");
    play.press_all("4k").await;
    assert_eq!(play.chosen, 4);
    assert!(play.stage.places()[&4].view().is_none());
    play.until(&[1, 2, 3, 5], 4).await;
    assert!(play.press('k').await.is_err(), "it does not run");

    play.press('a').await.unwrap();
    play.until(&[1, 2, 3, 5, 6], 5).await;

    play.press_all("3p").await;
    assert!(play.stage.places()[&3].is_paused());
    play.until(&[1, 2, 5, 6], 4).await;
    play.press('p').await.unwrap();
    assert!(!play.stage.places()[&3].is_paused());
    play.until(&[1, 2, 3, 5, 6], 5).await;
    play.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_cut_members_off_and_heal() {
    let mut play = Play::start().await;
    play.press_all("4x5x").await;
    assert!(play.stage.is_cut(4) && play.stage.is_cut(5) && !play.stage.is_cut(1));
    play.until(&[1, 2, 3], 3).await;
    play.stands(4, |sight| sight.standing == "without_quorum")
        .await;

    play.press('h').await.unwrap();

    assert!(!play.stage.is_cut(4) && !play.stage.is_cut(5));
    play.until(&[1, 2, 3, 4, 5], 5).await;
    play.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_kills_the_coordinator_and_chooses_it() {
    let mut play = Play::start().await;
    let leads = play.stage.coordinator().unwrap();

    play.press('c').await.unwrap();

    assert_eq!(play.chosen, leads);
    let left: Vec<Number> = (1..=5).filter(|number| *number != leads).collect();
    play.until(&left, 4).await;
    let next = left[0];
    play.stands(next, |sight| sight.coordinator.is_some()).await;
    assert_ne!(play.stage.coordinator(), Some(leads));
    play.stage.end().await;
}
