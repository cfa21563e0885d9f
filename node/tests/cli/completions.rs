//! `completions`: a script for each shell, with every command in it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::program::run;

/// The commands that help lists.
async fn commands() -> Vec<String> {
    let help = run(&["--help"]).await.out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    // What goes on below is indented further.
    let first = listed.filter(|line| !line.starts_with("   "));
    let name = |line: &str| line.split_whitespace().next().map(ToOwned::to_owned);
    first.filter_map(name).collect()
}

/// Whether the shell can read the script; none where there is no such shell.
fn is_read_by(shell: &str, script: &str) -> Option<bool> {
    let mut child = Command::new(shell)
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    stdin.write_all(script.as_bytes()).ok()?;
    drop(stdin);
    Some(child.wait().ok()?.success())
}

#[tokio::test]
async fn every_shell_is_told_every_command() {
    let commands = commands().await;
    assert!(commands.len() > 14, "{commands:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).await;
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        for command in &commands {
            assert!(script.out.contains(command.as_str()), "{shell}: {command}");
        }
        if matches!(shell, "bash" | "fish" | "zsh") {
            assert_ne!(is_read_by(shell, &script.out), Some(false), "{shell}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).await.code, 64);
}
