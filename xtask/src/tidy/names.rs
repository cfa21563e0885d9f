//! Names of files, modules and types that say nothing.

use super::remark::Remark;
use super::tree::SourceFile;

/// Empty wherever they stand in a name.
const EMPTY_PARTS: [&str; 10] = [
    "common", "helper", "helpers", "manager", "misc", "stuff", "util", "utility", "utils",
    "various",
];

/// Empty when they are the whole name.
const EMPTY_WHOLES: [&str; 3] = ["data", "handler", "info"];

/// What stands before a name in a declaration.
const DECLARES: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "mod "];

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let rust = files.iter().filter(|file| file.extension() == "rs");
    rust.flat_map(|file| of_path(file).into_iter().chain(of_declarations(file)))
        .collect()
}

fn of_path(file: &SourceFile) -> Option<Remark> {
    let stem = file.path.trim_end_matches(".rs");
    let empty = stem.split('/').find(|part| says_nothing(part))?;
    let what = format!("'{empty}' says nothing; name it for its duty");
    Some(Remark::fault(&file.path, what))
}

fn of_declarations(file: &SourceFile) -> impl Iterator<Item = Remark> {
    file.lines().filter_map(|(number, line)| {
        let name = declared(line).filter(|name| says_nothing(name))?;
        let what = format!("'{name}' says nothing; name it for its duty");
        Some(Remark::fault(format!("{}:{number}", file.path), what))
    })
}

/// The name that a line declares, if it declares a type or a module.
fn declared(line: &str) -> Option<&str> {
    let code = line.trim_start();
    // An indented `type` is an associated one: its name is the trait's choice.
    if code.len() < line.len() && code.starts_with("type ") {
        return None;
    }
    let code = match code.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => code,
    };
    let rest = DECLARES.iter().find_map(|word| code.strip_prefix(word))?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn says_nothing(name: &str) -> bool {
    let parts = parts(name);
    let is_whole = matches!(parts.as_slice(), [whole] if EMPTY_WHOLES.contains(&whole.as_str()));
    is_whole
        || parts
            .iter()
            .any(|part| EMPTY_PARTS.contains(&part.as_str()))
}

/// `SeedManager` and `seed_manager` are both `seed` and `manager`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| c != '_' && c != '-') {
            part.extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        check(&[SourceFile::of(path, text)]).len()
    }

    #[test]
    fn a_file_or_folder_that_says_nothing_is_a_fault() {
        assert_eq!(faults("a/src/util.rs", ""), 1);
        assert_eq!(faults("a/src/common/dns.rs", ""), 1);
        assert_eq!(faults("a/src/seed_helpers.rs", ""), 1);
        assert_eq!(faults("a/src/info.rs", ""), 1);
    }

    #[test]
    fn a_type_that_says_nothing_is_a_fault() {
        assert_eq!(faults("a.rs", "pub(crate) struct SeedManager<'a> {\n"), 1);
        assert_eq!(faults("a.rs", "    mod helper;\n"), 1);
        assert_eq!(faults("a.rs", "pub enum Handler {}\n"), 1);
    }

    #[test]
    fn a_name_that_says_something_is_fine() {
        assert_eq!(faults("a/src/seeds.rs", "pub struct NodeInfo {\n"), 0);
        assert_eq!(
            faults("a.rs", "//! mod helper is spoken of\nlet util = 1;\n"),
            0
        );
    }
}
