//! Suite `ring`: nodes in pods form one ring, and stay one through everything that happens to them.
//! After each step every pod holds the same topology; at the end no name of a topology may have had
//! two memberships in anything that any node told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::follower::{Follower, Notebook};
use super::history::{self, Sight};
use super::stage::{ROLLOUT_MAX, SETTLE_MAX, Stage};
use super::steps::Steps;
use crate::cluster::deadline::Deadline;
use crate::cluster::program;

/// How many nodes the ring has between steps.
const NODES: usize = 5;
/// How long the API server stays away.
const OUTAGE: Duration = Duration::from_secs(30);
/// Longest wait for one answer of a node, or of a tool.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The name of the table that holds the cuts of the network.
const CUT: &str = "discovery_e2e";

/// One pod that runs a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pod {
    name: String,
    uid: String,
    ip: String,
}

/// What a node answers to `topology`.
#[derive(Clone, Debug)]
struct View {
    has_quorum: bool,
    hash: String,
    name: Option<history::Name>,
    members: Vec<String>,
    coordinator: Option<String>,
}

/// The ring under test.
struct Ring<'a> {
    stage: &'a Stage<'a>,
    notebook: Notebook,
    followers: BTreeMap<Pod, Follower>,
}

/// Runs every step, or the few of the short form.
pub(super) fn run(stage: &Stage<'_>, steps: &mut Steps, is_short: bool) {
    let mut ring = Ring {
        stage,
        notebook: Notebook::new(),
        followers: BTreeMap::new(),
    };
    let times = if is_short { 1 } else { 3 };
    for time in 1..=times {
        if time > 1 {
            steps.step("scale to 0", || ring.scale(0));
        }
        steps.step(
            &format!("{NODES} pods at once are one ring, {time} of {times}"),
            || ring.form(time == 1),
        );
    }
    if !is_short {
        steps.step("scale 5 to 8", || ring.scale(8));
        steps.step("scale 8 to 3", || ring.scale(3));
        steps.step("scale 3 to 5", || ring.scale(NODES));
    }
    steps.step("SIGKILL of a process", || ring.kill(false));
    steps.step("SIGKILL of the coordinator", || ring.kill(true));
    if !is_short {
        steps.step("pod deleted", || ring.delete());
    }
    steps.step("rolling restart", || ring.restart());
    steps.step("3|2 cut, and healing", || ring.cut());
    if !is_short {
        steps.step("API server away for 30 s, a process killed", || {
            ring.outage()
        });
    }
    steps.step("one membership under each version", || ring.check());
}

