//! Stories in `tests/transcripts/*.txt`: what is done, and below it, behind `>`, what is seen.
//!
//! A story fails if what is seen differs, or if a promise is broken on the way. With
//! `UPDATE_TRANSCRIPTS=1` the files are rewritten with what is seen instead. Commands:
//!
//! | command | what it does |
//! |---|---|
//! | `seed 7` · `set silence_limit 1s` | before the first pod: the world's chance, a setting |
//! | `nodes 5` · `start p-7` · `start hung x` · `start foreign x` | makes pods |
//! | `crash` · `lose` · `delete` · `force-delete` · `leave` · `pause` · `resume` + pod | as it says |
//! | `restarts off` · `hold-back p-1` · `start-container p-1` | containers that start again, or not |
//! | `cut a -> b` · `cut a <-> b` · `isolate a` · `split a b \| c` · `open` | the network |
//! | `half-open a b` | breaks their links; only the first is told |
//! | `api down` · `api up` | the API server |
//! | `publish p-0 hello` · `force p-0` | what an application and an operator ask for |
//! | `run 5s` | lets time pass |
//! | `settle` · `settle p-0 p-1` | waits until all, or just these, are one cluster |
//! | `show` · `events p-0` | tells where all stand; what an application was told since |
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use discovery_core::{Evidence, ProofRule};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{ApiFaults, Cluster, World};
use discovery_tcp::{Formation, Merge, Quorum, Recovery};

/// Longest time that `settle` waits.
const SETTLE_MAX: Duration = Duration::from_mins(2);

/// One story as it is told.
struct Story {
    world: World,
    cluster: Option<Cluster>,
    /// How much of what each pod was told was shown.
    shown: BTreeMap<String, usize>,
}

fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number = digits
        .parse()
        .unwrap_or_else(|_| panic!("{text} is no duration"));
    match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => panic!("{text}: give it ms or s"),
    }
}

impl Story {
    fn new() -> Self {
        Self {
            world: World::of_seed(1),
            cluster: None,
            shown: BTreeMap::new(),
        }
    }

    fn cluster(&mut self) -> &mut Cluster {
        self.cluster
            .get_or_insert_with(|| Cluster::new(self.world.clone()))
    }

    /// Does what one line says and returns what is seen.
    fn tell(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["seed", seed] => self.world.seed = seed.parse().unwrap(),
            ["set", key, value] => self.set(key, value),
            ["nodes", count] => {
                for number in 0..count.parse::<usize>().unwrap() {
                    self.cluster().start(&format!("p-{number}"));
                }
            }
            ["start", "hung", pod] => drop(self.cluster().start_hung(pod)),
            ["start", "foreign", pod] => drop(self.cluster().start_foreign(pod)),
            ["start", pod] => drop(self.cluster().start(pod)),
            ["restarts", is_on] => {
                let pause = Duration::from_millis(500);
                let is_on = *is_on == "on";
                self.cluster().restart_containers(is_on, (pause, pause));
            }
            ["run", span] => self.cluster().run_for(duration(span)),
            ["settle", pods @ ..] => return self.settle(pods),
            ["show"] => return self.show(),
            ["events", pod] => return self.events(pod),
            ["publish", pod, text] => drop(self.cluster().publish(pod, text.as_bytes())),
            [verb, pod] => self.act(verb, pod),
            _ => self.change_network(&words),
        }
        Vec::new()
    }

    fn set(&mut self, key: &str, value: &str) {
        let config = &mut self.world.config;
        match (key, value) {
            ("silence_limit", value) => config.silence_limit = duration(value),
            ("fan_out", value) => config.fan_out = value.parse().unwrap(),
            ("settle", value) => config.settle = duration(value),
            ("rejoin_pause", value) => config.rejoin_pause = (duration(value), duration(value)),
            ("write_interval", value) => self.world.climate.write_interval = duration(value),
            ("proof", "off") => config.proof = ProofRule::Off,
            ("recovery", "manual") => config.recovery = Recovery::Manual,
            ("quorum", "none") => config.quorum = Quorum::None,
            ("merge", "auto") => config.merge = Merge::Auto,
            ("formation", "single") => config.formation = Formation::Single,
            ("formation", names) => {
                let names = names.split(',').map(|name| name.parse().unwrap());
                config.formation = Formation::Majority(names.collect());
                config.recovery = Recovery::Manual;
                config.proof = ProofRule::Address;
                self.world.climate.authoritative = false;
            }
            _ => panic!("set {key} {value}: no such setting"),
        }
    }

    fn act(&mut self, verb: &str, pod: &str) {
        let cluster = self.cluster();
        match verb {
            "crash" => cluster.crash(pod),
            "lose" => cluster.lose_machine(pod),
            "delete" => cluster.delete(pod),
            "force-delete" => cluster.force_delete(pod),
            "unwant" => cluster.unwant(pod),
            "leave" => cluster.leave(pod),
            "pause" => cluster.pause(pod),
            "resume" => cluster.resume(pod),
            "hold-back" => cluster.hold_container_back(pod, true),
            "start-container" => {
                cluster.hold_container_back(pod, false);
                cluster.start_container(pod);
            }
            "isolate" => cluster.isolate(pod),
            "force" => cluster.force_recovery(pod),
            "api" => cluster.api(ApiFaults {
                is_down: pod == "down",
                ..ApiFaults::default()
            }),
            _ => panic!("{verb} {pod}: no such command"),
        }
    }

    fn change_network(&mut self, words: &[&str]) {
        let cluster = self.cluster();
        match words {
            ["cut", one, "->", other] => cluster.cut(one, other),
            ["cut", one, "<->", other] => cluster.partition(&[&[one], &[other]]),
            ["split", pods @ ..] => {
                let sides: Vec<&[&str]> = pods.split(|word| *word == "|").collect();
                cluster.partition(&sides);
            }
            ["half-open", one, other] => cluster.break_links(one, other, false),
            ["open"] => cluster.open_all_ways(),
            _ => panic!("{}: no such command", words.join(" ")),
        }
    }

    fn settle(&mut self, pods: &[&str]) -> Vec<String> {
        let cluster = self.cluster();
        let holds = |it: &Cluster| match pods {
            [] => it.agreed().is_some(),
            pods => it.are_one_cluster(pods),
        };
        if cluster.run_until(SETTLE_MAX, holds) {
            return Vec::new();
        }
        vec![format!("not settled after {SETTLE_MAX:?}")]
    }

    fn show(&mut self) -> Vec<String> {
        let cluster = self.cluster();
        let mut pods: Vec<String> = cluster
            .living()
            .map(|process| process.label().rsplit_once('.').unwrap().0.to_owned())
            .filter(|pod| cluster.ring_of(pod).is_some())
            .collect();
        pods.sort();
        let lines = pods.iter();
        lines
            .map(|pod| format!("{pod}: {}", cluster.standing_of(pod)))
            .collect()
    }

    fn events(&mut self, pod: &str) -> Vec<String> {
        let cluster = self.cluster();
        let told: Vec<String> = cluster
            .told_at(pod)
            .filter_map(|told| in_words(&told.notice))
            .collect();
        let process = cluster.process_of(pod);
        let shown = self.shown.entry(format!("{pod} {process:?}")).or_default();
        let new = told[*shown..].to_vec();
        *shown = told.len();
        new
    }
}

