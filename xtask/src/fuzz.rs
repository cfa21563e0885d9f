//! `cargo xtask fuzz`: builds the targets of `fuzz/` with coverage counters and runs each for a
//! while. What a target checks is its own business.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cargo::CargoCall;
use crate::stopwatch::{Stopwatch, Took};
use crate::workspace::Workspace;

/// Feeds what the network can send with inputs that search for a crash.
///
/// Builds the targets under fuzz/ and runs each for the given time, from the inputs in fuzz/seeds.
/// An input that crashes a target, hangs it or makes it grow is kept, and the command that replays
/// it is printed.
///
/// Needs: a C++ compiler, for the fuzzer's loop. The toolchain of this workspace is enough.
/// Takes: two to five minutes to build from nothing, then the given time for each target.
///
/// Examples: cargo xtask fuzz
///           cargo xtask fuzz --target message --seconds 3600 --go-on
///           cargo xtask fuzz --target message --replay target/fuzz/crashes/message/crash-1a2b
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: NonZeroU64,
    /// Run this target only; may be given several times.
    #[arg(long, value_name = "NAME", value_enum)]
    target: Vec<Target>,
    /// Start from what earlier runs found worth keeping as well (target/fuzz/corpus).
    #[arg(long)]
    go_on: bool,
    /// Give this file to the target, once, and tell how it ends.
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Target {
    /// Bytes of a link to frames.
    Frame,
    /// A frame's payload to a message and back.
    Message,
    /// Everything the world can tell a ring, damaged and out of turn.
    RingInputs,
}

impl Target {
    const ALL: [Self; 3] = [Self::Frame, Self::Message, Self::RingInputs];

    fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Message => "message",
            Self::RingInputs => "ring_inputs",
        }
    }
}

/// What makes a program tell the fuzzer which code an input reached; `cargo fuzz` sets the same.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares \
                     -Cllvm-args=-simplifycfg-branch-fold-threshold=0 --cfg fuzzing";

/// Makes a target print what happens, where it can; see `fuzz/targets/ring_inputs/world.rs`.
const SHOW: &str = "DISCOVERY_FUZZ_SHOW";

/// Longest time for one input, in seconds, and most memory of a run, in MiB.
const INPUT_SECONDS_MAX: u32 = 10;
const MEMORY_MIB_MAX: u32 = 1024;

/// How often a running target is heard of.
const PROGRESS: Duration = Duration::from_secs(10);

/// Most lines shown of what a target said before it ended badly.
const LINES_SHOWN: usize = 60;

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let programs = build(&workspace)?;
    let folders = Folders {
        seeds: workspace.root.join("fuzz/seeds"),
        work: workspace.target.join("fuzz"),
    };
    let chosen = |target: &Target| options.target.is_empty() || options.target.contains(target);
    let mut all_passed = true;
    for target in Target::ALL.into_iter().filter(chosen) {
        let mut command = Command::new(programs.join(target.name()));
        println!("==> {}", target.name());
        all_passed &= if let Some(file) = &options.replay {
            replay(command.arg(file))?
        } else {
            if !options.go_on {
                folders.forget(target)?;
            }
            command.args(folders.arguments(target, options.seconds)?);
            search(&mut command, target, &workspace)?
        };
    }
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Gives a target one input and passes on all that it says; whether it passed.
fn replay(command: &mut Command) -> anyhow::Result<bool> {
    let status = command.env(SHOW, "1").stdin(Stdio::null()).status();
    let status = status.with_context(|| cannot_start(command))?;
    println!("<== {status}");
    Ok(status.success())
}

/// Runs a target for its time; whether it passed.
fn search(command: &mut Command, target: Target, workspace: &Workspace) -> anyhow::Result<bool> {
    let watch = Stopwatch::start();
    let told = listen(command, &watch)?;
    let passed = told.status.success();
    let verdict = if passed { "passed" } else { "FAILED" };
    let (name, took) = (target.name(), Took(watch.elapsed()));
    println!("<== {name} {verdict} in {took}: {}", told.last);
    if !passed {
        told.explain(target, workspace);
    }
    Ok(passed)
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}

/// Builds all targets and returns the folder where they lie.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let has_compiler = Command::new("c++")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !has_compiler.is_ok_and(|status| status.success()) {
        bail!("'c++' does not run; the fuzzer's loop is C++ (on Debian: apt-get install g++)");
    }
    // With a target named, the flags hold for the targets alone and not for build scripts.
    let host = host(&CargoCall::new("-vV").capture(&workspace.root)?)?;
    let folder = workspace.target.join("fuzz/build");
    let call = CargoCall::new(&format!(
        "build --release --locked --manifest-path fuzz/Cargo.toml --target {host}"
    ));
    let call = call.with_target(&folder).with_env("RUSTFLAGS", FLAGS);
    if !call.stream(&workspace.root, |_| {})?.success() {
        bail!("the fuzz targets do not build");
    }
    Ok(folder.join(host).join("release"))
}

/// The platform that the toolchain builds for by itself.
fn host(version: &str) -> anyhow::Result<String> {
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("cargo -vV names no host")?.to_owned())
}

#[derive(Debug)]
struct Folders {
    seeds: PathBuf,
    work: PathBuf,
}

impl Folders {
    /// Removes what earlier runs kept: to go through it again takes longer with every run.
    fn forget(&self, target: Target) -> anyhow::Result<()> {
        let corpus = self.corpus(target);
        match fs::remove_dir_all(&corpus) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| corpus.display().to_string())
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn corpus(&self, target: Target) -> PathBuf {
        self.work.join("corpus").join(target.name())
    }