impl Ring<'_> {
    fn form(&mut self, is_first: bool) -> anyhow::Result<String> {
        let start = self.notebook.now();
        if is_first {
            self.stage.deploy_nodes(NODES)?;
        } else {
            self.stage.kubectl(&[
                "scale",
                "statefulset",
                "ring",
                &format!("--replicas={NODES}"),
            ])?;
        }
        self.wait_ready(NODES)?;
        let ready = self.since_start(start);
        let agreed = self.agree(NODES)?;
        Ok(format!("{} from apply to ready; {agreed}", seconds(ready)))
    }

    fn scale(&mut self, nodes: usize) -> anyhow::Result<String> {
        let start = self.notebook.now();
        self.stage.kubectl(&[
            "scale",
            "statefulset",
            "ring",
            &format!("--replicas={nodes}"),
        ])?;
        self.wait_ready(nodes)?;
        if nodes == 0 {
            self.followers.clear();
            return Ok(String::new());
        }
        let agreed = self.agree(nodes)?;
        self.since(start, &agreed)
    }

    /// Kills one process where it stands; its container starts again in place.
    fn kill(&mut self, is_coordinator: bool) -> anyhow::Result<String> {
        self.agree(NODES)?;
        let pods = self.pods()?;
        let coordinator = self.view(&pods[0])?.coordinator;
        let is_victim = |pod: &&Pod| (coordinator.as_ref() == Some(&pod.name)) == is_coordinator;
        let victim = pods.iter().find(is_victim).context("no pod to kill")?;
        let start = self.notebook.now();
        kill_process_of(victim)?;
        let known = self.wait_removed(start, victim, &pods)?;
        self.wait_ready(NODES)?;
        let agreed = self.agree(NODES)?;
        let told = self.since(start, &agreed)?;
        Ok(format!(
            "the last survivor knew after {}; {told}",
            millis(known)
        ))
    }

    fn delete(&mut self) -> anyhow::Result<String> {
        let start = self.notebook.now();
        self.stage.kubectl(&["delete", "pod", "ring-1"])?;
        self.wait_ready(NODES)?;
        let agreed = self.agree(NODES)?;
        self.since(start, &agreed)
    }

    /// At most two versions a pod, and nobody accused.
    fn restart(&mut self) -> anyhow::Result<String> {
        self.agree(NODES)?;
        let start = self.notebook.now();
        self.stage
            .kubectl(&["rollout", "restart", "statefulset/ring"])?;
        let deadline = Deadline::after(ROLLOUT_MAX);
        loop {
            // Every node is followed from its start, so that no version goes by unheard.
            self.follow()?;
            let words = ["rollout", "status", "statefulset/ring", "--watch=false"];
            if self.stage.kubectl(&words)?.contains("complete") {
                break;
            }
            ensure!(deadline.pause(), "the rollout does not end");
        }
        let agreed = self.agree(NODES)?;
        let sights = self.sights()?;
        let removed: BTreeSet<String> = sights
            .iter()
            .filter(|sight| sight.at >= start)
            .flat_map(|sight| &sight.removed)
            .map(|(name, evidence)| format!("{name}: {evidence}"))
            .collect();
        ensure!(removed.is_empty(), "somebody was removed: {removed:?}");
        let versions = history::versions_since(&sights, start);
        ensure!(
            versions <= 2 * NODES,
            "{versions} versions; {} are allowed",
            2 * NODES
        );
        self.since(start, &agreed)
    }

    /// Cuts two off from three; the three go on, the two say that they cannot, and all are one again.
    fn cut(&mut self) -> anyhow::Result<String> {
        self.agree(NODES)?;
        self.stage
            .target
            .local("cutting the network between pods")?;
        let pods = self.pods()?;
        let (many, few) = pods.split_at(3);
        let start = self.notebook.now();
        self.part(many, few)?;
        let cut = self.wait_cut(start, many, few);
        // Whatever became of it, the next steps find a whole network.
        self.heal()?;
        let (known, without) = cut?;
        let healed = self.notebook.now();
        let agreed = self.agree(NODES)?;
        let one = self.since_start(healed);
        let told = self.since(start, &agreed)?;
        Ok(format!(
            "without quorum after {}, the majority's topology after {}, one again {} after healing; {told}",
            millis(without),
            millis(known),
            millis(one)
        ))
    }

    fn outage(&mut self) -> anyhow::Result<String> {
        self.agree(NODES)?;
        let pods = self.pods()?;
        let coordinator = self.view(&pods[0])?.coordinator;
        self.stage.target.stop_apiserver()?;
        let outage = Deadline::after(OUTAGE);
        let start = self.notebook.now();
        let killed = pods
            .iter()
            .find(|pod| coordinator.as_ref() != Some(&pod.name))
            .context("no pod to kill")
            .and_then(|victim| {
                kill_process_of(victim)?;
                self.wait_removed(start, victim, &pods)
            });
        while outage.pause() {}
        self.stage.target.start_apiserver()?;
        let known = killed?;
        self.wait_ready(NODES)?;
        let agreed = self.agree(NODES)?;
        let told = self.since(start, &agreed)?;
        Ok(format!(
            "the last survivor knew after {}; {told}",
            millis(known)
        ))
    }

    fn check(&self) -> anyhow::Result<String> {
        let sights = self.sights()?;
        history::check(&sights)?;
        let names: BTreeSet<_> = sights.iter().map(|sight| &sight.name).collect();
        let clusters: BTreeSet<_> = names.iter().map(|name| &name.cluster).collect();
        let tellers: BTreeSet<_> = sights.iter().map(|sight| &sight.pod).collect();
        Ok(format!(
            "{} topologies of {} clusters, told {} times by {} pods",
            names.len(),
            clusters.len(),
            sights.len(),
            tellers.len()
        ))
    }

    /// Waits until so many pods are ready. Every node is followed from its first answer, so that not
    /// even a cluster goes by unheard that nobody is in any more once all are ready.
    fn wait_ready(&mut self, nodes: usize) -> anyhow::Result<()> {
        let stage = self.stage;
        stage.wait_ready_while(nodes, || self.follow())
    }

    /// Follows every pod that is not followed yet; one that does not answer yet is tried again by
    /// the next call.
    fn follow(&mut self) -> anyhow::Result<()> {
        let pods = self.pods()?;
        self.followers
            .retain(|pod, follower| pods.contains(pod) && follower.is_following());
        for pod in pods {
            if !self.followers.contains_key(&pod) {
                let mut command = self.node_command("events", &pod);
                let follower = Follower::start(&mut command, &pod.name, &self.notebook)?;
                self.followers.insert(pod, follower);
            }
        }
        Ok(())
    }

    /// Waits until so many pods hold one topology with just these pods as its members.
    fn agree(&mut self, nodes: usize) -> anyhow::Result<String> {
        let deadline = Deadline::after(SETTLE_MAX);
        loop {
            self.follow()?;
            let pods = self.pods()?;
            let views: anyhow::Result<Vec<View>> = pods.iter().map(|pod| self.view(pod)).collect();
            let why = match views.map(|views| (disagreement(&pods, &views, nodes), views)) {
                Ok((None, views)) => {
                    let name = views.first().and_then(|view| view.name.clone());
                    let name = name.context("no pod has a topology")?;
                    return Ok(format!("all {nodes} at version {}", name.version));
                }
                Ok((Some(why), _)) => why,
                Err(error) => format!("{error:#}"),
            };
            ensure!(deadline.pause(), "the pods do not agree: {why}");
        }
    }

    fn since(&self, start: Duration, agreed: &str) -> anyhow::Result<String> {
        let versions = history::versions_since(&self.sights()?, start);
        let took = seconds(self.since_start(start));
        Ok(format!("{versions} versions in {took}; {agreed}"))
    }

    fn since_start(&self, start: Duration) -> Duration {
        self.notebook.now().saturating_sub(start)
    }

    fn sights(&self) -> anyhow::Result<Vec<Sight>> {
        history::sights(&self.notebook.told())
    }

    /// How long it took until the last of the others was told that this one is removed.
    fn wait_removed(
        &self,
        start: Duration,
        victim: &Pod,
        pods: &[Pod],
    ) -> anyhow::Result<Duration> {
        let others: Vec<String> = pods
            .iter()
            .filter(|pod| *pod != victim)
            .map(|pod| pod.name.clone())
            .collect();
        let deadline = Deadline::after(ANSWER_MAX);
        loop {
            let sights = self.sights()?;
            if let Some(at) = history::last_told_removed(&sights, start, &victim.name, &others) {
                return Ok(at.saturating_sub(start));
            }
            ensure!(
                deadline.pause(),
                "{} is still a member somewhere",
                victim.name
            );
        }
    }

    /// How long it took until the many had a topology without the few, and the few said that they
    /// have no quorum.
    fn wait_cut(
        &self,
        start: Duration,
        many: &[Pod],
        few: &[Pod],
    ) -> anyhow::Result<(Duration, Duration)> {
        let names: Vec<String> = many.iter().map(|pod| pod.name.clone()).collect();
        let deadline = Deadline::after(ANSWER_MAX);
        loop {
            let sights = self.sights()?;
            let removed = |pod: &Pod| history::last_told_removed(&sights, start, &pod.name, &names);
            let removed: Option<Vec<Duration>> = few.iter().map(removed).collect();
            let told = self.notebook.told();
            let without = |pod: &Pod| {
                let mut own = told
                    .iter()
                    .filter(|it| it.at >= start && it.pod == pod.name);
                own.find(|it| it.event["standing"] == "without_quorum")
                    .map(|it| it.at)
            };
            let without: Option<Vec<Duration>> = few.iter().map(without).collect();
            if let (Some(removed), Some(without)) = (removed, without) {
                let last = |all: Vec<Duration>| {
                    all.into_iter().max().unwrap_or(start).saturating_sub(start)
                };
                return Ok((last(removed), last(without)));
            }
            ensure!(
                deadline.pause(),
                "the three have not removed the two, or these still claim a quorum"
            );
        }
    }

    /// Lets nothing pass between the two sides.
    fn part(&self, one: &[Pod], other: &[Pod]) -> anyhow::Result<()> {
        let set = |pods: &[Pod]| {
            let ips: Vec<&str> = pods.iter().map(|pod| pod.ip.as_str()).collect();
            format!("{{ {} }}", ips.join(", "))
        };
        let (one, other) = (set(one), set(other));
        let rules = format!(
            "add table bridge {CUT}\n\
             add chain bridge {CUT} cut {{ type filter hook forward priority 0; }}\n\
             add rule bridge {CUT} cut ip saddr {one} ip daddr {other} drop\n\
             add rule bridge {CUT} cut ip saddr {other} ip daddr {one} drop\n"
        );
        self.filter(&rules)
    }

    fn heal(&self) -> anyhow::Result<()> {
        self.filter(&format!("delete table bridge {CUT}\n"))
    }

    fn filter(&self, rules: &str) -> anyhow::Result<()> {
        let file = self.stage.file("cut.nft", rules)?;
        let mut nft = self.stage.target.enter("nft");
        program::output(nft.arg("-f").arg(file), ANSWER_MAX).map(drop)
    }

    /// The pods that run a node and have an address.
    fn pods(&self) -> anyhow::Result<Vec<Pod>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pods = self.stage.pod_objects()?;
        let pod = |pod: &Value| {
            Some(Pod {
                name: text(&pod["metadata"]["name"])?,
                uid: text(&pod["metadata"]["uid"])?,
                ip: text(&pod["status"]["podIP"])?,
            })
        };
        Ok(pods.iter().filter_map(pod).collect())
    }

    fn view(&self, pod: &Pod) -> anyhow::Result<View> {
        let mut command = self.node_command("topology", pod);
        let printed = program::output(&mut command, ANSWER_MAX)
            .with_context(|| format!("{} does not answer", pod.name))?;
        let view: Value = serde_json::from_str(&printed)?;
        let members = view["members"].as_array().into_iter().flatten();
        let term = view["term"].as_str().and_then(|term| term.split_once('.'));
        let order = term.and_then(|(_, order)| order.parse::<u64>().ok());
        let leads = |member: &&Value| order.is_some() && member["order"].as_u64() == order;
        let member_name = |member: &Value| member["name"].as_str().unwrap_or("?").to_owned();
        Ok(View {
            has_quorum: view["standing"] == "member",
            hash: view["content_hash"].as_str().unwrap_or_default().to_owned(),
            name: history::name(&view),
            coordinator: members.clone().find(leads).map(member_name),
            members: members.map(member_name).collect(),
        })
    }

    /// The node's program, asking the node in a pod.
    fn node_command(&self, what: &str, pod: &Pod) -> Command {
        let mut command = self.stage.target.enter(&self.stage.program);
        command.args([what, "-o", "json", "--node", &pod.ip]);
        command
    }
}

