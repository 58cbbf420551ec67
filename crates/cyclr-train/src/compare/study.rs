//! Study files: comparisons written down in TOML, so that they can be made again.

use serde::Deserialize;

use cyclr::Spec;

use super::{Arm, Bounds, Plan, Tune, plan::COMPLETED};
use crate::Error;

/// A study: comparisons that belong together, each with what it trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// What it is about.
    pub title: String,
    /// The comparisons, in the file's order.
    pub parts: Vec<Part>,
}

/// One comparison of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name, which is also the name of its folder.
    pub name: String,
    /// What is compared.
    pub plan: Plan,
    /// What is trained: the `[train]` table, with the comparison's own over it. Only whoever makes the lab reads it.
    pub train: toml::Table,
}

/// A study file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    train: toml::Table,
    comparison: Vec<Written>,
}

/// A comparison as it is written; what is left out is as in [`Plan::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    title: Option<String>,
    #[serde(default)]
    train: toml::Table,
    updates: u64,
    seeds: Option<Vec<u64>>,
    reference: String,
    margin: Option<f64>,
    readings: Option<u64>,
    budgets: Option<Vec<f64>>,
    multiples: Option<Vec<f64>>,
    tuning_seed: Option<u64>,
    base_lr: Option<f64>,
    max_lr: Option<f64>,
    arm: Vec<Arm>,
}

impl Study {
    /// Reads a study file.
    ///
    /// # Errors
    /// [`Error::BadStudy`] with the line where it is no study.
    pub fn read(text: &str) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|e| bad(format!("{e}")))?;
        let parts: Vec<Part> = file
            .comparison
            .into_iter()
            .map(|written| written.part(&file.train))
            .collect::<Result<_, _>>()?;
        let same = |a: &Part| parts.iter().filter(|b| b.name == a.name).count() > 1;
        if let Some(part) = parts.iter().find(|part| same(part)) {
            return Err(bad(format!("two comparisons are named `{}`", part.name)));
        }
        Ok(Self {
            title: file.title,
            parts,
        })
    }

    /// The same study with `factor` times the updates, in budgets and specs alike.
    ///
    /// # Errors
    /// [`Error::BadStudy`] where the factor is not in (0, 1], or a spec cannot be shortened so far.
    pub fn scaled(mut self, factor: f64) -> Result<Self, Error> {
        if !(factor > 0.0 && factor <= 1.0) {
            return Err(bad(format!(
                "the scale is {factor}, and should be above 0 and at most 1"
            )));
        }
        let shorter = |updates: u64| ((updates as f64 * factor).round() as u64).max(1);
        for Part { plan, .. } in &mut self.parts {
            plan.updates = shorter(plan.updates);
            for arm in &mut plan.arms {
                arm.updates = arm.updates.map(shorter);
                if COMPLETED.iter().any(|(name, _)| *name == arm.policy) {
                    continue;
                }
                let spec: Result<Spec, _> = arm.policy.parse();
                let spec = spec.and_then(|spec| spec.stretched(factor));
                arm.policy = spec
                    .map_err(|e| bad(format!("arm {}: {e}", arm.label)))?
                    .to_string();
            }
        }
        Ok(self)
    }
}

impl Written {
    fn part(self, train: &toml::Table) -> Result<Part, Error> {
        let usual = Plan::new(self.updates);
        let tuned = self.arm.iter().any(|arm| arm.tuned);
        let named = |arm: &Arm| COMPLETED.iter().any(|(name, _)| *name == arm.policy);
        let bounds = match (self.base_lr, self.max_lr) {
            (Some(base_lr), Some(max_lr)) => Bounds::Given { base_lr, max_lr },
            (None, None) if tuned || self.arm.iter().any(named) => usual.bounds,
            (None, None) => Bounds::Unneeded,
            _ => {
                return Err(bad(format!(
                    "{}: base_lr and max_lr belong together",
                    self.name
                )));
            }
        };
        let tune = usual.tuning.map(|usual| Tune {
            multiples: self.multiples.unwrap_or(usual.multiples),
            seed: self.tuning_seed.unwrap_or(usual.seed),
        });
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(bad(format!(
                "a comparison is named `{}`: names are letters, digits, - and _",
                self.name
            )));
        }
        Ok(Part {
            plan: Plan {
                title: self.title.unwrap_or_else(|| self.name.clone()),
                arms: self.arm,
                reference: self.reference,
                seeds: self.seeds.unwrap_or(usual.seeds),
                added_seeds: Vec::new(),
                updates: self.updates,
                budgets: self.budgets.unwrap_or(usual.budgets),
                tuning: tune.filter(|_| tuned),
                bounds,
                margin: self.margin.unwrap_or(usual.margin),
                readings: self.readings.unwrap_or(usual.readings),
            },
            name: self.name,
            train: over(train, self.train),
        })
    }
}

/// `own` over `common`, key by key.
fn over(common: &toml::Table, own: toml::Table) -> toml::Table {
    let mut table = common.clone();
    table.extend(own);
    table
}

fn bad(reason: String) -> Error {
    Error::BadStudy { reason }
}
