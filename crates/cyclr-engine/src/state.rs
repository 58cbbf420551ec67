//! A run's state as bytes: a sealed safetensors file, so that damage is found.

use std::collections::BTreeMap;

use crate::{
    cpu::Level,
    tensors::{self, File, Tensor},
};

/// The value of `format`: which file it is, and the version of everything in it, texts included.
const FORMAT: &str = "cyclr-engine state 2";
/// What every version's `format` starts with.
const ANY_FORMAT: &str = "cyclr-engine state ";

/// What changes in a run, apart from the tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) seed: u64,
    pub(crate) update: u64,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    /// The points that were averaged.
    pub(crate) averaged: u64,
    /// The models of the ensemble.
    pub(crate) ensemble: u64,
}

/// The points that were averaged, where there are any, and their mean.
const AVERAGED: &str = "averaged";
pub(crate) const AVERAGE: &str = "average_parameters";

/// The models of the ensemble, where there are any, and their numbers, one model after the other.
const ENSEMBLE: &str = "ensemble";
pub(crate) const ENSEMBLE_LISTS: [&str; 2] = ["ensemble_parameters", "ensemble_norm_statistics"];

/// What a state has besides the lists of every run: room for an average, and the numbers of an
/// ensemble, whose models each have `sizes` of them.
pub(crate) struct Averages {
    pub(crate) average: Vec<f32>,
    pub(crate) sizes: [usize; 2],
    pub(crate) ensemble: [Vec<f32>; 2],
}

/// What a state must agree in with the run that continues it: by name, as text.
pub(crate) type Fingerprint = BTreeMap<&'static str, String>;

/// Writes a state. `lists` are the run's numbers, by name.
pub(crate) fn write(
    fingerprint: &Fingerprint,
    level: Level,
    place: Place,
    lists: &[(&str, &[f32])],
) -> Vec<u8> {
    let of_run = [
        ("format", FORMAT.to_owned()),
        ("level", level.name().to_owned()),
        ("seed", place.seed.to_string()),
        ("update", place.update.to_string()),
        ("momentum", bits(place.momentum)),
        ("weight_decay", bits(place.weight_decay)),
    ];
    let averaged = (place.averaged > 0).then(|| (AVERAGED, place.averaged.to_string()));
    let ensemble = (place.ensemble > 0).then(|| (ENSEMBLE, place.ensemble.to_string()));
    let of_run = of_run.into_iter().chain(averaged).chain(ensemble);
    let fingerprint = fingerprint.iter().map(|(&name, text)| (name, text.clone()));
    let metadata = of_run.chain(fingerprint);
    let metadata = metadata
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    let tensors: Vec<Tensor<'_>> = lists
        .iter()
        .map(|&(name, data)| Tensor {
            name,
            shape: vec![data.len()],
            data,
        })
        .collect();
    tensors::write(&metadata, &tensors, true)
}

/// Reads a state into `lists`, and its average or ensemble, if it has one, into `averages`; `lists`
/// stay as they are if it is refused.
pub(crate) fn read<'l>(
    bytes: &[u8],
    fingerprint: &Fingerprint,
    level: Option<Level>,
    mut lists: Vec<(&'l str, &'l mut [f32])>,
    averages: &'l mut Averages,
) -> Result<Place, String> {
    let file = File::read_sealed(bytes)?;
    let text = |name: &str| text(&file, name);
    check_format(text("format")?)?;
    for (name, expected) in fingerprint {
        expect(name, text(name)?, expected)?;
    }
    if let Some(level) = level
        && text("level")? != level.name()
    {
        let found = text("level")?;
        return Err(format!(
            "it was made at CPU level {found} and this run is at {level}, which differs in the \
             last bits; set CYCLR_CPU={found}, or allow inexact results"
        ));
    }
    let place = place(&file)?;
    if place.averaged > 0 {
        lists.push((AVERAGE, averages.average.as_mut_slice()));
    }
    if place.ensemble > 0 {
        let lists_of = ENSEMBLE_LISTS.into_iter().zip(averages.sizes);
        for ((name, size), list) in lists_of.zip(&mut averages.ensemble) {
            list.resize(size_of_models(&file, name, place.ensemble, size)?, 0.0);
            lists.push((name, list.as_mut_slice()));
        }
    }
    for (name, list) in &lists {
        let (shape, _) = numbers(&file, name)?;
        if shape != [list.len()] {
            return Err(format!(
                "`{name}` has shape {shape:?}, not [{}]",
                list.len()
            ));
        }
    }
    if let Some(name) = file.names().find(|n| lists.iter().all(|(l, _)| l != n)) {
        return Err(format!("this run has nothing called `{name}`"));
    }
    for (name, list) in lists {
        let (_, numbers) = numbers(&file, name)?;
        list.iter_mut()
            .zip(numbers)
            .for_each(|(to, from)| *to = from);
    }
    Ok(place)
}

