//! Rows as lines that a person reads: cells below each other, no more than fits on a screen.

use super::reasons::cut;

/// How many lines of a list fit on a screen.
pub(crate) const SCREEN: usize = 20;

/// How far the rest of a row is set in below its first cell.
const INSET: usize = 2;

/// The rows as lines of at most `columns` letters. Where they are wider, the first cell gets a line of its
/// own, once for the rows in turn that share it. The last cell is cut where nothing else helps.
pub(crate) fn lines<const WIDTH: usize>(rows: &[[String; WIDTH]], columns: usize) -> Vec<String> {
    let wide = below_each_other(rows.iter().map(|row| &row[..]));
    if wide.iter().all(|line| line.chars().count() <= columns) {
        return wide;
    }
    let mut lines = Vec::new();
    let mut last = None;
    for (row, rest) in rows.iter().zip(below_each_other(rows.iter().map(|row| &row[1..]))) {
        if last != Some(&row[0]) {
            lines.push(cut(&row[0], columns));
            last = Some(&row[0]);
        }
        lines.push(format!("{:INSET$}{}", "", cut(&rest, columns.saturating_sub(INSET))));
    }
    lines
}

/// The rows as a line each, cut to `columns` letters.
pub(crate) fn aligned<const WIDTH: usize>(rows: &[[String; WIDTH]], columns: usize) -> Vec<String> {
    let lines = below_each_other(rows.iter().map(|row| &row[..]));
    lines.iter().map(|line| cut(line, columns)).collect()
}

/// Each row as a line, its cells as wide as the widest in their place; the last as wide as it is.
fn below_each_other<'r>(rows: impl Iterator<Item = &'r [String]> + Clone) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows.clone() {
        widths.resize(row.len(), 0);
        let wider = widths.iter().zip(row).map(|(width, cell)| cell.chars().count().max(*width));
        widths = wider.collect();
    }
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.map(line).collect()
}

/// `lines`, each set in; with `all` every one, else as many as fit on a screen and how many more there are.
pub(crate) fn listed(lines: &[String], all: bool) -> String {
    let shown = if all || lines.len() <= SCREEN { lines.len() } else { SCREEN - 1 };
    let mut text: String = lines[..shown].iter().map(|line| format!("  {line}\n")).collect();
    if shown < lines.len() {
        text.push_str(&format!("  … and {} more lines (--all)\n", lines.len() - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: usize, expected: &[&str]) {
        let rows = [["//a", "file", "COPY x"], ["//a", "declaration", ""], ["//bcd", "file", "COPY y z"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(lines(&rows, columns), expected, "{columns}");
    }

    #[test]
    fn rows_are_broken_where_they_are_too_wide() {
        check(80, &["//a    file         COPY x", "//a    declaration", "//bcd  file         COPY y z"]);
        check(28, &["//a    file         COPY x", "//a    declaration", "//bcd  file         COPY y z"]);
        let broken = ["//a", "  file         COPY x", "  declaration", "//bcd", "  file         COPY y z"];
        check(27, &broken);
        check(20, &["//a", "  file         COPY…", "  declaration", "//bcd", "  file         COPY…"]);
    }

    #[test]
    fn a_list_is_no_longer_than_a_screen() {
        let lines: Vec<String> = (0..SCREEN + 2).map(|number| number.to_string()).collect();
        let text = listed(&lines, false);
        assert_eq!(text.lines().count(), SCREEN);
        assert!(text.ends_with("  18\n  … and 3 more lines (--all)\n"), "{text}");
        assert_eq!(listed(&lines, true).lines().count(), SCREEN + 2);
        assert_eq!(listed(&lines[..SCREEN], false).lines().count(), SCREEN);
    }
}