    /// What the fuzzer is told, with the folders that it needs made.
    fn arguments(&self, target: Target, seconds: NonZeroU64) -> anyhow::Result<Vec<String>> {
        let folder = |path: &Path| {
            fs::create_dir_all(path).with_context(|| path.display().to_string())?;
            anyhow::Ok(path.display().to_string())
        };
        let crashes = folder(&self.work.join("crashes").join(target.name()))?;
        let mut arguments = vec![
            format!("-max_total_time={seconds}"),
            format!("-timeout={INPUT_SECONDS_MAX}"),
            format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
            format!("-artifact_prefix={crashes}/"),
            // The first folder is the one that new inputs go to.
            folder(&self.corpus(target))?,
        ];
        let list = self.seeds.join(target.name()).with_extension("hex");
        if list.is_file() {
            let lines = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
            let seeds = self.work.join("seeds").join(target.name());
            arguments.push(folder(&seeds)?);
            for (number, seed) in of_hex(&lines)
                .context("fuzz/seeds holds a bad line")?
                .iter()
                .enumerate()
            {
                fs::write(seeds.join(number.to_string()), seed)?;
            }
        }
        Ok(arguments)
    }
}

/// One input a line, in hexadecimal digits; `#` begins a remark.
fn of_hex(lines: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let bytes = |line: &str| {
        let digits: Vec<char> = line.chars().collect();
        let pairs = digits.chunks(2).map(String::from_iter);
        pairs
            .map(|pair| u8::from_str_radix(&pair, 16))
            .collect::<Result<_, _>>()
    };
    let inputs = lines.lines().filter(|line| !line.starts_with('#'));
    inputs
        .map(|line| bytes(line).with_context(|| line.to_owned()))
        .collect()
}

/// How a target ended and what it said.
#[derive(Debug)]
struct Told {
    status: ExitStatus,
    /// Its last line of figures.
    last: String,
    /// All else, the newest lines of it.
    said: Vec<String>,
}

/// Runs a target to its end, with its figures shown now and then. It ends by itself: it was told
/// how long it may run and how long one input may take. Ctrl-C reaches it too.
fn listen(command: &mut Command, watch: &Stopwatch) -> anyhow::Result<Told> {
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let (mut last, mut said) = (String::new(), Vec::new());
    let mut next = PROGRESS;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = line.context("reading what the target says")?;
            let line = String::from_utf8_lossy(&line).into_owned();
            match figures(&line) {
                Some(figures) => {
                    last = figures;
                    if watch.elapsed() >= next {
                        next = watch.elapsed() + PROGRESS;
                        println!("    {last}");
                    }
                }
                None => said.push(line),
            }
            if said.len() > 2 * LINES_SHOWN {
                said.drain(..LINES_SHOWN);
            }
        }
    }
    let status = child.wait().context("waiting for the target")?;
    Ok(Told { status, last, said })
}

impl Told {
    fn explain(&self, target: Target, workspace: &Workspace) {
        for line in self.said.iter().rev().take(LINES_SHOWN).rev() {
            eprintln!("    {line}");
        }
        if let Some(input) = self.said.iter().find_map(|line| kept(line)) {
            let input = workspace.relative(Path::new(input)).display();
            let name = target.name();
            eprintln!("xtask: replay it with: cargo xtask fuzz --target {name} --replay {input}");
        }
    }
}

/// The figures of a line such as `#4096 pulse cov: 9 ft: 9 corp: 1/1b lim: 4 exec/s: 7 rss: 31Mb`.
fn figures(line: &str) -> Option<String> {
    let runs = line.strip_prefix('#')?.split_whitespace().next()?;
    let runs: u64 = runs.parse().ok()?;
    let after = |word: &str| line.split_once(word)?.1.split_whitespace().next();
    let rate = after("exec/s: ")?;
    let covered = after("cov: ").unwrap_or("0");
    Some(format!(
        "{runs} inputs, {rate} a second, {covered} places reached"
    ))
}

/// Where the fuzzer kept the input that it ended at.
fn kept(line: &str) -> Option<&str> {
    Some(line.split_once("Test unit written to ")?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_figures_is_told_in_words() {
        let line = "#4096\tpulse  cov: 905 ft: 1200 corp: 10/1Kb lim: 43 exec/s: 2048 rss: 31Mb";
        assert_eq!(
            figures(line).unwrap(),
            "4096 inputs, 2048 a second, 905 places reached"
        );
        assert_eq!(figures("INFO: Seed: 1"), None);
        assert_eq!(figures("#1 0x55 in main"), None);
    }

    #[test]
    fn seeds_are_read_line_by_line() {
        let inputs = of_hex("# remark\n0a0b\nff\n").unwrap();
        assert_eq!(inputs, [vec![10, 11], vec![255]]);
        let error = of_hex("0a\nxy\n").unwrap_err();
        assert_eq!(error.to_string(), "xy");
    }

    #[test]
    fn the_place_of_a_crash_is_found() {
        let line = "artifact_prefix='/c/'; Test unit written to /c/crash-1a2b";
        assert_eq!(kept(line), Some("/c/crash-1a2b"));
    }

    #[test]
    fn the_host_is_the_toolchains() {
        let version = "cargo 1.95.0\nrelease: 1.95.0\nhost: x86_64-unknown-linux-gnu\nos: Debian\n";
        assert_eq!(host(version).unwrap(), "x86_64-unknown-linux-gnu");
        let error = host("cargo 1.95.0").unwrap_err();
        assert!(error.to_string().contains("no host"));
    }

    #[test]
    fn every_target_is_run_unless_some_are_chosen() {
        let names = Target::ALL.map(Target::name);
        let values = <Target as clap::ValueEnum>::value_variants();
        let typed: Vec<_> = values
            .iter()
            .filter_map(clap::ValueEnum::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        assert_eq!(typed, names);
    }
}
