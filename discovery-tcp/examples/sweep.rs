//! Runs seeds of the simulator on all cores until one breaks a promise, the seeds are used up or
//! the time is over. `cargo xtask sim` builds and calls it.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool speaks on its standard output and measures how long it takes"
)]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use discovery_tcp::sim::{Bug, Coverage, Report, Swarm};

/// What is asked for on the command line.
#[derive(Debug)]
struct Options {
    /// How many at most; none if only the time is limited.
    seeds: Option<u64>,
    from: u64,
    minutes: Option<u64>,
    replay: Option<u64>,
    traces: PathBuf,
    /// Every seed has more nodes than stand on one circle.
    many: bool,
    /// Goes on after a broken promise, and tells them all in the end.
    keep_going: bool,
    /// Tells for each planted mistake which seed catches it first.
    bugs: bool,
    /// Of those, only the one of this name.
    bug: Option<String>,
}

/// What all threads share.
#[derive(Debug)]
struct Sweep {
    options: Options,
    next: AtomicU64,
    is_over: AtomicBool,
    started: Instant,
    sum: Mutex<(Coverage, Vec<Report>)>,
}

/// How many seeds are run where neither a number nor a time is said.
const SEEDS: u64 = 1_000;

/// Lines of a trace that are printed; all of it goes to a file.
const LINES_SHOWN: usize = 60;

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(what) => {
            println!("sweep: {what}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = options.replay {
        return replay(seed, &options);
    }
    if options.bugs {
        return catch_all(&options);
    }
    let sweep = Sweep {
        next: AtomicU64::new(options.from),
        is_over: AtomicBool::new(false),
        started: Instant::now(),
        sum: Mutex::default(),
        options,
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| sweep.work());
        }
        sweep.tell_progress();
    });
    sweep.sum_up()
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seeds: None,
        from: 0,
        minutes: None,
        replay: None,
        traces: PathBuf::from("target/sim"),
        many: false,
        keep_going: false,
        bugs: false,
        bug: None,
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--keep-going" => options.keep_going = true,
            "--bugs" => options.bugs = true,
            "--many" => options.many = true,
            _ => takes_value(&mut options, &word, words.next())?,
        }
    }
    Ok(options)
}

fn takes_value(options: &mut Options, word: &str, value: Option<String>) -> Result<(), String> {
    let value = value.ok_or_else(|| format!("{word} needs a value"))?;
    let number = || {
        let number = value.parse();
        number.map_err(|_| format!("{word} {value}: not a whole number"))
    };
    match word {
        "--bug" => {
            options.bugs = true;
            options.bug = Some(value);
        }
        "--traces" => options.traces = PathBuf::from(value),
        "--seeds" => options.seeds = Some(number()?),
        "--from" => options.from = number()?,
        "--minutes" => options.minutes = Some(number()?),
        "--replay" => options.replay = Some(number()?),
        _ => return Err(format!("{word} is no option")),
    }
    Ok(())
}

impl Options {
    /// How many seeds are run at most.
    fn count(&self) -> u64 {
        let unsaid = self.minutes.map_or(SEEDS, |_| u64::MAX);
        self.seeds.unwrap_or(unsaid)
    }

    /// The first seed that is not run.
    fn end(&self) -> u64 {
        self.from.saturating_add(self.count())
    }

    /// The run of a seed, traced or not.
    fn swarm(&self, seed: u64, is_traced: bool) -> Swarm {
        let mut swarm = if self.many {
            Swarm::of_many(seed)
        } else {
            Swarm::of_seed(seed)
        };
        swarm.world.is_traced = is_traced;
        swarm
    }
}

impl Sweep {
    fn work(&self) {
        let end = self.options.end();
        while !self.is_over.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || self.is_late() {
                break;
            }
            let report = self.options.swarm(seed, false).run();
            let Ok(mut sum) = self.sum.lock() else { break };
            sum.0 += report.coverage;
            if let Some(violation) = &report.violation {
                println!("seed {seed}: {violation}");
                sum.1.push(report);
                if !self.options.keep_going {
                    self.is_over.store(true, Ordering::Relaxed);
                }
            }
        }
        self.is_over.store(
            self.is_over.load(Ordering::Relaxed) || self.is_late() || self.is_used_up(),
            Ordering::Relaxed,
        );
    }

    fn is_used_up(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.options.end()
    }

    fn is_late(&self) -> bool {
        let limit = self.options.minutes.map(|it| Duration::from_secs(60 * it));
        limit.is_some_and(|limit| self.started.elapsed() >= limit)
    }

    fn tell_progress(&self) {
        let mut told = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(50));
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let Ok(sum) = self.sum.lock() else { return };
                println!("{}", self.speed(&sum.0));
            }
        }
    }

    fn speed(&self, sum: &Coverage) -> String {
        let millis = self.started.elapsed().as_millis().max(1);
        let per_second = u128::from(sum.runs) * 1_000 / millis;
        let (seconds, next) = (millis / 1_000, self.next.load(Ordering::Relaxed));
        format!(
            "{seconds} s: {} seeds up to {next}, {per_second} a second",
            sum.runs
        )
    }

    fn sum_up(self) -> ExitCode {
        let Ok((coverage, failed)) = self.sum.into_inner() else {
            println!("a run panicked; its seed is among those of the last lines");
            return ExitCode::from(3);
        };
        let millis = self.started.elapsed().as_millis().max(1);
        let per_second = u128::from(coverage.runs) * 1_000 / millis;
        println!("{coverage}");
        println!("{per_second} seeds a second, {} broken", failed.len());
        for report in &failed {
            println!();
            replay(report.seed, &self.options);
        }
        if failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Plants every mistake, one after the other, and looks for the first seed that catches it.
fn catch_all(options: &Options) -> ExitCode {
    let is_asked = |bug: &Bug| {
        let name = format!("{bug:?}");
        options.bug.as_ref().is_none_or(|it| *it == name)
    };
    let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(is_asked).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
            println!("{bug:?}: {}", catch(*bug, options));
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    ExitCode::SUCCESS
}

fn catch(bug: Bug, options: &Options) -> String {
    for seed in options.from..options.end() {
        let mut swarm = options.swarm(seed, false);
        swarm.world.bug = Some(bug);
        if let Some(violation) = swarm.run().violation
            && options.swarm(seed, false).run().violation.is_none()
        {
            return format!("seed {seed}: {violation}");
        }
    }
    format!("not caught by {} seeds", options.count())
}

/// Runs one seed again with its trace, shows the end of it and saves all of it.
fn replay(seed: u64, options: &Options) -> ExitCode {
    let swarm = options.swarm(seed, true);
    println!(
        "seed {seed}: {} nodes, faults {:?}",
        swarm.nodes, swarm.faults
    );
    println!("{:?}", swarm.world);
    let report = swarm.run();
    for line in report.trace.last(LINES_SHOWN) {
        println!("{line}");
    }
    println!("{}", report.coverage);
    let path = options.traces.join(format!("seed-{seed}.txt"));
    let saved = fs::create_dir_all(&options.traces)
        .and_then(|()| fs::write(&path, report.trace.to_string()));
    match saved {
        Ok(()) => println!("the whole trace is in {}", path.display()),
        Err(error) => println!("the trace cannot be saved in {}: {error}", path.display()),
    }
    match report.violation {
        None => {
            println!("seed {seed}: no promise is broken");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("seed {seed}: {violation}");
            let many = if options.many { " --many" } else { "" };
            println!("replay with: cargo xtask sim --replay {seed}{many}");
            ExitCode::FAILURE
        }
    }
}
