//! Words and paths that do not belong in the repository, each with what to write instead.

use super::remark::Remark;
use super::tree::SourceFile;

/// This file must name the words in order to look for them.
const SPEAKS_OF_WORDS: &str = "xtask/src/tidy/words.rs";

/// Where a path of somebody's own machine begins.
const MACHINE_PATHS: [&str; 5] = [
    "/home/",
    "/root/",
    "/Users/",
    concat!("/wo", "rk/"),
    concat!("/tmp/", "brief"),
];

/// Words that say how a text was made, in lower case; what it says is all a reader needs.
const MAKINGS: [&str; 6] = [
    "ai assistant",
    "ai-generated",
    "chatbot",
    "copilot",
    "generated with ai",
    "language model",
];

/// Words with a better one, in lower case: (word, what to write).
const SUBSTITUTES: [(&str, &str); 6] = [
    ("blacklist", "name the list for what it refuses"),
    ("whitelist", "name the list for what it allows"),
    ("blazing", "give the figure"),
    ("seamless", "say what happens at the seam"),
    ("world-class", "give the figure"),
    ("cutting-edge", "say what is new"),
];

/// Parts of a host's name that make it one machine's way to a registry.
const MIRRORS: [&str; 4] = ["proxy", "registry", "mirror", "index"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    files
        .iter()
        .filter(|file| file.path != SPEAKS_OF_WORDS && !is_lock(file))
        .flat_map(|file| {
            file.lines().filter_map(|(number, line)| {
                let what = of_line(line)?;
                Some(Remark::fault(format!("{}:{number}", file.path), what))
            })
        })
        .collect()
}

/// Files that a tool writes and that name where each package comes from.
fn is_lock(file: &SourceFile) -> bool {
    ["lock", "sum"].contains(&file.extension())
}

fn of_line(line: &str) -> Option<String> {
    if let Some(path) = MACHINE_PATHS.iter().find(|path| stands_alone(line, path)) {
        return Some(format!(
            "holds '{path}', a path of one machine; make it relative"
        ));
    }
    if names_a_mirror(line) {
        return Some("names a package mirror; which one is used is the machine's business".into());
    }
    let lower = line.to_lowercase();
    if let Some(word) = MAKINGS.iter().find(|word| stands_alone(&lower, word)) {
        return Some(format!(
            "says '{word}'; write of the project, not of how a text was made"
        ));
    }
    let (word, instead) = SUBSTITUTES.iter().find(|(word, _)| lower.contains(word))?;
    Some(format!("says '{word}': {instead}"))
}

/// Whether the text holds the word with nothing of a longer word or path before it.
fn stands_alone(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "-_.}~*".contains(c))
    })
}

fn names_a_mirror(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'));
        let (host, path) = rest.split_at(end.unwrap_or(rest.len()));
        path.starts_with('/') && MIRRORS.iter().any(|mirror| host.contains(mirror))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> usize {
        check(&[SourceFile::of("README.md", text)]).len()
    }

    #[test]
    fn a_path_of_one_machine_is_a_fault() {
        assert_eq!(faults("cd /home/ada/discovery\nls \"/Users/ada\"\n"), 2);
        assert_eq!(faults(concat!("see /wo", "rk/notes\n")), 1);
    }

    #[test]
    fn a_path_below_something_else_is_fine() {
        assert_eq!(
            faults("$HOME/home/x https://example.org/home/ framework/y\n"),
            0
        );
        assert_eq!(faults("${ROOT}/root/ and net/work/\n"), 0);
    }

    #[test]
    fn a_package_mirror_is_a_fault_whatever_the_scheme() {
        assert_eq!(faults("https://mirror.example.org/crates\n"), 1);
        assert_eq!(faults("sparse+http://my-registry.example.org/\n"), 1);
        assert_eq!(faults("https://example.org/registry/\n"), 0);
        assert_eq!(faults("registry.k8s.io/pause:3.10.1\n"), 0);
    }

    #[test]
    fn a_word_on_how_a_text_was_made_is_a_fault() {
        assert_eq!(faults("An AI assistant wrote this.\n"), 1);
        assert_eq!(faults("wai assistants\n"), 0);
    }

    #[test]
    fn a_word_with_a_better_one_says_which() {
        let remarks = check(&[SourceFile::of("a.rs", "//! Blazing.\n")]);
        assert!(remarks[0].what.contains("give the figure"));
    }

    #[test]
    fn lock_files_may_name_their_sources() {
        let lock = SourceFile::of("Cargo.lock", "https://index.example.org/\n");
        assert_eq!(check(&[lock]), []);
    }
}
