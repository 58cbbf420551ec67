use serde::{Deserialize, Serialize};

/// What is said of the arms: a headline, a row an arm, and what else must be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// One sentence, with the winner first.
    pub headline: String,
    /// What the values of the table are: `test`, or the name of a judged figure.
    #[serde(default = "test")]
    pub measured: String,
    /// A row an arm, in their order.
    pub table: Vec<Row>,
    /// What else must be known, the most important first.
    pub notes: Vec<String>,
    /// What the spread is made of: what pairing by seed is worth, and what the number of test
    /// examples explains.
    #[serde(default)]
    pub spread: Vec<String>,
    /// What these figures cannot say.
    pub limits: Vec<String>,
    /// The arm to use; `null` if none can be named.
    pub winner: Option<Winner>,
}

/// An arm in a row, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The arm's label.
    pub arm: String,
    /// The value's mean and 95 % interval over seeds.
    pub test: String,
    /// The difference from the reference, with its 95 % interval.
    pub difference: String,
    /// What may be said of the difference.
    pub verdict: String,
    /// The time to the target as a multiple of the reference's own, and the runs that reached it;
    /// not of a judged table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_target: Option<String>,
    /// The spec at the chosen peak rate; not of a judged table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// The arm to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Winner {
    /// The arm.
    pub arm: usize,
    /// Why it.
    pub because: WinnerReason,
}

/// Why an arm is the one to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WinnerReason {
    /// It is shown to be better than the reference; of several such arms, it validates best, or, in
    /// a judged table, has the best mean.
    Better,
    /// It is the reference, and every other arm is shown to be worse, or diverged.
    NoneBetter,
    /// Nothing separates it from others, and none of these costs less.
    Cheapest,
    /// The reference diverged, so that nothing can be compared, and it validates best.
    Validation,
}

fn test() -> String {
    String::from("test")
}
