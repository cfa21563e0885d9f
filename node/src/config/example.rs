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
