//! The demo without a terminal: one thing after the other is done to the members, what follows is
//! told with its times, and it ends by itself.

use std::io;
use std::time::Duration;

use discovery_core::{Discovery, Standing, Topology};
use discovery_tcp::TcpDiscovery;
use jiff::Timestamp;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use super::gates::Number;
use super::stage::{MEMBERS, Place, Stage, StageError};
use super::story::Story;
use crate::terminal;
use crate::wrap::{columns, titled, wrapped};

/// Longest wait for anything; a demo that needs longer has failed.
const LIMIT: Duration = Duration::from_secs(45);

/// How long the demo looks on where nothing is to happen.
const QUIET: Duration = Duration::from_secs(4);

/// How long after a step its last lines are waited for: members are looked at a few times a second.
const AFTERWARDS: Duration = Duration::from_millis(400);

const INTRODUCTION: &str = "\
Five members in this one process, on 127.0.0.1, each with a thread, a ring port and a page of its \
own. What is done to them stands behind a number; what they make of it, and how long after, stands \
below it. Nothing outside of this process is touched.";

const WHY_NOTHING: &str = "\
two of five cannot know that the other three have not gone on without them, and silence, refused \
connections and closed links prove nothing. That another node answers at the address of one that \
was lost does prove that it is dead: no two processes listen at one address (proof = address, \
which holds where there is no address translation).";

/// How the script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything came as it was told that it would.
    AsTold,
    /// Something did not come in time; it was said what.
    Otherwise,
}

/// Why the script could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// Something could not be done to a member.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// Something did not come in time.
    #[error("not within {} s: {what}", LIMIT.as_secs())]
    TooLate {
        /// What was waited for.
        what: &'static str,
    },
}

/// Runs the script from beginning to end, with pages from this port upwards, or at any if it is 0.
///
/// # Errors
///
/// If a member cannot be started, or standard output cannot be written. What does not come in time
/// is told, and is an end of its own.
///
/// # Cancel safety
///
/// Dropping the future ends all members.
pub async fn run_script(first_port: u16) -> Result<Ended, ScriptError> {
    say_wrapped(INTRODUCTION)?;
    let start = Instant::now();
    let mut show = Show {
        begun: (start, wall()),
        story: Story::default(),
        figures: Vec::new(),
        steps: 0,
        stage: Stage::start(first_port).await?,
    };
    let played = show.play().await;
    let told = match played {
        Ok(()) => Ended::AsTold,
        Err(ScriptError::TooLate { what }) => {
            show.tell()?;
            terminal::say(&format!("\nnot within {} s: {what}\n", LIMIT.as_secs()))?;
            Ended::Otherwise
        }
        Err(error) => return Err(error),
    };
    show.stage.end().await;
    let seconds = start.elapsed().as_secs_f64();
    terminal::say(&format!(
        "\nWhat took how long:\n{}",
        columns(&show.figures, 2)
    ))?;
    terminal::say(&format!(
        "\nThe demo is over after {seconds:.0} s; nothing is left behind.\n"
    ))?;
    Ok(told)
}

struct Show {
    stage: Stage,
    story: Story,
    /// When the present step began, on both scales.
    begun: (Instant, i64),
    steps: usize,
    figures: Vec<Vec<String>>,
}

impl Show {
    async fn play(&mut self) -> Result<(), ScriptError> {
        self.form().await?;
        self.kill_one().await?;
        self.kill_the_coordinator().await?;
        self.pause_one().await?;
        self.add_one_and_let_it_leave().await?;
        self.partition().await?;
        self.kill_three().await
    }

    async fn form(&mut self) -> Result<(), ScriptError> {
        self.header("Five members start at the same time. Nobody was told who is first.")?;
        let all = self.awake();
        self.agreed("five started at once agree on one topology", &all, 5)
            .await?;
        self.afterwards().await?;
        terminal::say("   Pages, for a browser, and gRPC:\n")?;
        let places = self.stage.places().values();
        let rows: Vec<Vec<String>> = places
            .map(|place| {
                vec![
                    place.name().to_string(),
                    place.page(),
                    place.api().to_string(),
                ]
            })
            .collect();
        terminal::say(&columns(&rows, 3))?;
        Ok(())
    }

    async fn kill_one(&mut self) -> Result<(), ScriptError> {
        let victim = self.bystander();
        let name = self.name(victim);
        self.step(&format!("{name} is killed, as by kill -9."))?;
        self.stage.kill(&[victim]).await?;
        let others = self.awake();
        self.agreed("a killed member is removed everywhere", &others, 4)
            .await?;
        self.afterwards().await?;
        self.step(&format!(
            "{name} is started again, as a new node under its old name."
        ))?;
        self.stage.restart(victim).await?;
        let all = self.awake();
        self.agreed("a member started again is back", &all, 5)
            .await?;
        self.afterwards().await
    }