/// Why these are not one ring of just these pods, if they are not.
fn disagreement(pods: &[Pod], views: &[View], nodes: usize) -> Option<String> {
    if pods.len() != nodes {
        return Some(format!("{} pods, {nodes} are wanted", pods.len()));
    }
    let names: BTreeSet<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    let first = views.first()?;
    for (pod, view) in pods.iter().zip(views) {
        let members: BTreeSet<&str> = view.members.iter().map(String::as_str).collect();
        if !view.has_quorum || members != names {
            let standing = if view.has_quorum {
                ""
            } else {
                ", without a quorum"
            };
            return Some(format!("{} holds {members:?}{standing}", pod.name));
        }
        if (&view.name, &view.hash) != (&first.name, &first.hash) {
            return Some(format!("{} holds {view:?}, another {first:?}", pod.name));
        }
    }
    None
}

/// Ends the node's process in a pod, by the number that it has on this machine.
fn kill_process_of(pod: &Pod) -> anyhow::Result<()> {
    let wanted = format!("POD_UID={}", pod.uid);
    for entry in fs::read_dir("/proc")?.flatten() {
        let path = entry.path();
        // Processes come and go while they are looked at.
        let Ok(command) = fs::read(path.join("cmdline")) else {
            continue;
        };
        let Ok(environment) = fs::read(path.join("environ")) else {
            continue;
        };
        let is_node = command.windows(14).any(|word| word == b"discovery-node");
        if is_node
            && environment
                .split(|byte| *byte == 0)
                .any(|one| one == wanted.as_bytes())
        {
            let number = entry.file_name();
            let mut kill = Command::new("kill");
            return program::output(kill.arg("-KILL").arg(number), ANSWER_MAX).map(drop);
        }
    }
    bail!("the process of {} is not on this machine", pod.name)
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
