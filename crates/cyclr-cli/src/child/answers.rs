//! What the answers of a child may not be.

use cyclr::trainer::TrainerInfo;
use cyclr_child::protocol::{Answer, Done, Evaluated, Initialized, Updated, VERSION};

/// The info, if it can be true.
pub(super) fn info(answer: Initialized, batch: Option<u64>) -> Result<TrainerInfo, String> {
    let Initialized { protocol, info } = answer;
    if protocol != VERSION {
        return Err(format!(
            "it speaks version {protocol} of the protocol, and this program speaks version {VERSION}"
        ));
    }
    if let Some(asked) = batch.filter(|&asked| asked != info.batch) {
        return Err(format!(
            "it trains on batches of {} where {asked} was asked for: leave --batch out",
            info.batch
        ));
    }
    if info.whole_runs.is_some() {
        return Err(String::from(
            "it says `whole_runs`, which is of programs that are wrapped (--wrap): leave it out",
        ));
    }
    info.checked().map_err(|error| error.to_string())
}

/// Which examples were classified correctly.
pub(super) fn correct(digits: &str, examples: u64) -> Result<Vec<bool>, String> {
    if digits.len() as u64 != examples {
        return Err(format!(
            "`correct` has {} characters for {examples} examples",
            digits.len()
        ));
    }
    digits
        .bytes()
        .map(|digit| match digit {
            b'0' => Ok(false),
            b'1' => Ok(true),
            _ => Err(String::from("`correct` must be made of 0 and 1")),
        })
        .collect()
}

/// Reads a line as the answer to each request, for the fuzz targets.
pub(crate) fn read_answer(line: &[u8]) {
    // Lines that are no answer are what is tried; readers must refuse them without a panic.
    if let Ok(Answer {
        result: Some(initialized),
        ..
    }) = serde_json::from_slice::<Answer<Initialized>>(line)
    {
        let _ = info(initialized, None);
    }
    if let Ok(Answer {
        result: Some(Updated { metrics }),
        ..
    }) = serde_json::from_slice(line)
    {
        for metrics in metrics {
            drop(metrics.checked());
        }
    }
    if let Ok(Answer {
        result: Some(Evaluated {
            metrics,
            correct: digits,
        }),
        ..
    }) = serde_json::from_slice(line)
    {
        let _ = (metrics.checked(), digits.map(|digits| correct(&digits, 7)));
    }
    drop(serde_json::from_slice::<Answer<Done>>(line));
}
