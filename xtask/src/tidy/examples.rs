//! Whether the Rust examples of READMEs are compiled: each block of the root's stands in a crate's
//! documentation too, and a crate's own README is part of its documentation tests.

use super::remark::Remark;
use super::tree::SourceFile;

const README: &str = "README.md";

/// What a crate says so that its README is compiled with its documentation.
const INCLUDED: &str = "#[doc = include_str!(\"../README.md\")]";

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let compiled: Vec<String> = files.iter().filter_map(documentation).collect();
    let readme = files.iter().filter(|file| file.path == README);
    readme
        .flat_map(rust_blocks)
        .filter(|(_, block)| !compiled.iter().any(|text| text.contains(block)))
        .map(|(number, _)| {
            let what = "is an example that no lib.rs holds, so nobody compiles it";
            Remark::fault(format!("{README}:{number}"), what)
        })
        .chain(of_crates(files))
        .collect()
}

fn of_crates(files: &[SourceFile]) -> impl Iterator<Item = Remark> {
    let is_included = |folder: &str| {
        let lib = format!("{folder}/src/lib.rs");
        let mut libs = files.iter().filter(|file| file.path == lib);
        libs.any(|file| file.text.contains(INCLUDED))
    };
    files.iter().filter_map(move |file| {
        let (folder, README) = file.path.rsplit_once('/')? else {
            return None;
        };
        let (number, _) = rust_blocks(file).into_iter().next()?;
        (!is_included(folder)).then(|| {
            let what = format!("is an example that nobody compiles; its lib.rs needs {INCLUDED}");
            Remark::fault(format!("{}:{number}", file.path), what)
        })
    })
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

    const TEXT: &str = "text\n```rust\nlet a = 1;\n\nlet b = 2;\n```\n";

    fn faults(lib: &str) -> usize {
        let files = [
            SourceFile::of("README.md", TEXT),
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
        let remarks = check(&[SourceFile::of("README.md", TEXT)]);
        assert_eq!(remarks[0].place, "README.md:2");
    }

    #[test]
    fn an_example_of_a_crates_own_page_is_compiled_by_the_crate() {
        let faults = |lib: &str| {
            let files = [
                SourceFile::of("a/README.md", TEXT),
                SourceFile::of("a/src/lib.rs", lib),
            ];
            check(&files).len()
        };
        assert_eq!(faults("//! Crate.\n"), 1);
        assert_eq!(faults(&format!("{INCLUDED}\nmod readme {{}}\n")), 0);
        let page = SourceFile::of("docs/large/README.md", "no example\n");
        assert!(check(&[page]).is_empty());
    }
}
