use clap::Args as ClapArgs;
use cyclr::Spec;
use cyclr::units::{Epochs, Horizon};

use crate::exit::Usage;

/// The facts of a run that lengths in epochs and per cent need.
#[derive(ClapArgs)]
pub(crate) struct RunArgs {
    /// Updates of the run
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub(crate) updates: Option<u64>,
    /// Epochs of the run
    #[arg(long, value_name = "E", requires = "examples")]
    pub(crate) epochs: Option<f64>,
    /// Training examples, without those held out for validation
    #[arg(long, value_name = "N", requires = "batch")]
    pub(crate) examples: Option<u64>,
    /// Examples in a batch
    #[arg(long, value_name = "B", requires = "examples")]
    pub(crate) batch: Option<u64>,
}

impl RunArgs {
    /// The run for a spec: the one given, or else one that shows the spec whole.
    pub(crate) fn horizon(&self, spec: &Spec) -> anyhow::Result<Horizon> {
        let epoch = self.examples.zip(self.batch);
        let with_epoch = |run: Horizon| match epoch {
            Some((examples, batch)) => run.with_epoch(examples, batch),
            None => Ok(run),
        };
        let run = match (self.updates, self.epochs, epoch) {
            (Some(updates), _, _) => Horizon::of_updates(updates).and_then(with_epoch),
            (None, Some(epochs), Some((examples, batch))) => {
                Epochs::new(epochs).and_then(|epochs| Horizon::of_epochs(epochs, examples, batch))
            }
            _ => {
                let updates_per_epoch =
                    epoch.map(|(examples, batch)| examples.div_ceil(batch.max(1)));
                let updates = spec
                    .shown_in(updates_per_epoch)
                    .ok_or_else(|| unbounded(spec))?;
                Horizon::of_updates(updates).and_then(with_epoch)
            }
        };
        run.map_err(Usage::error)
    }
}

fn unbounded(spec: &Spec) -> anyhow::Error {
    Usage::error(format!(
        "{spec} depends on the length of the run: give --updates N, or --epochs E --examples N --batch B"
    ))
}
