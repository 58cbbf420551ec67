//! A conclusion laid out in columns of text.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::record::{Conclusion, Row};

/// The width of `verdict.txt`.
const FILE_COLUMNS: usize = 100;

/// Between two columns of a table.
const GAP: &str = "  ";

/// Over the columns of the table; the policy is the last one.
const HEAD: [&str; 6] = [
    "arm",
    "test ± 95 %",
    "difference, 95 %",
    "verdict",
    "time to target",
    "policy",
];

impl Conclusion {
    /// The headline, the table and the notes for a reader who sees so many columns.
    ///
    /// The policies are the last column if there is room for them, and else a list below the
    /// table. Labels that leave no room for the rest of their row stand on a line of their own.
    /// Only policies and labels may be longer than a line.
    pub fn text(&self, columns: usize) -> String {
        let headline = wrapped(&self.headline, "", columns);
        let notes = self.notes.iter().map(|note| {
            let note = format!("note: {note}");
            wrapped(&note, "      ", columns)
        });
        let notes: String = notes.collect();
        let gap = if notes.is_empty() { "" } else { "\n" };
        format!("{headline}\n{}{gap}{notes}", self.table(columns))
    }

    fn table(&self, columns: usize) -> String {
        let head = HEAD.map(String::from);
        let all: Vec<[String; 6]> = std::iter::once(head)
            .chain(self.table.iter().map(cells))
            .collect();
        let wide = [0, 1, 2, 3, 4, 5];
        if width(&all, &wide) <= columns {
            rows(&all, &wide, "")
        } else if width(&all, &wide[..5]) <= columns {
            let policies = rows(&all[1..], &[0, 5], "");
            format!("{}\n{policies}", rows(&all, &wide[..5], ""))
        } else {
            blocks(&all)
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let row = [
        &row.arm,
        &row.test,
        &row.difference,
        &row.verdict,
        &row.time_to_target,
        &row.policy,
    ];
    row.map(String::clone)
}

/// The columns of these numbers, one line a row.
fn rows(all: &[[String; 6]], shown: &[usize], indent: &str) -> String {
    let lines = all.iter().map(|row| {
        let cells = shown.iter().map(|&column| {
            let room = column_width(all, column) - row[column].width();
            format!("{}{}", row[column], " ".repeat(room))
        });
        let cells: Vec<String> = cells.collect();
        format!("{indent}{}", cells.join(GAP)).trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// An arm's label on one line, its figures on the next, and its policy on a third.
fn blocks(all: &[[String; 6]]) -> String {
    let figures = rows(all, &[1, 2, 3, 4], GAP);
    let mut figures = figures.lines();
    let head = figures.next().unwrap_or(HEAD[1]);
    let arms = all[1..].iter().zip(figures).map(|(row, figures)| {
        let (label, policy) = (&row[0], &row[5]);
        format!("{label}\n{figures}\n{GAP}{policy}\n")
    });
    format!("{head}\n{}", arms.collect::<String>())
}

/// What a row of these columns takes.
fn width(all: &[[String; 6]], shown: &[usize]) -> usize {
    let cells: usize = shown.iter().map(|&column| column_width(all, column)).sum();
    cells + GAP.len() * (shown.len() - 1)
}

fn column_width(all: &[[String; 6]], column: usize) -> usize {
    let widths = all.iter().map(|row| row[column].width());
    widths.max().unwrap_or(0)
}

/// A sentence in lines of at most so many columns, those after the first indented. A longer word
/// is not cut.
fn wrapped(sentence: &str, indent: &str, columns: usize) -> String {
    let mut text = String::new();
    let mut line = String::new();
    // `n = 5` stays on one line.
    let sentence = sentence.replace(" = ", "\u{a0}=\u{a0}");
    for word in sentence.split(' ') {
        if !line.trim().is_empty() && line.width() + 1 + word.width() > columns {
            text.push_str(&line);
            text.push('\n');
            line = format!("{indent}{word}");
        } else if line.is_empty() {
            line.push_str(word);
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    (text + &line + "\n").replace('\u{a0}', " ")
}

/// The text of `verdict.txt`.
impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(FILE_COLUMNS))
    }
}