    async fn kill_the_coordinator(&mut self) -> Result<(), ScriptError> {
        let victim = self.coordinator();
        let name = self.name(victim);
        self.step(&format!("{name}, which coordinates, is killed."))?;
        self.stage.kill(&[victim]).await?;
        let others = self.awake();
        self.agreed("a killed coordinator is replaced and removed", &others, 4)
            .await?;
        self.afterwards().await?;
        let next = self.coordinator();
        terminal::say(&format!("   Now {} coordinates.\n", self.name(next)))?;
        self.step(&format!("{name} is started again."))?;
        self.stage.restart(victim).await?;
        let all = self.awake();
        self.agreed("the former coordinator is back", &all, 5)
            .await?;
        self.afterwards().await
    }

    async fn pause_one(&mut self) -> Result<(), ScriptError> {
        let victim = self.bystander();
        let name = self.name(victim);
        self.step(&format!(
            "{name} is paused, as by SIGSTOP: its sockets stay open, so only its silence tells."
        ))?;
        self.stage.pause(victim)?;
        let others = self.awake();
        self.agreed("a paused member is removed for its silence", &others, 4)
            .await?;
        self.afterwards().await?;
        self.step(&format!("{name} goes on. Nobody waited for it."))?;
        self.stage.resume(victim)?;
        let all = self.awake();
        self.agreed(
            "it learns of its removal and is back as a new node",
            &all,
            5,
        )
        .await?;
        self.afterwards().await
    }

    async fn add_one_and_let_it_leave(&mut self) -> Result<(), ScriptError> {
        self.step("A sixth member is started.")?;
        let added = self.stage.add().await?;
        let all = self.awake();
        self.agreed("a new member is admitted", &all, 6).await?;
        self.afterwards().await?;
        self.step(&format!("{} leaves by its own word.", self.name(added)))?;
        self.stage.leave(added).await?;
        let others = self.awake();
        self.agreed("a member that leaves is gone everywhere", &others, 5)
            .await?;
        self.afterwards().await
    }

    async fn partition(&mut self) -> Result<(), ScriptError> {
        let coordinator = self.coordinator();
        let all = self.awake();
        let mut minority: Vec<Number> = all.clone();
        minority.retain(|number| *number != coordinator);
        let minority = minority.split_off(minority.len().saturating_sub(2));
        let mut majority = all.clone();
        majority.retain(|number| !minority.contains(number));
        let names = self.names(&minority);
        self.step(&format!(
            "The network is cut: {names} on one side, the other three on the other."
        ))?;
        self.stage.cut(&minority, true);
        let (lost, agreed) = tokio::join!(
            self.lost_quorum(&minority),
            timeout(LIMIT, self.agreement(&majority, 3))
        );
        let what = "two of five cut off say that they are without quorum";
        self.figure(what, lost.map_err(|_| ScriptError::TooLate { what })?);
        let what = "the other three remove the two and go on";
        let (_, took) = agreed.map_err(|_| ScriptError::TooLate { what })?;
        self.figure(what, took);
        self.afterwards().await?;
        self.step("The cut is healed.")?;
        self.stage.heal();
        self.agreed("after the healing all five have one topology", &all, 5)
            .await?;
        self.afterwards().await
    }

    async fn kill_three(&mut self) -> Result<(), ScriptError> {
        let coordinator = self.coordinator();
        let mut victims = self.awake();
        victims.retain(|number| *number != coordinator);
        victims.truncate(2);
        victims.insert(0, coordinator);
        let names = self.names(&victims);
        self.step(&format!("Three of five are killed at once: {names}."))?;
        self.stage.kill(&victims).await?;
        let survivors = self.awake();
        let what = "the two left say that they are without quorum";
        let lost = self.lost_quorum(&survivors).await;
        self.figure(what, lost.map_err(|_| ScriptError::TooLate { what })?);
        let before = self.versions();
        sleep(QUIET).await;
        self.afterwards().await?;
        self.say_what_the_survivors_wait_for().await?;
        if self.versions() != before {
            let what = "nothing is decided without a quorum";
            return Err(ScriptError::TooLate { what });
        }
        let seconds = QUIET.as_secs();
        say_wrapped(&format!(
            "For {seconds} s nothing was decided: {WHY_NOTHING}"
        ))?;
        self.step("The three are started again at their addresses, as new nodes.")?;
        for victim in &victims {
            self.stage.restart(*victim).await?;
        }
        let all = self.awake();
        self.agreed(
            "the quorum is recovered, in a new epoch, and all are back",
            &all,
            5,
        )
        .await?;
        self.afterwards().await
    }

    /// Waits until these have one topology of so many members.
    async fn agreed(
        &mut self,
        what: &'static str,
        numbers: &[Number],
        members: usize,
    ) -> Result<Topology, ScriptError> {
        let agreed = timeout(LIMIT, self.agreement(numbers, members)).await;
        let (topology, took) = agreed.map_err(|_| ScriptError::TooLate { what })?;
        self.figure(what, took);
        Ok(topology)
    }

