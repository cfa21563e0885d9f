//! The flags of every command that makes a finder, and those of running a node, built from the
//! table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{
    ConfigFaults, FinderPlan, Form, NodePlan, SETTINGS, Setting, Surroundings, finder_plan,
    node_plan,
};

/// What the command line says about the finder.
#[derive(Clone, Debug, Default)]
pub struct FinderFlags {
    config: Option<PathBuf>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl FinderFlags {
    /// The plan that file, environment and these flags make.
    ///
    /// # Errors
    ///
    /// Every fault of all three at once.
    pub fn plan(&self, surroundings: &Surroundings) -> Result<FinderPlan, ConfigFaults> {
        finder_plan(self.config.as_deref(), surroundings, &self.given)
    }
}

impl Args for FinderFlags {
    fn augment_args(command: Command) -> Command {
        let settings = SETTINGS.iter().filter(|setting| setting.is_of_a_finder());
        command.arg(config_file()).args(settings.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FinderFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        (self.config, self.given) = given(matches, Setting::is_of_a_finder);
        Ok(())
    }
}

/// What the command line says about a node.
#[derive(Clone, Debug, Default)]
pub struct NodeFlags {
    config: Option<PathBuf>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl NodeFlags {
    /// The plan that file, environment and these flags make.
    ///
    /// # Errors
    ///
    /// Every fault of all three at once.
    pub fn plan(&self, surroundings: &Surroundings) -> Result<NodePlan, ConfigFaults> {
        node_plan(self.config.as_deref(), surroundings, &self.given)
    }
}

impl Args for NodeFlags {
    fn augment_args(command: Command) -> Command {
        command.arg(config_file()).args(SETTINGS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NodeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        (self.config, self.given) = given(matches, |_| true);
        Ok(())
    }
}

/// The file and the settings that the command line gives, of those that it may.
fn given(
    matches: &ArgMatches,
    may: impl Fn(&Setting) -> bool,
) -> (Option<PathBuf>, BTreeMap<&'static str, Vec<String>>) {
    let config = matches.get_one::<PathBuf>(CONFIG).cloned();
    let mut settings = BTreeMap::new();
    for setting in SETTINGS.iter().filter(|setting| may(setting)) {
        if let Some(values) = matches.get_many::<String>(setting.flag) {
            settings.insert(setting.key, values.cloned().collect());
        }
    }
    (config, settings)
}

fn config_file() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .env("DISCOVERY_CONFIG")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .help_heading(FINDER)
        .help("Settings from this TOML file; environment and flags beat it")
}

const CONFIG: &str = "config";
const FINDER: &str = "Finder";

fn flag(setting: &'static Setting) -> Arg {
    let heading = match setting.table() {
        "finder.kubernetes" => "Finder 'kubernetes'",
        "finder.dns" => "Finder 'dns'",
        "finder.static" => "Finder 'static'",
        "finder.file" => "Finder 'file'",
        "node" => "Node",
        "ring" => "Ring",
        "grpc" | "http" | "admin" | "run" => "Services and process",
        _ => FINDER,
    };
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let help = format!("{}{default} [env: {}]", setting.about, setting.env());
    let arg = Arg::new(setting.flag)
        .long(setting.flag)
        .value_name(setting.value_name)
        .help_heading(heading)
        .help(help);
    match setting.form {
        Form::Text => arg.action(ArgAction::Set),
        Form::List => arg.action(ArgAction::Append).value_delimiter(','),
        Form::Switch => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}
