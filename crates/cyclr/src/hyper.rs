/// What a schedule sets for one update: the rate and, where the policy moves them, momentum and
/// weight decay.
///
/// `None` means *untouched*: the optimizer keeps the value it has.
///
/// ```
/// let hyper = cyclr::Hyper::lr(0.1);
/// assert_eq!((hyper.lr, hyper.momentum, hyper.weight_decay), (0.1, None, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hyper {
    /// The learning rate; finite and at least 0. It multiplies the per-group factors that a
    /// trainer keeps.
    pub lr: f64,
    /// Momentum (beta1 of the Adam family), in `0..1`.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub momentum: Option<f64>,
    /// Weight decay; finite and at least 0. It multiplies the per-group factors that a trainer
    /// keeps.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub weight_decay: Option<f64>,
}

impl Hyper {
    /// A rate, with momentum and weight decay untouched.
    pub const fn lr(lr: f64) -> Self {
        Self {
            lr,
            momentum: None,
            weight_decay: None,
        }
    }
}
