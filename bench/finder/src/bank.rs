//! What was trained once is kept: sweeps, probes and whole trainings, one CSV of each kind for a problem.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cyclr::range::{Point, Probe, ProbeResult, Sweep};
use cyclr::trainer::{Direction, TrainerFactory};
use cyclr_engine::EngineFactory;
use cyclr_train::find::{SweepTest, scale_ramp, sweep_test, train_probe};
use cyclr_train::{Interrupt, Watch};

use crate::problems::Problem;

pub struct Bank<'a> {
    pub problem: &'a Problem,
    folder: PathBuf,
    cifar: String,
    factory: OnceCell<EngineFactory>,
    probes: BTreeMap<(u64, i64, u64), ProbeResult>,
    sweeps: BTreeMap<(u64, u64), Sweep>,
    /// The updates that this process trained.
    pub trained: u64,
}

impl<'a> Bank<'a> {
    pub fn open(problem: &'a Problem, folder: &Path, cifar: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut bank = Self {
            problem,
            folder: folder.to_owned(),
            cifar: cifar.to_owned(),
            factory: OnceCell::new(),
            probes: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            trained: 0,
        };
        for row in bank.rows("probes")? {
            let (key, result) = kept_probe(&row)?;
            bank.probes.insert(key, result);
        }
        bank.sweeps = sweeps(folder, problem.name)?;
        Ok(bank)
    }

    pub fn factory(&self) -> Result<&EngineFactory> {
        if let Some(factory) = self.factory.get() {
            return Ok(factory);
        }
        let factory = self.problem.factory(&self.cifar)?;
        Ok(self.factory.get_or_init(|| factory))
    }

    /// The probe at a seed, trained if need be.
    pub fn probe(&mut self, asked: Probe, seed: u64) -> Result<ProbeResult> {
        let step = (2.0 * asked.lr.log2()).round() as i64;
        let kept = match self.probes.get(&(asked.updates, step, seed)).copied() {
            Some(kept) => kept,
            None => self.train(asked, step, seed)?,
        };
        Ok(ProbeResult {
            probe: asked,
            ..kept
        })
    }

    /// Trains a probe, and gives it with the digits that are kept, as it is read later.
    fn train(&mut self, asked: Probe, step: i64, seed: u64) -> Result<ProbeResult> {
        let interrupt = Interrupt::new();
        let mut watch = Watch {
            observer: &mut |_| {},
            interrupt: &interrupt,
        };
        let mut net = self.factory()?.start(seed)?;
        let result = train_probe(&mut *net, asked, None, &mut watch)?;
        drop(net);
        self.trained += result.made;
        let loss = result
            .loss
            .map_or_else(String::new, |loss| format!("{loss:.6}"));
        let correct = result.correct.map_or_else(String::new, |n| n.to_string());
        let (updates, count, made) = (asked.updates, result.count, result.made);
        let row = format!("{updates},{step},{seed},{loss},{correct},{count},{made}");
        self.append("probes", &format!("{row}\n"))?;
        let (key, kept) = kept_probe(&cells(&row))?;
        self.probes.insert(key, kept);
        Ok(kept)
    }

    /// The exponential sweep at a seed, made if need be.
    pub fn sweep(&mut self, updates: u64, seed: u64) -> Result<Sweep> {
        if !self.sweeps.contains_key(&(updates, seed)) {
            self.make_sweep(updates, seed)?;
            self.sweeps = sweeps(&self.folder, self.problem.name)?;
        }
        let sweep = self.sweeps.get(&(updates, seed));
        sweep.cloned().context("the sweep that was just kept")
    }

    fn make_sweep(&mut self, updates: u64, seed: u64) -> Result<()> {
        let test = SweepTest {
            seed,
            repeats: 1,
            threads: 1,
            ..SweepTest::new(scale_ramp(updates)?)
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        let swept = sweep_test(self.factory()?, &test, watch)?;
        let mut rows = String::new();
        for point in &swept.curves[0].points {
            let loss = point.loss.context("the engine gives losses")?;
            let correct = point.correct.context("the engine gives accuracies")?;
            rows += &format!(
                "{updates},{seed},{:e},{loss:.5},{correct},{}\n",
                point.lr, point.count
            );
        }
        self.trained += swept.curves[0].points.len() as u64;
        self.append("sweeps", &rows)
    }

    /// What Optuna's TPE answered, where `tpe.py` was run.
    pub fn tpe(&self, cost: f64, seed: u64) -> Result<Option<f64>> {
        tpe(&self.folder, self.problem.name, cost, seed)
    }

    fn rows(&self, kind: &str) -> Result<Vec<Vec<String>>> {
        rows(&self.folder, self.problem.name, kind)
    }

    fn append(&self, kind: &str, rows: &str) -> Result<()> {
        let path = path(&self.folder, self.problem.name, kind);
        let is_new = !path.exists();
        let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
        if is_new {
            writeln!(file, "{}", header(kind))?;
        }
        Ok(file.write_all(rows.as_bytes())?)
    }
}

