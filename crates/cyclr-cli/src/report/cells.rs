//! Tables and numbers as HTML.

use std::fmt::Write as _;

use cyclr_train::compare::record::Record;

use super::figures::colour;
use crate::chart::COLOURS;

/// Sentences, one below the other.
pub(super) fn list(sentences: &[String]) -> String {
    let mut html = String::from("<ul>\n");
    for sentence in sentences {
        let _ = writeln!(html, "<li>{}</li>", escaped(sentence));
    }
    html.push_str("</ul>\n");
    html
}

/// A cell of a table: its content as HTML, and what it is.
pub(super) struct Cell {
    html: String,
    class: &'static str,
}

impl Cell {
    pub(super) fn text(html: String) -> Self {
        Self {
            html,
            class: "text",
        }
    }

    /// Text that stays on one line.
    pub(super) fn name(html: String) -> Self {
        Self {
            html,
            class: "name",
        }
    }

    pub(super) fn number(html: String) -> Self {
        Self {
            html,
            class: "number",
        }
    }
}

/// A head cell over text.
pub(super) fn text(label: &str) -> Cell {
    Cell::text(escaped(label))
}

/// A head cell over numbers.
pub(super) fn number(label: &str) -> Cell {
    Cell::number(escaped(label))
}

pub(super) fn table(head: &[Cell], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let row = |cells: &[Cell], tag: &str| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag} class=\"{}\">{}</{tag}>", cell.class, cell.html));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = rows.map(|cells| row(&cells, "td")).collect();
    format!(
        "<div class=\"table\"><table>\n<thead>{}</thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        row(head, "th")
    )
}

/// An arm's name with the colour that it has in the charts.
pub(super) fn arm_name(record: &Record, arm: usize) -> String {
    let place = colour(record, arm);
    let (r, g, b) = COLOURS[place % COLOURS.len()];
    format!(
        "<span class=\"swatch\" data-colour=\"{place}\" style=\"border-color:rgb({r},{g},{b})\"></span>{}",
        escaped(record.label(arm))
    )
}

pub(super) fn dash() -> String {
    String::from("&ndash;")
}

/// A measured value: two decimals, three below a tenth, or three digits where it is smaller still.
pub(super) fn decimals(x: f64) -> String {
    match x.abs() {
        0.0 => String::from("0"),
        0.1.. => format!("{x:.2}"),
        0.001.. => format!("{x:.3}"),
        _ => figure(x),
    }
}

pub(super) fn signed(x: f64) -> String {
    let sign = match x {
        0.0 => "",
        _ if x < 0.0 => "&minus;",
        _ => "+",
    };
    format!("{sign}{}", decimals(x.abs()))
}

/// A number in three digits, or four below a hundred thousand.
pub(super) fn figure(x: f64) -> String {
    if x == 0.0 {
        return String::from("0");
    }
    let digits = cyclr::rounded(x, 3);
    if x.abs() >= 1000.0 && x.abs() < 1e15 {
        thousands(x.abs().round() as u64)
    } else if (1e-4..1000.0).contains(&x.abs()) {
        format!("{digits}")
    } else {
        format!("{digits:e}")
    }
}

/// A count with its thousands apart.
pub(super) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let parts: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|part| std::str::from_utf8(part).ok())
        .collect();
    parts.join(",")
}

/// Text as HTML shows it.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}
