//! The flags of every command that makes a finder, built from the table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{ConfigFaults, FinderPlan, Form, SETTINGS, Setting, Surroundings, finder_plan};

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
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .env("DISCOVERY_CONFIG")
            .value_name("FILE")
            .value_parser(ValueParser::path_buf())
            .help_heading(FINDER)
            .help("Settings from this TOML file; environment and flags beat it");
        command.arg(config).args(SETTINGS.iter().map(flag))
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
        self.config = matches.get_one::<PathBuf>(CONFIG).cloned();
        for setting in SETTINGS {
            if let Some(values) = matches.get_many::<String>(setting.flag) {
                self.given.insert(setting.key, values.cloned().collect());
            }
        }
        Ok(())
    }
}

const CONFIG: &str = "config";
const FINDER: &str = "Finder";

fn flag(setting: &'static Setting) -> Arg {
    let heading = match setting.table() {
        "finder.kubernetes" => "Finder 'kubernetes'",
        "finder.dns" => "Finder 'dns'",
        "finder.static" => "Finder 'static'",
        "finder.file" => "Finder 'file'",
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
