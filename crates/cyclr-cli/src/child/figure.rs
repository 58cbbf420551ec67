//! A figure in what a program prints.

use std::fmt;
use std::str::FromStr;

use regex_lite::Regex;
use serde_json::Value;

/// Where a figure stands: in a group of a regular expression, or at a path in a line of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Group(Regex),
    /// The keys from the outside to the inside.
    Json(Vec<String>),
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = match text.strip_prefix("$.") {
            Some(path) if path.split('.').any(str::is_empty) => {
                return Err(format!(
                    "`{text}` has an empty key: write it as in $.val.accuracy"
                ));
            }
            Some(path) => Place::Json(path.split('.').map(String::from).collect()),
            None => Place::Group(group(text)?),
        };
        Ok(Self {
            text: String::from(text),
            place,
        })
    }
}

/// A regular expression with one group.
fn group(text: &str) -> Result<Regex, String> {
    let regex = Regex::new(text).map_err(|error| format!("`{text}`: {error}"))?;
    match regex.captures_len() {
        2 => Ok(regex),
        groups => Err(format!(
            "`{text}` has {} groups: put the figure into one, as in 'accuracy: (\\S+)', or give a JSON path, as in $.accuracy",
            groups - 1
        )),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern {
    /// What the figure is called: the group's name, or the path's last key.
    pub(crate) fn name(&self) -> &str {
        let name = match &self.place {
            Place::Group(regex) => regex.capture_names().flatten().next(),
            Place::Json(keys) => keys.last().map(String::as_str),
        };
        name.unwrap_or("figure")
    }

    /// The last figure of a line, if it has any; an error for what stands there and is no number.
    fn find(&self, line: &str) -> Option<Result<f64, String>> {
        match &self.place {
            Place::Group(regex) => {
                let found = regex.captures_iter(line).last()?.get(1)?.as_str();
                Some(found.parse().map_err(|_| String::from(found)))
            }
            Place::Json(keys) => {
                let object = json(line)?;
                let found = keys.iter().try_fold(&object, |value, key| value.get(key))?;
                Some(match found {
                    Value::Null => Ok(f64::NAN),
                    found => found.as_f64().ok_or_else(|| found.to_string()),
                })
            }
        }
    }
}

/// A line of JSON, in which Python may have written NaN and Infinity.
fn json(line: &str) -> Option<Value> {
    let line = line.trim();
    if !line.starts_with('{') {
        return None;
    }
    // What only looks like JSON, such as a printed dict of Python, is another line of the log.
    let read = |text: &str| serde_json::from_str(text).ok();
    read(line).or_else(|| {
        let without = ["-Infinity", "Infinity", "NaN"]
            .iter()
            .fold(String::from(line), |line, word| line.replace(word, "null"));
        read(&without)
    })
}

/// The figures of a run: the last that was printed of each pattern counts.
#[derive(Debug)]
pub(super) struct Figures<'p> {
    patterns: Vec<&'p Pattern>,
    found: Vec<Option<Result<f64, String>>>,
    /// The start of a line whose end is not there yet.
    rest: Vec<u8>,
    /// The bytes that were printed and could not be read.
    lost: u64,
}

impl<'p> Figures<'p> {
    pub(super) fn new(patterns: Vec<&'p Pattern>) -> Self {
        Self {
            found: vec![None; patterns.len()],
            patterns,
            rest: Vec::new(),
            lost: 0,
        }
    }

    /// Takes note of bytes that were printed here and could not be read: a figure that was printed
    /// before them need not be the last.
    pub(super) fn lose(&mut self, bytes: u64) {
        self.lost += bytes;
        self.rest.clear();
        self.found.fill(None);
    }

    /// Reads what was printed; a line ends with LF, or with CR, as progress bars have it.
    pub(super) fn read(&mut self, printed: &[u8]) {
        for &byte in printed {
            if matches!(byte, b'\n' | b'\r') {
                self.end_line();
            } else {
                self.rest.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.rest);
        let line = String::from_utf8_lossy(&line);
        for (pattern, found) in self.patterns.iter().zip(&mut self.found) {
            if let Some(figure) = pattern.find(&line) {
                *found = Some(figure);
            }
        }
    }

    /// The figures in the order of their patterns, when everything has been read.
    ///
    /// # Errors
    /// What is missing, or is no number.
    pub(super) fn found(mut self) -> Result<Vec<f64>, String> {
        self.end_line();
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("; {lost} bytes came too fast to be read: print it after them"),
        };
        let pairs = self.patterns.iter().zip(self.found);
        pairs
            .map(|(pattern, found)| match found {
                Some(Ok(figure)) => Ok(figure),
                Some(Err(text)) => {
                    Err(format!("`{pattern}` finds `{text}`, which is not a number"))
                }
                None => Err(format!("nothing that it printed matches `{pattern}`{lost}")),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pattern: &str, printed: &str) -> Result<f64, String> {
        let pattern: Pattern = pattern.parse().unwrap();
        let mut figures = Figures::new(vec![&pattern]);
        // In pieces, as it comes from a pipe.
        for part in printed.as_bytes().chunks(3) {
            figures.read(part);
        }
        figures.found().map(|found| found[0])
    }

    #[test]
    fn the_last_figure_counts() {
        let printed = "epoch 1\racc: 0.5\repoch 2\nacc: 0.25 acc: 7e-1\nloss: 3";
        assert_eq!(last(r"acc: (\S+)", printed), Ok(0.7));
        assert_eq!(last(r"loss: (?<loss>\S+)", printed), Ok(3.0));
        assert!(
            last(r"acc: (\S+)", "acc: 0.5\nacc: nan\n")
                .unwrap()
                .is_nan()
        );
        assert!(last(r"f1: (\S+)", printed).unwrap_err().contains("nothing"));
        assert!(last(r"acc: (\S+)", "acc: 91%").unwrap_err().contains("91%"));
    }

    /// A later one may be among what was lost.
    #[test]
    fn a_figure_before_lost_output_is_not_the_last() {
        let pattern: Pattern = r"acc: (\S+)".parse().unwrap();
        let read = |after: &str| {
            let mut figures = Figures::new(vec![&pattern]);
            figures.read(b"acc: 0.5\nacc: 0.");
            figures.lose(1000);
            figures.read(after.as_bytes());
            figures.found()
        };
        assert!(read("7\n").unwrap_err().contains("1000 bytes"));
        assert_eq!(read("9\nacc: 0.75\n"), Ok(vec![0.75]));
    }

    #[test]
    fn a_path_goes_into_lines_of_json() {
        let printed =
            "{\"val\": {\"acc\": 0.5}}\n{broken\n[1]\n{\"val\": {\"acc\": 0.75}}\n{\"val\": 1}";
        assert_eq!(last("$.val.acc", printed), Ok(0.75));
        let nan = last("$.acc", "{\"acc\": 1}\n{\"acc\": NaN, \"b\": -Infinity}");
        assert!(nan.unwrap().is_nan(), "not the figure before it");
        assert!(last("$.val", printed).unwrap() == 1.0);
        assert!(
            last("$.acc", "{\"acc\": \"high\"}")
                .unwrap_err()
                .contains("high")
        );
    }

    #[test]
    fn figures_have_names() {
        let name = |text: &str| text.parse::<Pattern>().map(|p| String::from(p.name()));
        assert_eq!(name(r"acc=(?<accuracy>\S+)").unwrap(), "accuracy");
        assert_eq!(name(r"acc=(\S+)").unwrap(), "figure");
        assert_eq!(name("$.val.f1").unwrap(), "f1");
        for wrong in ["acc", "(a)(b)", "(", "$.a..b"] {
            assert!(name(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
