//! Tables and numbers as HTML.

use std::fmt::Write as _;

use cyclr::readable;
use cyclr::trainer::Unit;
use cyclr_train::compare::record::Record;

use super::differences::colour;
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
    table_of("table", &row(head, "th"), &rows)
}

/// A table whose cells know their heads, so that a narrow screen can show each row as a list.
pub(super) fn list_table(head: &[Cell], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let row = |cells: Vec<Cell>| {
        let cells = cells.iter().zip(head).map(|(cell, head)| {
            let (class, html, head) = (cell.class, &cell.html, &head.html);
            format!("<td class=\"{class}\" data-head=\"{head}\"><div>{html}</div></td>")
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = rows.map(row).collect();
    let heads = head
        .iter()
        .map(|cell| format!("<th class=\"{}\">{}</th>", cell.class, cell.html));
    let head = format!("<tr>{}</tr>\n", heads.collect::<String>());
    table_of("table summary", &head, &rows)
}

fn table_of(class: &str, head: &str, rows: &str) -> String {
    format!(
        "<div class=\"{class}\"><table>\n<thead>{head}</thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// An arm's name with the colour that it has in the charts.
pub(super) fn arm_name(record: &Record, arm: usize) -> String {
    named(record.label(arm), colour(record.plan.reference, arm))
}

/// A label after a stroke in its colour.
pub(super) fn named(label: &str, colour: usize) -> String {
    format!("{}{}", swatch(colour), escaped(label))
}

/// A stroke in a colour of the palette.
pub(super) fn swatch(colour: usize) -> String {
    let colour = colour % COLOURS.len();
    format!("<span class=\"swatch\" style=\"border-color:var(--c{colour})\"></span>")
}

pub(super) fn dash() -> String {
    String::from("&ndash;")
}

/// A measured value: two decimals of a point, four digits of anything else.
pub(super) fn value(unit: Unit, x: f64) -> String {
    let digits = match unit {
        Unit::Points => format!("{:.2}", x.abs()),
        Unit::Own => readable(x.abs(), 4),
    };
    if x < 0.0 && digits != "0.00" {
        format!("&minus;{digits}")
    } else {
        digits
    }
}

pub(super) fn signed(unit: Unit, x: f64) -> String {
    let sign = if x > 0.0 { "+" } else { "" };
    format!("{sign}{}", value(unit, x))
}

/// A number in three digits, or with all of them from a thousand to ten million.
pub(super) fn figure(x: f64) -> String {
    if (1e3..1e7).contains(&x) {
        thousands(x.round() as u64)
    } else {
        readable(x, 3)
    }
}

/// `1 epoch`, `16 epochs`
pub(super) fn counted(count: &str, noun: &str) -> String {
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A count with its thousands apart.
pub(super) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
            // A record may be of another hand.
            _ if c.is_control() && c != '\n' && c != '\t' => html.extend(c.escape_default()),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(count), text);
        }
    }
}