/// What Optuna's TPE answered on a problem with the updates of a test, where `tpe.py` was run.
pub fn tpe(folder: &Path, problem: &str, cost: f64, seed: u64) -> Result<Option<f64>> {
    for row in rows(folder, problem, "tpe")? {
        let of: (f64, u64) = (row[0].parse()?, row[1].parse()?);
        if of == (cost, seed) && !row[2].is_empty() {
            return Ok(Some(2f64.powf(row[2].parse::<f64>()? / 2.0)));
        }
    }
    Ok(None)
}

/// A probe that was kept, by its updates, half octave and seed. Without a loss it diverged, and not
/// every net has an accuracy.
fn kept_probe(row: &[String]) -> Result<((u64, i64, u64), ProbeResult)> {
    let key: (u64, i64, u64) = (row[0].parse()?, row[1].parse()?, row[2].parse()?);
    let given = |cell: usize| (!row[cell].is_empty()).then_some(&row[cell]);
    let loss = given(3).map(|loss| loss.parse::<f64>()).transpose()?;
    let correct = given(4).map(|correct| correct.parse::<u64>()).transpose()?;
    let count: u64 = row[5].parse()?;
    let result = ProbeResult {
        probe: probe(key.0, key.1),
        loss,
        figure: correct.map(|correct| correct as f64 / count as f64),
        correct,
        count,
        made: row[6].parse()?,
    };
    Ok((key, result))
}

/// The sweeps of a problem, by their updates and seed.
pub fn sweeps(folder: &Path, problem: &str) -> Result<BTreeMap<(u64, u64), Sweep>> {
    let mut points = BTreeMap::<(u64, u64), Vec<Point>>::new();
    for row in rows(folder, problem, "sweeps")? {
        let point = Point::accuracy(
            row[2].parse()?,
            row[3].parse()?,
            row[4].parse()?,
            row[5].parse()?,
        );
        let key = (row[0].parse()?, row[1].parse()?);
        points.entry(key).or_default().push(point);
    }
    let sweep = |(key, points)| Ok((key, Sweep::new(points, Direction::Higher)?));
    points.into_iter().map(sweep).collect()
}

/// The rows of a kind, below its header; none where nothing was made yet.
pub fn rows(folder: &Path, problem: &str, kind: &str) -> Result<Vec<Vec<String>>> {
    let (path, columns) = (path(folder, problem, kind), header(kind).split(',').count());
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path)?;
    let rows: Vec<Vec<String>> = text.lines().skip(1).map(cells).collect();
    let whole = rows.iter().all(|row| row.len() == columns);
    ensure!(whole, "{}: a row has not {columns} cells", path.display());
    Ok(rows)
}

fn cells(line: &str) -> Vec<String> {
    line.split(',').map(String::from).collect()
}

fn path(folder: &Path, problem: &str, kind: &str) -> PathBuf {
    folder.join(format!("{problem}-{kind}.csv"))
}

fn header(kind: &str) -> &'static str {
    match kind {
        "probes" => "updates,step,seed,loss,correct,count,made",
        "tpe" => "cost,seed,step",
        "answers" => "cost,seed,max_lr,low,high,updates",
        _ => "updates,seed,lr,loss,correct,count",
    }
}

fn probe(updates: u64, step: i64) -> Probe {
    Probe {
        lr: 2f64.powf(step as f64 / 2.0),
        updates,
        repeat: 0,
    }
}