/// The numbers in a list of `models` models: what the file says, if that is what they have.
fn size_of_models(file: &File, name: &str, models: u64, size: usize) -> Result<usize, String> {
    let (shape, _) = numbers(file, name)?;
    let expected = models.checked_mul(size as u64);
    if shape.len() != 1 || expected != Some(shape[0] as u64) {
        return Err(format!(
            "`{name}` has shape {shape:?}, not that of {models} models"
        ));
    }
    Ok(shape[0])
}

/// How far the run of a state is.
fn place(file: &File) -> Result<Place, String> {
    let count = |name: &str, text: &str| match number(text, 10)? {
        count if count > u64::MAX / 2 => {
            Err(format!("its {name} is {count}, which no run reaches"))
        }
        count => Ok(count),
    };
    let count_if_any = |name| match file.metadata.get(name) {
        Some(text) => count(name, text),
        None => Ok(0),
    };
    let value = |name, is_possible: fn(f64) -> bool| {
        let value = f64::from_bits(number(text(file, name)?, 16)?);
        if is_possible(value) {
            Ok(value)
        } else {
            Err(format!("its {name} is {value}, which no run has"))
        }
    };
    Ok(Place {
        seed: number(text(file, "seed")?, 10)?,
        update: count("update", text(file, "update")?)?,
        momentum: value("momentum", |v| (0.0..1.0).contains(&v))?,
        weight_decay: value("weight_decay", |v| v.is_finite() && v >= 0.0)?,
        averaged: count_if_any(AVERAGED)?,
        ensemble: count_if_any(ENSEMBLE)?,
    })
}

fn text<'f>(file: &'f File, name: &str) -> Result<&'f str, String> {
    let text = file.metadata.get(name).map(String::as_str);
    text.ok_or_else(|| format!("it has no `{name}`; it is not a state of this engine"))
}

fn bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn number(text: &str, radix: u32) -> Result<u64, String> {
    u64::from_str_radix(text, radix).map_err(|e| format!("`{text}` is not a number: {e}"))
}

fn check_format(found: &str) -> Result<(), String> {
    match found.strip_prefix(ANY_FORMAT) {
        _ if found == FORMAT => Ok(()),
        Some(version) => Err(format!(
            "it was written by another version of cyclr, as `{found}`; this version reads \
             `{FORMAT}`. Resume with the version that wrote it (state format {version}), or start the run again"
        )),
        None => Err(format!(
            "its format is `{found}`, not `{FORMAT}`; it is not a state of this engine"
        )),
    }
}

/// Compares a text of the state with this run's. Of long texts the message shows the first lines
/// that differ.
fn expect(name: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let (mut theirs, mut ours) = (found.lines(), expected.lines());
    let mut line = 0;
    let (found, expected) = loop {
        line += 1;
        let (found, expected) = (theirs.next(), ours.next());
        // Two different texts of the same lines differ in the last line break.
        if found != expected || found.is_none() {
            break (found.unwrap_or("missing"), expected.unwrap_or("missing"));
        }
    };
    let place = match line {
        1 => String::new(),
        line => format!(", in line {line}"),
    };
    Err(format!(
        "its {name} is `{found}`{place}, and this run's `{expected}`"
    ))
}

fn numbers<'a>(
    file: &File<'a>,
    name: &str,
) -> Result<(Vec<usize>, impl Iterator<Item = f32> + use<'a>), String> {
    match file.tensor(name) {
        Some(Ok(tensor)) => Ok(tensor),
        Some(Err(dtype)) => Err(format!("`{name}` is of type {dtype:?}, not F32")),
        None => Err(format!("it has no `{name}`")),
    }
}
