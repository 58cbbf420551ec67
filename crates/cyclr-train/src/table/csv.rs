//! CSV in its dialects.

use super::parse::{Comma, Row, Table};

/// # Errors
/// What is wrong and what to do, in words.
pub(super) fn from_csv(text: &str) -> Result<Table, String> {
    let start = header_start(text);
    let text_from_header = &text[start..];
    let (header, _) = text_from_header
        .split_once('\n')
        .unwrap_or((text_from_header, ""));
    let delimiter = delimiter(header);
    let table = text_from_header.trim_start_matches(['#', ' ']);
    let lines_before = text[..start].matches('\n').count() as u64;
    if let Some(line) = open_quote(table, char::from(delimiter)) {
        return Err(format!(
            "the cell in quotes that begins in line {} has no end: the file was cut short, or a quote is missing",
            lines_before + line
        ));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(table.as_bytes());
    let mut names: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = lines_before + record.position().map_or(0, csv::Position::line);
        // Columns that stand below each other have several spaces between them.
        let is_cell = |cell: &&str| delimiter != b' ' || !cell.is_empty();
        let cells: Vec<String> = record.iter().filter(is_cell).map(str::to_owned).collect();
        match &names {
            None => names = Some(cells),
            Some(names) => rows.extend(row(cells, names, line)?),
        }
    }
    let names = names.ok_or("it is empty: give a table with columns and rows")?;
    check_names(&names, header)?;
    let comma = if delimiter == b',' {
        Comma::None
    } else {
        comma(&rows)
    };
    Ok(Table { names, rows, comma })
}

/// A line below the header; `None` of a comment.
fn row(cells: Vec<String>, names: &[String], line: u64) -> Result<Option<Row>, String> {
    let hash = cells.first().and_then(|first| first.strip_prefix('#'));
    let is_whole = cells.len() == names.len();
    if is_whole && hash.is_some_and(may_be_a_name) {
        return Err(format!(
            "line {line} begins with `{}`, and so may be a row or a comment: put a space behind the # of a comment, or \
             another character before that of a name",
            cells[0]
        ));
    }
    if hash.is_some() || cells.iter().all(String::is_empty) {
        return Ok(None);
    }
    if !is_whole {
        return Err(format!(
            "line {line} has {} columns, and the header {}: give every line the same",
            cells.len(),
            names.len()
        ));
    }
    Ok(Some(Row {
        place: format!("line {line}"),
        cells,
    }))
}

/// Refuses a first line of numbers.
fn check_names(names: &[String], header: &str) -> Result<(), String> {
    if names.iter().any(|name| name.parse::<f64>().is_err()) {
        return Ok(());
    }
    Err(format!(
        "it has no names of columns (the first line is `{}`): name them in the first line, with numpy as \
         savetxt(…, delimiter=\",\", header=\"lr,loss\")",
        header.chars().take(60).collect::<String>().trim_end()
    ))
}

/// Behind blank lines, the line `sep=;` that is there for Excel, and comments.
fn header_start(text: &str) -> usize {
    let after_blank = text.trim_start_matches(['\n', '\r']);
    let after_separator = match after_blank.split_once('\n') {
        Some((first, rest)) if is_separator(first) => rest,
        _ => after_blank,
    };
    text.len() - after_separator.len() + comments(after_separator)
}

/// The bytes of the comments above a header. A line with a # is the header itself if a row follows,
/// as numpy writes it.
fn comments(text: &str) -> usize {
    let is_comment = |line: &&str| line.trim().is_empty() || line.starts_with('#');
    let mut lines = text.split_inclusive('\n');
    match lines.find(|line| !is_comment(line)) {
        Some(line) if !has_number(line) => {
            let above = text.split_inclusive('\n').take_while(is_comment);
            above.map(str::len).sum()
        }
        _ => 0,
    }
}

/// Whether a line is a row rather than a header.
fn has_number(line: &str) -> bool {
    let cells = line.split(char::from(delimiter(line)));
    let bare = |cell: &str| cell.trim().trim_matches('"').replace(',', ".");
    cells.map(bare).any(|cell| cell.parse::<f64>().is_ok())
}

fn is_separator(line: &str) -> bool {
    let named = line.trim_end_matches('\r').strip_prefix("sep=");
    named.is_some_and(|separator| separator.chars().count() == 1)
}

/// Whether what stands behind a # may be the rest of a name, as in `#1`.
fn may_be_a_name(rest: &str) -> bool {
    rest.starts_with(|c: char| !c.is_whitespace() && c != '#')
}

/// What separates the columns of a header: a tab, a semicolon, a comma, or else spaces. What
/// stands in quotes does not count.
fn delimiter(header: &str) -> u8 {
    let bare: String = header.split('"').step_by(2).collect();
    let found = [b'\t', b';', b','].into_iter();
    let found = found
        .into_iter()
        .find(|&d| bare.trim().contains(char::from(d)));
    let spaces = bare.trim_start_matches(['#', ' ']).trim().contains(' ');
    found.unwrap_or(if spaces { b' ' } else { b',' })
}

/// Where the reader is in a cell.
enum Place {
    Start,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell, which ends it unless another quote follows.
    AfterQuote,
}

/// The line in which a cell in quotes begins that does not end; the reader takes the rest of the
/// text for its content.
fn open_quote(text: &str, delimiter: char) -> Option<u64> {
    let (mut place, mut line, mut began) = (Place::Start, 1, 1);
    for c in text.chars() {
        place = match (place, c) {
            (Place::Start, '"') => {
                began = line;
                Place::Quoted
            }
            (Place::Quoted, '"') => Place::AfterQuote,
            (Place::Quoted, _) | (Place::AfterQuote, '"') => Place::Quoted,
            (_, c) if c == delimiter || c == '\n' || c == '\r' => Place::Start,
            _ => Place::Bare,
        };
        line += u64::from(c == '\n');
    }
    matches!(place, Place::Quoted).then_some(began)
}

/// A decimal point, if cells are written as 2,25 and none as 2.25. Where all are as 2,250 it may
/// stand between thousands.
fn comma(rows: &[Row]) -> Comma {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let number = |text: &str| text.parse::<f64>().is_ok();
    let with_comma = |cell: &String| {
        cell.matches(',').count() == 1 && !cell.contains('.') && number(&cell.replace(',', "."))
    };
    let with_point = |cell: &String| cell.contains('.') && number(cell);
    if !cells().any(with_comma) || cells().any(with_point) {
        return Comma::None;
    }
    if cells()
        .filter(|cell| with_comma(cell))
        .all(|cell| is_in_thousands(cell))
    {
        Comma::Unclear
    } else {
        Comma::Decimal
    }
}

/// Whether a number with one comma can be a whole one with its thousands apart.
fn is_in_thousands(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    let (front, back) = digits.split_once(',').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    all_digits(front)
        && all_digits(back)
        && (1..=3).contains(&front.len())
        && !front.starts_with('0')
        && back.len() == 3
}
