/// The constants of the rule that reads bounds. METHOD.md says how they were chosen and what they are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How far the local regression reaches to each side, in ln rate.
    pub reach: f64,
    /// The fewest points that the regression takes to each side, in a sweep of 200 points or more.
    pub least: usize,
    /// An exponential sweep's `max_lr` is the middle (in ln rate) of the rates at which the figure keeps at least this
    /// share of its rise.
    pub top: f64,
    /// A linear sweep's `max_lr` is where the figure has first made this share of its rise.
    pub slowing: f64,
    /// As `slowing`, for an exponential sweep that ends before the figure falls.
    pub slowing_exponential: f64,
    /// `base_lr` is where the figure has made this share of its rise.
    pub leaving: f64,
    /// The least rise, in standard errors of the smoothed figure, that counts as learning.
    pub clear_rise: f64,
    /// A sweep that does not fall or diverge goes on past the slowing by at least this factor.
    pub beyond: f64,
    /// `max_lr` stays below the lowest rate at which a repeat diverged by at least this factor.
    pub below_divergence: f64,
    /// The largest standard deviation, in ln rate, between repeats that agree.
    pub agreement: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            reach: 0.3,
            least: 12,
            top: 0.75,
            slowing: 0.9,
            slowing_exponential: 0.95,
            leaving: 0.1,
            clear_rise: 8.0,
            beyond: 2.0,
            below_divergence: 2.0,
            agreement: 1.0,
        }
    }
}