    async fn agreement(&self, numbers: &[Number], members: usize) -> (Topology, Duration) {
        loop {
            let mut topologies = Vec::new();
            for node in self.nodes(numbers) {
                let stood = stands(&node, |standing| match standing {
                    Standing::Member { topology } => topology.len() == members,
                    _ => false,
                });
                topologies.extend(stood.await.topology().cloned());
            }
            let took = self.begun.0.elapsed();
            topologies.dedup();
            if let [one] = topologies.as_slice()
                && let Some(topology) = self.is_in_force(one, numbers)
            {
                return (topology, took);
            }
            // They are of one size and not yet the same: another change is under way.
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The topology, if all of these have it now and all of them are in it.
    fn is_in_force(&self, topology: &Topology, numbers: &[Number]) -> Option<Topology> {
        let nodes = self.nodes(numbers);
        let mut nodes = nodes.iter();
        let is_so = nodes.all(|node| {
            node.topology().as_ref() == Some(topology)
                && topology.member(node.local_node().id()).is_some()
        });
        is_so.then(|| topology.clone())
    }

    /// Waits until these say that they are without quorum; how long that took.
    async fn lost_quorum(&self, numbers: &[Number]) -> Result<Duration, Elapsed> {
        let all = async {
            for node in self.nodes(numbers) {
                stands(&node, |standing| {
                    matches!(standing, Standing::WithoutQuorum { .. })
                })
                .await;
            }
            self.begun.0.elapsed()
        };
        timeout(LIMIT, all).await
    }

    async fn say_what_the_survivors_wait_for(&self) -> Result<(), ScriptError> {
        for (number, view) in self.stage.awake() {
            let name = self.name(number);
            let readiness = view.readiness().await.to_string();
            let title = format!("{name} /readyz");
            terminal::say(&titled(&title, &readiness, 3, terminal::width()))?;
            let status = view.status().await;
            if let Some(waits) = status.and_then(|status| status.waiting_for) {
                let title = format!("{name} waits for");
                terminal::say(&titled(&title, &waits, 3, terminal::width()))?;
            }
        }
        Ok(())
    }

    fn figure(&mut self, what: &'static str, took: Duration) {
        self.figures.push(vec![
            what.to_owned(),
            format!("{:>8.3} s", took.as_secs_f64()),
        ]);
    }

    fn header(&mut self, words: &str) -> Result<(), ScriptError> {
        self.steps += 1;
        let title = format!("{}.", self.steps);
        let text = titled(&title, words, 0, terminal::width());
        terminal::say(&format!("\n{text}"))?;
        Ok(())
    }

    /// A new step begins now.
    fn step(&mut self, words: &str) -> Result<(), ScriptError> {
        self.header(words)?;
        self.story.new_chapter();
        self.begun = (Instant::now(), wall());
        Ok(())
    }

    /// Waits for the last lines of a step and tells them.
    async fn afterwards(&mut self) -> Result<(), ScriptError> {
        sleep(AFTERWARDS).await;
        self.tell()
    }

    fn tell(&mut self) -> Result<(), ScriptError> {
        let begun = self.begun.1;
        for line in self.story.go_on(&self.stage) {
            let millis = u32::try_from(line.at.saturating_sub(begun)).unwrap_or(0);
            let title = format!("{:>7.3} s", f64::from(millis) / 1000.0);
            terminal::say(&titled(&title, &line.words, 3, terminal::width()))?;
        }
        Ok(())
    }

    fn nodes(&self, numbers: &[Number]) -> Vec<TcpDiscovery> {
        let places = numbers
            .iter()
            .filter_map(|number| self.stage.places().get(number));
        let views = places.filter_map(Place::view);
        views.map(|view| view.discovery().clone()).collect()
    }

    /// The numbers of those that run.
    fn awake(&self) -> Vec<Number> {
        self.stage.awake().map(|(number, _)| number).collect()
    }

    fn versions(&self) -> Vec<Option<u64>> {
        let nodes = self
            .stage
            .awake()
            .map(|(_, view)| view.discovery().topology());
        nodes
            .map(|topology| Some(topology?.version().get()))
            .collect()
    }

    fn coordinator(&self) -> Number {
        self.stage.coordinator().unwrap_or(1)
    }

    /// The newest member that runs and does not coordinate.
    fn bystander(&self) -> Number {
        let coordinator = self.coordinator();
        let mut others = self.awake();
        others.retain(|number| *number != coordinator);
        others.pop().unwrap_or(MEMBERS)
    }

    fn name(&self, number: Number) -> String {
        let place = self.stage.places().get(&number);
        place.map_or_else(
            || format!("member {number}"),
            |place| place.name().to_string(),
        )
    }

    fn names(&self, numbers: &[Number]) -> String {
        let names: Vec<String> = numbers.iter().map(|number| self.name(*number)).collect();
        names.join(", ")
    }
}

/// Waits until a node stands as wanted; for ever if it has stopped, so the caller bounds it.
async fn stands(node: &TcpDiscovery, wanted: impl FnMut(&Standing) -> bool) -> Standing {
    let mut standings = node.standings();
    match standings.wait_for(wanted).await {
        Ok(standing) => standing.clone(),
        Err(_) => std::future::pending().await,
    }
}

fn say_wrapped(words: &str) -> io::Result<()> {
    let lines = wrapped(words, terminal::width().saturating_sub(3));
    terminal::say(&format!("   {}\n", lines.join("\n   ")))
}

fn wall() -> i64 {
    Timestamp::now().as_millisecond()
}
