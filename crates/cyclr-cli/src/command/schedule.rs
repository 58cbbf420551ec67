//! `cyclr schedule SPEC…`: the rates of a policy, as a plot, as rows, or as JSON.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use cyclr::{Hyper, Schedule, Spec};
use cyclr_train::store::write_atomically;
use serde::Serialize;

use crate::args::{ScheduleArgs, read_policy, schedule};
use crate::chart::{self, Chart, terminal};
use crate::exit::Usage;
use crate::say::{note, out, stdout_failed};

/// The size of each chart of a file, in points.
const SIZE: (u32, u32) = (720, 300);

/// Rows of all specs, and troughs of each, that a JSON document has at most: it is made in memory.
const MOST_IN_DOCUMENT: usize = 1_000_000;

/// What `--json` prints.
#[derive(Serialize)]
struct Documents<'c> {
    schedules: Vec<Document<'c>>,
}

#[derive(Serialize)]
struct Document<'c> {
    spec: &'c Spec,
    words: String,
    updates: u64,
    troughs: Vec<u64>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    update: u64,
    lr: f64,
    momentum: Option<f64>,
}

/// A spec with its schedule for the run.
struct Curve {
    spec: Spec,
    schedule: Schedule,
}

pub(crate) fn run(args: &ScheduleArgs) -> anyhow::Result<()> {
    let curves = curves(args)?;
    if args.format.is_some() || (!args.at.is_empty() && !args.json) {
        let [curve] = curves.as_slice() else {
            return Err(Usage::error(format!(
                "rows are of one SPEC, and there are {}: give one",
                curves.len()
            )));
        };
        return Ok(rows(curve, &args.at).map_err(stdout_failed)?);
    }
    if args.json {
        let rows = |curve: &Curve| curve.schedule.updates();
        let all = curves.iter().map(rows).fold(0, u64::saturating_add);
        if args.at.is_empty() && all > MOST_IN_DOCUMENT as u64 {
            return Err(Usage::error(format!(
                "a document of {all} rows is too long: choose updates with --at, or print rows with --format csv"
            )));
        }
        let documents = curves.iter().map(|curve| curve.document(&args.at));
        let schedules = documents.collect::<anyhow::Result<Vec<Document>>>()?;
        out!("{}", serde_json::to_string(&Documents { schedules })?)?;
        return Ok(());
    }
    match &args.out {
        Some(path) => draw(&curves, path),
        None => Ok(show(&curves).map_err(stdout_failed)?),
    }
}

/// All curves, over the longest of their runs.
fn curves(args: &ScheduleArgs) -> anyhow::Result<Vec<Curve>> {
    let curve = |text: &String| {
        let spec: Spec = read_policy(text)?;
        let schedule = schedule(&spec, &args.run.horizon(&spec)?)?;
        Ok(Curve { spec, schedule })
    };
    args.specs.iter().map(curve).collect()
}

/// `update,lr,momentum`
fn rows(curve: &Curve, at: &[u64]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "update,lr,momentum")?;
    for update in curve.updates(at) {
        let Hyper { lr, momentum, .. } = curve.schedule.at(update);
        write!(out, "{update},{}", Shortest(lr))?;
        match momentum {
            Some(momentum) => writeln!(out, ",{}", Shortest(momentum))?,
            None => writeln!(out, ",")?,
        }
    }
    out.flush()
}

/// Shows the shortest digits that read back to the same number, with an exponent where there would
/// be many zeros.
struct Shortest(f64);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0 == 0.0 || (1e-9..1e17).contains(&self.0.abs());
        if plain {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}

/// The words and the plot.
fn show(curves: &[Curve]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for curve in curves {
        writeln!(out, "{}\n  {}.", curve.spec, curve.spec.describe())?;
    }
    writeln!(out, "\n{}", terminal::draw(&rates(curves)))?;
    let momenta = momenta(curves);
    if !momenta.series.is_empty() {
        writeln!(out, "{}", terminal::draw(&momenta))?;
    }
    Ok(())
}

/// Draws into an SVG or a PNG.
fn draw(curves: &[Curve], path: &Path) -> anyhow::Result<()> {
    let charts: Vec<Chart> = [rates(curves), momenta(curves)]
        .into_iter()
        .filter(|chart| !chart.series.is_empty())
        .collect();
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => chart::svg(&charts, SIZE)?.into_bytes(),
        Some("png") => chart::png(&charts, SIZE)?,
        _ => {
            return Err(Usage::error(format!(
                "{}: the name must end in .svg or .png",
                path.display()
            )));
        }
    };
    write_atomically(path, &bytes)?;
    note!("wrote {}", path.display());
    Ok(())
}

fn rates(curves: &[Curve]) -> Chart {
    let line = |curve: &Curve| (curve.spec.to_string(), curve.points(|hyper| Some(hyper.lr)));
    Chart::lines("update", "learning rate", curves.iter().map(line))
}

fn momenta(curves: &[Curve]) -> Chart {
    let moving = curves
        .iter()
        .filter(|curve| curve.schedule.moves_momentum());
    let line = |curve: &Curve| (curve.spec.to_string(), curve.points(|hyper| hyper.momentum));
    Chart::lines("update", "momentum", moving.map(line))
}

