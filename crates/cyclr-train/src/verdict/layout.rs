//! A conclusion laid out in columns of text.

use unicode_width::UnicodeWidthStr;

use super::{Conclusion, Row};

/// The width of `verdict.txt`.
pub(crate) const FILE_COLUMNS: usize = 100;

/// More notes than this are not read in a terminal.
const NOTES: usize = 3;

/// Between two columns of a table.
const GAP: &str = "  ";

impl Conclusion {
    /// The headline, the table and the notes, in lines of at most `columns` columns.
    ///
    /// The policies are the last column if there is room for them, and else a list below the
    /// table. Labels that leave no room for the rest of their row stand on a line of their own.
    /// Only policies and labels may be longer than a line.
    pub fn text(&self, columns: usize) -> String {
        self.with_notes(&self.notes, columns)
    }

    /// The same with the three most important notes, and how many more `result.json` has.
    pub fn brief(&self, columns: usize) -> String {
        let Some((first, rest)) = self.notes.split_at_checked(NOTES) else {
            return self.text(columns);
        };
        let more = match rest.len() {
            0 => None,
            1 => Some(String::from("1 more is in result.json and in the report.")),
            more => Some(format!("{more} more are in result.json and in the report.")),
        };
        let notes: Vec<String> = first.iter().cloned().chain(more).collect();
        self.with_notes(&notes, columns)
    }

    fn with_notes(&self, notes: &[String], columns: usize) -> String {
        let headline = wrapped(&self.headline, "", columns);
        let notes = notes.iter().map(|note| ("note", note));
        let spread = self.spread.iter().map(|line| ("spread", line));
        let below = notes.chain(spread).map(|(what, said)| {
            let indent = " ".repeat(what.len() + 2);
            wrapped(&format!("{what}: {said}"), &indent, columns)
        });
        let below: String = below.collect();
        let gap = if below.is_empty() { "" } else { "\n" };
        format!("{headline}\n{}{gap}{below}", self.table(columns))
    }

    fn table(&self, columns: usize) -> String {
        let all: Vec<Vec<String>> = std::iter::once(self.head())
            .chain(self.table.iter().map(cells))
            .collect();
        let wide: Vec<usize> = (0..all[0].len()).collect();
        let policy = self.has_policy().then(|| wide.len() - 1);
        let figures = &wide[..policy.unwrap_or(wide.len())];
        if width(&all, &wide) <= columns {
            rows(&all, &wide, "")
        } else if width(&all, figures) <= columns {
            let policies = policy.map_or_else(String::new, |policy| {
                format!("\n{}", rows(&all[1..], &[0, policy], ""))
            });
            format!("{}{policies}", rows(&all, figures, ""))
        } else {
            blocks(&all, &figures[1..], policy)
        }
    }

    /// Over the columns of the table; the policy, if there is one, is the last.
    fn head(&self) -> Vec<String> {
        let of = format!("{} ± 95 %", self.measured);
        let mut head = vec![
            "arm".into(),
            of,
            "difference, 95 %".into(),
            "verdict".into(),
        ];
        let first = self.table.first();
        let timed = first.is_some_and(|row| row.time_to_target.is_some());
        head.extend(timed.then(|| "time to target".into()));
        head.extend(self.has_policy().then(|| "policy".into()));
        head
    }

    fn has_policy(&self) -> bool {
        self.table.first().is_some_and(|row| row.policy.is_some())
    }
}

fn cells(row: &Row) -> Vec<String> {
    let given = [&row.arm, &row.test, &row.difference, &row.verdict].map(String::clone);
    let others = [&row.time_to_target, &row.policy].into_iter().flatten();
    given.into_iter().chain(others.cloned()).collect()
}

/// The columns of these numbers, one line a row.
fn rows(all: &[Vec<String>], shown: &[usize], indent: &str) -> String {
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

/// An arm's label on one line, its figures on the next, and its policy, if there is one, on a third.
fn blocks(all: &[Vec<String>], figures: &[usize], policy: Option<usize>) -> String {
    let figures = rows(all, figures, GAP);
    let (head, figures) = figures.split_once('\n').unwrap_or((&figures, ""));
    let arms = all[1..].iter().zip(figures.lines()).map(|(row, figures)| {
        let policy = policy.map_or_else(String::new, |policy| format!("{GAP}{}\n", row[policy]));
        format!("{}\n{figures}\n{policy}", row[0])
    });
    format!("{head}\n{}", arms.collect::<String>())
}

/// What a row of these columns takes.
fn width(all: &[Vec<String>], shown: &[usize]) -> usize {
    let cells: usize = shown.iter().map(|&column| column_width(all, column)).sum();
    cells + GAP.len() * (shown.len() - 1)
}

fn column_width(all: &[Vec<String>], column: usize) -> usize {
    let widths = all.iter().map(|row| row[column].width());
    widths.max().unwrap_or(0)
}

/// A sentence in lines of at most `columns` columns, those after the first indented. A longer word
/// is not cut.
pub(crate) fn wrapped(sentence: &str, indent: &str, columns: usize) -> String {
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
