//! What the columns of a table are, by their names.

use crate::table::plain_name;

/// Where a table has what a curve is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) step: Option<usize>,
    pub(super) lr: Option<usize>,
    pub(super) loss: Option<usize>,
    pub(super) accuracy: Option<usize>,
    pub(super) higher: Option<usize>,
    pub(super) lower: Option<usize>,
    pub(super) correct: Option<usize>,
    pub(super) count: Option<usize>,
    /// The only column of a TensorBoard export, which may be anything.
    pub(super) value: Option<usize>,
}

const STEP: [&str; 9] = [
    "step",
    "global_step",
    "update",
    "updates",
    "iteration",
    "iter",
    "batch",
    "batch_idx",
    "epoch",
];
const LR: [&str; 7] = [
    "lr",
    "lrs",
    "learning_rate",
    "learning_rates",
    "learningrate",
    "rate",
    "rates",
];
const LOSS: [&str; 7] = [
    "loss",
    "losses",
    "train_loss",
    "training_loss",
    "batch_loss",
    "loss_train",
    "train_losses",
];
const ACCURACY: [&str; 8] = [
    "acc",
    "accuracy",
    "train_acc",
    "train_accuracy",
    "training_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "binary_accuracy",
];

impl Columns {
    /// # Errors
    /// What two columns could both be, with their names.
    pub(super) fn of(names: &[String]) -> Result<Self, String> {
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let one = |what: &str, known: &[&str]| {
            let is = |n: &usize| known.contains(&plain[*n].as_str());
            let found: Vec<usize> = (0..names.len()).filter(is).collect();
            match found[..] {
                [] => Ok(None),
                [only] => Ok(Some(only)),
                [first, second, ..] => Err(format!(
                    "columns `{}` and `{}` could both be the {what}: keep the one of each training batch, and give each run a file",
                    names[first], names[second]
                )),
            }
        };
        let lr = match one("learning rate", &LR)? {
            Some(lr) => Some(lr),
            None => one("learning rate", &["lr_of_optimizer"])?,
        };
        one("figure", &["higher", "lower"])?;
        Ok(Self {
            step: STEP
                .iter()
                .find_map(|step| plain.iter().position(|name| name == step)),
            lr,
            loss: one("loss", &LOSS)?,
            accuracy: one("accuracy", &ACCURACY)?,
            higher: one("figure", &["higher"])?,
            lower: one("figure", &["lower"])?,
            correct: one("number correct", &["correct"])?,
            count: one("number of examples", &["count"])?,
            value: one("value", &["value"])?,
        })
    }
}

/// A name without what tools put around it: the run of `run - lr` (W&B), the group of
/// `train/loss`, the optimizer of `lr-Adam` and the `_step` of Lightning.
fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.rsplit(" - ").next().unwrap_or(&name);
    if name.starts_with("lr-") {
        return "lr_of_optimizer".into();
    }
    let held_out = ["val", "test", "eval", "dev"].map(|split| format!("{split}/"));
    let validation = held_out.iter().any(|split| name.contains(split.as_str()))
        || name.contains("valid")
        || name.starts_with("val_");
    // W&B gives the range of several runs beside each value.
    if validation || name.ends_with("__min") || name.ends_with("__max") {
        return String::new();
    }
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = plain_name(name);
    let step = name.strip_suffix("_step").filter(|&rest| rest != "global");
    step.unwrap_or(&name).to_owned()
}
