//! `cargo xtask sim --large`: clusters of up to five thousand nodes in simulated time, and what they
//! cost, as a table and as curves in `docs/large`. Drawing is left to `curves`.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::curves::{Chart, Curve};
use crate::cargo::CargoCall;
use crate::workspace::Workspace;

/// How many nodes there are.
const SIZES: [u32; 9] = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// Where the table and the curves go.
const FOLDER: &str = "docs/large";

/// What one phase of one size cost.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figure {
    phase: String,
    nodes: u32,
    versions: u32,
    millis: u32,
    /// For each node.
    messages: u32,
    /// For each node.
    dials: u32,
}

impl Figure {
    /// Reads `figure PHASE NODES VERSIONS MILLIS MESSAGES DIALS`.
    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("figure ")?.split(' ');
        let phase = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self {
            phase,
            nodes: number()?,
            versions: number()?,
            millis: number()?,
            messages: number()?,
            dials: number()?,
        })
    }
}

pub(super) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let nodes = SIZES.map(|nodes| format!("--nodes {nodes}")).join(" ");
    // Without the core's own checks, which cost more than the nodes.
    let call = CargoCall::new(&format!(
        "run --package discovery-tcp --profile measured --features sim --locked --example large \
         -- {nodes}"
    ));
    let mut figures = Vec::new();
    let status = call.stream(&workspace.root, |line| {
        figures.extend(Figure::of_line(line));
    })?;
    if !status.success() {
        bail!("'{call}': {status}");
    }
    let folder = workspace.root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {FOLDER}"))?;
    let mut files = vec![("README.md".to_owned(), page(&figures))];
    files.extend(charts(&figures).map(|chart| (format!("{}.svg", chart.name), chart.to_string())));
    for (name, text) in files {
        let path = folder.join(&name);
        fs::write(&path, text).with_context(|| format!("cannot write {FOLDER}/{name}"))?;
        println!("{FOLDER}/{name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The curve of one number of one phase.
fn curve(figures: &[Figure], phase: &str, label: &'static str, of: fn(&Figure) -> f64) -> Curve {
    let points = figures.iter().filter(|figure| figure.phase == phase);
    let points = points.map(|figure| (f64::from(figure.nodes), of(figure)));
    Curve {
        label,
        points: points.collect(),
    }
}

fn charts(figures: &[Figure]) -> impl Iterator<Item = Chart> {
    let versions = |figure: &Figure| f64::from(figure.versions);
    let millis = |figure: &Figure| f64::from(figure.millis);
    let messages = |figure: &Figure| f64::from(figure.messages);
    let a_second =
        |figure: &Figure| f64::from(figure.messages) * 1_000.0 / f64::from(figure.millis);
    let both = |of: fn(&Figure) -> f64| {
        vec![
            curve(figures, "start", "mass start", of),
            curve(figures, "kill", "a tenth killed at once", of),
        ]
    };
    [
        Chart::new("versions", "versions until all agree", both(versions)),
        Chart::new(
            "time",
            "simulated milliseconds until all agree",
            both(millis),
        ),
        Chart::new(
            "messages",
            "messages a node until all agree",
            both(messages),
        ),
        Chart::new(
            "steady",
            "messages a node and second while nothing happens",
            vec![curve(figures, "steady", "while nothing happens", a_second)],
        ),
    ]
    .into_iter()
}

fn page(figures: &[Figure]) -> String {
    let mut text = String::from(
        "# Large clusters, in simulated time\n\n\
         Written by `cargo xtask sim --large`. All nodes start at once, stand for a minute (a\n\
         thousand of them for an hour), and a tenth of them is killed at once; the network takes\n\
         0.1 to 0.4 ms, the API server 1 to 2 ms, and nobody's processor takes any time. Messages\n\
         and dials are those of one node, on average. More than 1,024 members need settings\n\
         (`members_max`, `links_max`, `frame_bytes_max`, `history_bytes_max`).\n\n\
         ![versions](versions.svg)\n![time](time.svg)\n![messages](messages.svg)\n\
         ![steady](steady.svg)\n\n\
         | phase | nodes | versions | ms | messages | dials |\n|---|---|---|---|---|---|\n",
    );
    for figure in figures {
        let Figure {
            phase,
            nodes,
            versions,
            millis,
            messages,
            dials,
        } = figure;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {phase} | {nodes} | {versions} | {millis} | {messages} | {dials} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_figures_is_read_and_anything_else_is_not() {
        let figure = Figure::of_line("figure start 100 9 61 73 12").unwrap();
        assert_eq!((figure.nodes, figure.versions, figure.dials), (100, 9, 12));
        assert_eq!(Figure::of_line("figure start 100 9"), None);
        assert_eq!(Figure::of_line("   Compiling figure"), None);
    }

    #[test]
    fn each_figure_has_a_row_and_each_chart_its_curves() {
        let figures: Vec<Figure> = ["start 10 5 60 48 6", "steady 10 0 60000 1200 0"]
            .iter()
            .filter_map(|line| Figure::of_line(&format!("figure {line}")))
            .collect();
        assert!(page(&figures).ends_with("| steady | 10 | 0 | 60000 | 1200 | 0 |\n"));
        let steady = charts(&figures).last().unwrap();
        assert_eq!(steady.curves[0].points, [(10.0, 20.0)]);
    }
}
