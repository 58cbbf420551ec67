//! Text of other tools as columns of text: CSV in its dialects, and JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::json::Checked;

/// A table as it was read. Cells are text: columns that nobody asks for may hold anything.
pub(super) struct Table {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) comma: Comma,
}

/// What a comma in a number is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comma {
    /// No part of a number.
    None,
    /// The decimal point.
    Decimal,
    /// The decimal point, or between thousands: the numbers do not tell.
    Unclear,
}

pub(crate) struct Row {
    /// Where it stands: "line 3", or "value 2" of a list in JSON.
    pub(crate) place: String,
    pub(crate) cells: Vec<String>,
}

impl Table {
    /// Reads a table, JSON where it begins like it.
    ///
    /// # Errors
    /// What is wrong and what to do, in words.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err("it is UTF-16 text: save it as UTF-8".into());
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| not_text(bytes))?;
        if text.trim_start().starts_with(['{', '[']) {
            from_json(text)
        } else {
            from_csv(text)
        }
    }

    /// The number in a cell, `None` if it is empty.
    ///
    /// # Errors
    /// What is wrong, where it is no number.
    pub(super) fn number(&self, row: &Row, column: usize) -> Result<Option<f64>, String> {
        let text = row.cells.get(column).map_or("", |cell| cell.trim());
        if text.is_empty() {
            return Ok(None);
        }
        let shown = || text.chars().take(40).collect::<String>();
        if self.comma == Comma::Unclear && text.contains(',') {
            let shown = shown();
            return Err(format!(
                "`{shown}` may be {} or {}: write numbers with a decimal point, and without commas",
                shown.replace(',', "."),
                shown.replace(',', "")
            ));
        }
        let point = text.replacen(',', ".", usize::from(self.comma == Comma::Decimal));
        let number: f64 = point.parse().map_err(|_| {
            let shown = shown();
            let what = if has_other_separators(text) {
                "a number with a decimal point, and without other separators"
            } else {
                "a number, nan or inf"
            };
            format!("`{}` should be {what}", shown.escape_debug())
        })?;
        if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
            return Err(format!(
                "`{}` is beyond the largest number: write inf for a run that diverged",
                shown()
            ));
        }
        Ok(Some(number))
    }
}

/// What is wrong with a file that is not UTF-8.
fn not_text(bytes: &[u8]) -> String {
    let what = if bytes.contains(&0) {
        "it is no text: give a CSV or JSON file. Unpack archives, and export spreadsheets, arrays and TensorBoard's event \
         files as CSV"
    } else {
        "it is text in another encoding than UTF-8: save it as UTF-8"
    };
    what.into()
}

/// Whether a text is digits with commas, points, spaces or apostrophes between them.
fn has_other_separators(text: &str) -> bool {
    let separators = [',', '.', ' ', '\'', '\u{a0}', '\u{202f}'];
    let number = text.trim_start_matches(['-', '+']);
    let digit = |c: char| c.is_ascii_digit();
    number.starts_with(digit)
        && number.contains(separators)
        && number.replace(separators, "").chars().all(digit)
}

// ---- CSV

fn from_csv(text: &str) -> Result<Table, String> {
    let start = header_start(text);
    let text_from_header = &text[start..];
    let (header, _) = text_from_header
        .split_once('\n')
        .unwrap_or((text_from_header, ""));
    let delimiter = delimiter(header);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text_from_header.trim_start_matches(['#', ' ']).as_bytes());
    let blank_lines = text[..start].matches('\n').count() as u64;
    let mut names: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = blank_lines + record.position().map_or(0, csv::Position::line);
        // Columns that stand below each other have several spaces between them.
        let is_cell = |cell: &&str| delimiter != b' ' || !cell.is_empty();
        let cells: Vec<String> = record.iter().filter(is_cell).map(str::to_owned).collect();
        let hash = cells.first().and_then(|first| first.strip_prefix('#'));
        let comment = hash.is_some() || cells.iter().all(String::is_empty);
        match &names {
            None => names = Some(cells),
            Some(names) if names.len() == cells.len() && hash.is_some_and(may_be_a_name) => {
                return Err(format!(
                    "line {line} begins with `{}`, and so may be a row or a comment: put a space behind the # of a \
                     comment, or another character before that of a name",
                    cells[0]
                ));
            }
            Some(_) if comment => {}
            Some(names) if names.len() != cells.len() => {
                return Err(format!(
                    "line {line} has {} columns, and the first line {}: give every line the same",
                    cells.len(),
                    names.len()
                ));
            }
            Some(_) => rows.push(Row {
                place: format!("line {line}"),
                cells,
            }),
        }
    }
    let names = names.ok_or("it is empty: give a table with columns and rows")?;
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(format!(
            "it has no names of columns (the first line is `{}`): name them in the first line, with numpy as \
             savetxt(…, delimiter=\",\", header=\"lr,loss\")",
            header.chars().take(60).collect::<String>().trim_end()
        ));
    }
    let comma = if delimiter == b',' {
        Comma::None
    } else {
        comma(&rows)
    };
    Ok(Table { names, rows, comma })
}