impl Curve {
    /// The updates that are asked for, or all of the run.
    fn updates<'a>(&self, at: &'a [u64]) -> Box<dyn Iterator<Item = u64> + 'a> {
        if at.is_empty() {
            Box::new(0..self.schedule.updates())
        } else {
            Box::new(at.iter().copied())
        }
    }

    fn document(&self, at: &[u64]) -> anyhow::Result<Document<'_>> {
        let updates = self.schedule.updates();
        let troughs: Vec<u64> = self.schedule.troughs().take(MOST_IN_DOCUMENT + 1).collect();
        if troughs.len() > MOST_IN_DOCUMENT {
            return Err(Usage::error(format!(
                "a document of more than {MOST_IN_DOCUMENT} troughs is too long: give a longer step, or fewer than \
                 {updates} updates"
            )));
        }
        let row = |update: u64| {
            let Hyper { lr, momentum, .. } = self.schedule.at(update);
            Row {
                update,
                lr,
                momentum,
            }
        };
        Ok(Document {
            spec: &self.spec,
            words: self.spec.describe(),
            updates,
            troughs,
            rows: self.updates(at).map(row).collect(),
        })
    }

    /// Points enough for any plot: every update of a short run. Of each of 2,000 stretches of a
    /// long one, the least and the largest of many values, so that short cycles fill the space
    /// between their bounds.
    fn points(&self, of: impl Fn(Hyper) -> Option<f64>) -> Vec<(f64, f64)> {
        const STRETCHES: u64 = 2000;
        let updates = self.schedule.updates();
        // A schedule that leaves momentum alone at an update has no point there.
        let point = |update: u64| Some((update as f64, of(self.schedule.at(update))?));
        if updates <= 2 * STRETCHES {
            return (0..=updates).filter_map(point).collect();
        }
        let start = |k: u64| (u128::from(k) * u128::from(updates) / u128::from(STRETCHES)) as u64;
        let stretches = (0..STRETCHES).map(|k| start(k)..start(k + 1));
        let ends = stretches.flat_map(|stretch| {
            let points: Vec<(f64, f64)> = chosen(stretch).filter_map(point).collect();
            let least = points.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
            let largest = points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
            let mut ends: Vec<(f64, f64)> = [least, largest].into_iter().flatten().collect();
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            ends
        });
        ends.chain(point(updates)).collect()
    }
}

/// Updates of a stretch, its first among them: all of a short one; of a long one, those at multiples
/// of the golden ratio, which fall in step with no cycle.
fn chosen(stretch: Range<u64>) -> impl Iterator<Item = u64> {
    const MOST: u64 = 64;
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let length = stretch.end - stretch.start;
    (0..length.min(MOST)).map(move |k| {
        if length <= MOST {
            return stretch.start + k;
        }
        // The multiple's fraction, in units of 2^-64.
        let fraction = u128::from(k.wrapping_mul(GOLDEN));
        stretch.start + ((fraction * u128::from(length)) >> 64) as u64
    })
}

#[cfg(test)]
mod tests {
    use cyclr::units::Horizon;

    use super::*;

    fn curve(spec: &str, updates: u64) -> Curve {
        let spec: Spec = spec.parse().expect("a spec");
        let run = Horizon::of_updates(updates).expect("a run");
        let schedule = spec.schedule(&run).expect("a spec that fits");
        Curve { spec, schedule }
    }

    /// The bounds are those that the spec names: a plot that samples at equal distances shows one
    /// straight line where they fall in step with the cycles.
    #[test]
    fn a_plot_of_many_short_cycles_reaches_from_bound_to_bound() {
        for (step, updates) in [(50, 200_000), (500, 2_000_000), (7, 4_001), (3, 1 << 53)] {
            let spec = format!("triangular(base=0.1, max=1, step={step}, momentum=0.8..0.9)");
            let curves = [curve(&spec, updates)];
            let near = |found: f64, expected: f64| (found - expected).abs() < 0.05 * expected;
            let (low, high) = rates(&curves).y_extent().expect("there are points");
            assert!(near(low, 0.1) && near(high, 1.0), "{spec}: {low} to {high}");
            let (low, high) = momenta(&curves).y_extent().expect("there are points");
            assert!(near(low, 0.8) && near(high, 0.9), "{spec}: {low} to {high}");
            // In every part of the run.
            let points = &rates(&curves).series[0].points;
            let tenth = |n: usize| &points[n * points.len() / 10..(n + 1) * points.len() / 10];
            for n in 0..10 {
                let largest = tenth(n).iter().filter_map(|p| p.y).fold(0.0, f64::max);
                assert!(near(largest, 1.0), "{spec}: tenth {n} up to {largest}");
            }
        }
    }

    #[test]
    fn the_points_of_a_long_run_rise_and_end_with_it() {
        let curve = curve("linear(lr=1)", 1_000_003);
        let points = curve.points(|hyper| Some(hyper.lr));
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!(
            (points[0], points[points.len() - 1]),
            ((0.0, 1.0), (1_000_003.0, 0.0))
        );
    }
}