/// What an application was told, without what depends on chance.
fn in_words(notice: &Notice) -> Option<String> {
    let names = |members: &[discovery_core::Member]| {
        let names: Vec<&str> = members.iter().map(|it| it.name().as_str()).collect();
        names.join(" ")
    };
    match notice {
        Notice::Installed { topology, .. } => {
            Some(format!("installed {}", names(topology.members())))
        }
        Notice::Changed(event) => {
            let mut parts = Vec::new();
            if event.epoch_changed {
                parts.push("a new epoch".to_owned());
            }
            if !event.joined.is_empty() {
                parts.push(format!("joined {}", names(&event.joined)));
            }
            if !event.left.is_empty() {
                parts.push(format!("left {}", names(&event.left)));
            }
            for (member, evidence) in &event.failed {
                parts.push(format!("failed {} ({})", member.name(), why(evidence)));
            }
            Some(parts.join(", "))
        }
        Notice::Message(message) => Some(format!(
            "message {}",
            String::from_utf8_lossy(&message.payload)
        )),
        Notice::Published { request, result } => Some(match result {
            Ok(_) => format!("request {request} is decided"),
            Err(error) => format!("request {request}: {error}"),
        }),
        Notice::Left(result) => Some(format!("left: {result:?}")),
        Notice::MetOtherCluster { .. } => Some("met another cluster".to_owned()),
        Notice::Contested(node) => Some(format!("{} is contested", node.name())),
        Notice::Refused { why } => Some(format!("refused: {why}")),
        _ => None,
    }
}

fn why(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Accused(accusations) => {
            let mut kinds: Vec<String> = accusations.iter().map(|it| it.kind.to_string()).collect();
            kinds.sort();
            kinds.dedup();
            kinds.join(" or ")
        }
        Evidence::NeverConfirmed { .. } => "never confirmed".to_owned(),
        Evidence::Lag { .. } => "lag".to_owned(),
        Evidence::Dead(_) => "dead".to_owned(),
        Evidence::Operator { .. } => "operator".to_owned(),
        Evidence::AbsentFromRecovery => "absent from the recovery".to_owned(),
        _ => "something new".to_owned(),
    }
}

/// Tells a story; returns it as it should have been written, and what broke.
fn retell(text: &str) -> (String, Option<String>) {
    let mut story = Story::new();
    let mut told = String::new();
    for line in text.lines().filter(|line| !line.starts_with('>')) {
        told.push_str(line);
        told.push('\n');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        for seen in story.tell(line) {
            told.push_str("> ");
            told.push_str(&seen);
            told.push('\n');
        }
    }
    let cluster = story.cluster();
    let broken = cluster.violation().map(|violation| {
        let last: Vec<&str> = cluster.trace().last(40).collect();
        format!("{violation}\n{}", last.join("\n"))
    });
    (told, broken)
}

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "txt"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_story_goes_as_it_is_written() {
    let is_update = env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut wrong = Vec::new();
    let paths = stories();
    assert!(!paths.is_empty(), "there are stories");
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let (told, broken) = retell(&text);
        if let Some(broken) = broken {
            wrong.push(format!("{}: {broken}", path.display()));
        } else if told != text && is_update {
            fs::write(&path, told).unwrap();
        } else if told != text {
            wrong.push(format!("{} goes otherwise:\n{told}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
