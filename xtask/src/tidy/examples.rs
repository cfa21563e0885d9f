//! Whether the README's Rust examples are compiled: each stands in a crate's documentation too.

use super::remark::Remark;
use super::tree::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let compiled: Vec<String> = files.iter().filter_map(documentation).collect();
    let readme = files.iter().filter(|file| file.path == "README.md");
    readme
        .flat_map(rust_blocks)
        .filter(|(_, block)| !compiled.iter().any(|text| text.contains(block)))
        .map(|(number, _)| {
            let what = "is an example that no lib.rs holds, so nobody compiles it";
            Remark::fault(format!("README.md:{number}"), what)
        })
        .collect()
}

/// The text of a crate's front page, if the file is one.
fn documentation(file: &SourceFile) -> Option<String> {
    let lines = file.text.lines();
    let front = lines
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    (file.name() == "lib.rs").then(|| front.collect::<Vec<_>>().join("\n") + "\n")
}

/// Each Rust block of a page with the number of the line it begins at.
fn rust_blocks(page: &SourceFile) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines() {
        match &mut open {
            Some(_) if line.starts_with("```") => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line.starts_with("```rust") => open = Some((number, String::new())),
            None => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "text\n```rust\nlet a = 1;\n\nlet b = 2;\n```\n";

    fn faults(lib: &str) -> usize {
        let files = [
            SourceFile::of("README.md", README),
            SourceFile::of("a/src/lib.rs", lib),
        ];
        check(&files).len()
    }

    #[test]
    fn an_example_that_stands_in_a_crate_is_fine() {
        let lib = "//! Crate.\n//!\n//! ```no_run\n//! let a = 1;\n//!\n//! let b = 2;\n//! ```\n";
        assert_eq!(faults(lib), 0);
    }

    #[test]
    fn an_example_that_has_drifted_is_a_fault() {
        let lib = "//! ```\n//! let a = 1;\n//! let b = 2;\n//! ```\n";
        assert_eq!(faults(lib), 1);
        assert_eq!(faults("//! let a = 1;\nlet b = 2;\n"), 1);
    }

    #[test]
    fn the_place_of_a_fault_is_where_the_example_begins() {
        let remarks = check(&[SourceFile::of("README.md", README)]);
        assert_eq!(remarks[0].place, "README.md:2");
    }
}
