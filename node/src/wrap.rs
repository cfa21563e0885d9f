//! Breaks prose into lines and lays rows out in columns. Pure; how wide the terminal is is
//! `terminal.rs`'s.

/// The words of a text in lines of at most this many letters; a longer word has its own line.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + length > width {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// A text with a title in front: the first line beside it, the others below the first.
///
/// Where a text has several lines only the first is prose; the others are to be copied as they are,
/// so they keep their breaks.
pub(crate) fn titled(title: &str, text: &str, indent: usize, width: usize) -> String {
    let (prose, copied) = text.split_once('\n').unwrap_or((text, ""));
    let start = indent + title.chars().count() + 2;
    let lines = wrapped(prose, width.saturating_sub(start).max(WIDTH_MIN));
    let margin = " ".repeat(start);
    let mut out = format!("{}{title}  ", " ".repeat(indent));
    for (number, line) in lines
        .iter()
        .map(String::as_str)
        .chain(copied.lines())
        .enumerate()
    {
        if number > 0 {
            out.push_str(&margin);
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Narrowest column of prose.
const WIDTH_MIN: usize = 30;

/// Rows with aligned columns, indented, two spaces between columns and none at the end.
pub(crate) fn columns(rows: &[Vec<String>], indent: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(&" ".repeat(indent));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_long_words_are_kept() {
        assert_eq!(
            wrapped("a bb ccc dddddddd e", 6),
            ["a bb", "ccc", "dddddddd", "e"]
        );
    }

    #[test]
    fn lines_to_be_copied_keep_their_breaks() {
        let text = "grant it:\nrules:\n- {verbs: [\"list\"], and: \"more than fits a line\"}";
        let expected = "  remedy  grant it:\n          rules:\n          \
                        - {verbs: [\"list\"], and: \"more than fits a line\"}\n";
        assert_eq!(titled("remedy", text, 2, 40), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["A".to_owned(), "B".to_owned()],
            vec!["long".to_owned(), "x".to_owned()],
        ];
        assert_eq!(columns(&rows, 1), " A     B\n long  x\n");
    }
}
