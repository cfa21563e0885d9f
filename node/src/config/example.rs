//! The example file, written from the table of settings, so that it cannot fall behind the code.

use std::fmt::Write as _;

use super::settings::SETTINGS;
use crate::wrap::wrapped;

/// Longest line of the example.
const WIDTH: usize = 100;

/// The annotated configuration file with every setting, each commented out.
pub fn example_file() -> String {
    let mut text = "# Every setting of discovery-node. Each stands here commented out, with its \
                    default where it has one.\n\
                    # Environment variables beat this file, and flags beat both; an unknown key is \
                    a fault.\n"
        .to_owned();
    let mut table = "";
    for setting in SETTINGS {
        if setting.table() != table {
            table = setting.table();
            let _ = writeln!(text, "\n[{table}]");
        }
        let _ = writeln!(text);
        let env = setting.env();
        let flag = setting.flag;
        let about = format!("{}.", setting.about);
        for line in wrapped(&about, WIDTH - 2) {
            let _ = writeln!(text, "# {line}");
        }
        if !setting.default.is_empty() {
            let _ = writeln!(text, "# Default: {}.", setting.default);
        }
        let _ = writeln!(text, "# Flag: --{flag}; environment: {env}.");
        let _ = writeln!(text, "#{} = {}", setting.field(), setting.example);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::Layers;

    #[test]
    fn the_example_in_the_repository_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/discovery.example.toml");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        let expected = example_file();
        assert!(
            found == expected,
            "write this to discovery.example.toml:\n{expected}"
        );
    }

    #[test]
    fn every_line_of_the_example_is_a_setting_once_it_is_no_comment() {
        let is_setting = |line: &&str| !line.starts_with("# ");
        let text = example_file();
        let lines = text
            .lines()
            .filter(is_setting)
            .map(|line| line.trim_start_matches('#'));
        let text = lines.collect::<Vec<_>>().join("\n");
        let (mut layers, mut faults) = (Layers::default(), Vec::new());
        layers.add_file("example", &text, &mut faults);
        assert_eq!(faults, []);
        assert_eq!(layers.iter().count(), SETTINGS.len());
    }
}