/// Behind blank lines, and the line `sep=;` that is there for Excel.
fn header_start(text: &str) -> usize {
    let after_blank = text.trim_start_matches(['\n', '\r']);
    let after_separator = match after_blank.split_once('\n') {
        Some((first, rest)) if first.starts_with("sep=") && first.trim_end().len() == 5 => rest,
        _ => after_blank,
    };
    text.len() - after_separator.len()
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

// ---- JSON

fn from_json(text: &str) -> Result<Table, String> {
    let text = quoted_non_finite(text);
    let mut stream = serde_json::Deserializer::from_str(&text).into_iter::<Checked>();
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    let (mut line, mut counted) = (1, 0);
    while let Some(value) = stream.next() {
        let Checked(value) = value.map_err(|error| format!("it is not valid JSON: {error}"))?;
        values.push(value);
        let end = stream.byte_offset();
        line += text[counted..end].matches('\n').count();
        counted = end;
        lines.push(format!("line {line}"));
    }
    match values.as_slice() {
        [Value::Object(columns)] if columns.is_empty() => {
            Err("it is empty: give a table with columns and rows".into())
        }
        [Value::Array(rows)] if rows.is_empty() => {
            Err("it is empty: give a table with columns and rows".into())
        }
        [Value::Object(columns)] if columns.values().any(|v| v.is_array() || v.is_object()) => {
            from_lists(columns)
        }
        [Value::Array(rows)] => {
            let records = (1..=rows.len()).map(|n| format!("record {n}"));
            from_records(rows, records.collect())
        }
        // One object a line.
        rows => from_records(rows, lines),
    }
}

/// The lists of `{"lr": […], "loss": […]}`, or the columns that pandas writes: `{"lr": {"0": …},
/// …}`. What is no list is no column.
fn from_lists(columns: &Map<String, Value>) -> Result<Table, String> {
    check_keys(columns)?;
    let list = |value: &Value| match value {
        Value::Array(values) if !values.iter().any(Value::is_object) => {
            Some(values.iter().map(text_of).collect())
        }
        Value::Object(values) => Some(
            numbered(values)?
                .into_iter()
                .map(|(_, text)| text)
                .collect(),
        ),
        _ => None,
    };
    let lists: Vec<(&String, Vec<String>)> = columns
        .iter()
        .filter_map(|(name, value)| Some((name, list(value)?)))
        .collect();
    if lists.is_empty() {
        return Err(no_lists(columns));
    }
    let names: Vec<String> = lists.iter().map(|(name, _)| (*name).clone()).collect();
    let longest = lists.iter().map(|(_, list)| list.len()).max().unwrap_or(0);
    if let Some((name, list)) = lists.iter().find(|(_, list)| list.len() != longest) {
        return Err(format!(
            "its list {name} has {} values, and another {longest}: keep only lists of the same length",
            list.len()
        ));
    }
    let row = |n: usize| Row {
        place: format!("value {}", n + 1),
        cells: lists.iter().map(|(_, list)| list[n].clone()).collect(),
    };
    Ok(Table {
        names,
        rows: (0..longest).map(row).collect(),
        comma: Comma::None,
    })
}

/// What is wrong with an object that has no lists of its own.
fn no_lists(columns: &Map<String, Value>) -> String {
    let holds_table = |value: &Value| match value {
        Value::Array(rows) => rows.iter().all(Value::is_object),
        Value::Object(columns) => columns.values().any(Value::is_array),
        _ => false,
    };
    match columns.iter().find(|(_, value)| holds_table(value)) {
        Some((name, _)) => {
            format!("its table is within `{name}`: write what that holds into a file of its own")
        }
        None => "it has no lists: write them as {\"lr\": […], \"loss\": […]}".into(),
    }
}

/// Refuses columns of `{"0": …, "1": …}` that have other keys than each other: what stands in a row
/// together must have the same.
fn check_keys(columns: &Map<String, Value>) -> Result<(), String> {
    let keys = |(name, column): (&String, &Value)| {
        let keys = numbered(column.as_object()?)?.into_iter();
        Some((name.clone(), keys.map(|(key, _)| key).collect::<Vec<u64>>()))
    };
    // What has no such keys is no column of this kind.
    let keyed: Vec<_> = columns.iter().filter_map(keys).collect();
    match keyed.windows(2).find(|pair| pair[0].1 != pair[1].1) {
        Some([(first, _), (second, _)]) => Err(format!(
            "its columns {first} and {second} have other keys than each other: give every row a value in each, or null"
        )),
        _ => Ok(()),
    }
}

/// The values of `{"0": …, "1": …}` with their keys and in the order of these, where they are
/// numbers.
fn numbered(values: &Map<String, Value>) -> Option<Vec<(u64, String)>> {
    let number = |(key, value): (&String, &Value)| Some((key.parse::<u64>().ok()?, text_of(value)));
    let mut numbered: Vec<(u64, String)> = values.iter().map(number).collect::<Option<_>>()?;
    numbered.sort_by_key(|(key, _)| *key);
    Some(numbered)
}

/// A list of objects, one for each update; or of `[wall time, step, value]`, as TensorBoard gives
/// it.
fn from_records(records: &[Value], places: Vec<String>) -> Result<Table, String> {
    let of_three = |record: &Value| record.as_array().is_some_and(|list| list.len() == 3);
    let keys: BTreeSet<String> = records
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|record| record.keys().cloned())
        .collect();
    let tensorboard = !records.is_empty() && records.iter().all(of_three);
    let names: Vec<String> = if tensorboard {
        ["Wall time", "Step", "Value"].map(String::from).into()
    } else if records.iter().all(Value::is_object) {
        keys.into_iter().collect()
    } else if let Some(n) = records.iter().position(|record| !record.is_object())
        && records.iter().any(Value::is_object)
    {
        return Err(format!(
            "{} is no object of columns and values, as others are: write every row in the same way",
            places[n]
        ));
    } else {
        return Err(
            "its lists have no names: write them as {\"lr\": […], \"loss\": […]}, as json.dump(dict(lr=lrs, loss=losses), \
             file) does, or as one object a line"
                .into(),
        );
    };
    let cell = |record: &Value, n: usize, name: &String| {
        let value = record.get(name).or_else(|| record.get(n));
        value.map_or_else(String::new, text_of)
    };
    let row = |(record, place): (&Value, String)| Row {
        place,
        cells: names
            .iter()
            .enumerate()
            .map(|(n, name)| cell(record, n, name))
            .collect(),
    };
    Ok(Table {
        rows: records.iter().zip(places).map(row).collect(),
        names,
        comma: Comma::None,
    })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Python writes NaN and Infinity into JSON, which has no such numbers: they become strings.
fn quoted_non_finite(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for (n, part) in split_at_quotes(text).into_iter().enumerate() {
        if n % 2 == 1 {
            result += part;
            continue;
        }
        let part = part.replace("-Infinity", "\"-inf\"");
        result += &part
            .replace("Infinity", "\"inf\"")
            .replace("NaN", "\"nan\"");
    }
    result
}

/// Parts outside and inside of JSON strings by turns, the strings with their quotes.
fn split_at_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut inside, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' && !escaped {
            let end = at + usize::from(inside);
            parts.push(&text[start..end]);
            (start, inside) = (end, !inside);
        }
        escaped = inside && byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}
