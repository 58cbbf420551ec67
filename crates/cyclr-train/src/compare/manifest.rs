use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::Plan;

/// What a comparison's folder is for: the content of its `comparison.json`. With it and the
/// trainer factory, the comparison can continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plan.
    pub plan: Plan,
    /// What the caller needs to make the trainer factory again.
    pub trainer: Value,
    /// Names and versions of the program, the engine and the machine that began it.
    pub about: BTreeMap<String, String>,
}

impl Manifest {
    /// What `about` has under that name, in the order in which processes went on with it.
    pub fn began_at(&self, name: &str) -> Vec<&str> {
        let values = self.about.get(name).into_iter();
        values.flat_map(|values| values.split(THEN)).collect()
    }
}

/// Between the values of processes that went on with a comparison, one after the other.
const THEN: &str = ", then ";

/// What began a comparison, and what went on with it if that is something else: `avx2, then
/// portable`.
pub(super) fn went_on(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut about = before.clone();
    for (name, now) in now {
        match about.get_mut(name) {
            Some(known) if known.split(THEN).any(|part| part == now) => {}
            Some(known) => *known = format!("{known}{THEN}{now}"),
            None => drop(about.insert(name.clone(), now.clone())),
        }
    }
    about
}
