/// The constants of the rule that reads bounds from sweeps alone. bench/finder/README.md says how
/// they were chosen, METHOD.md how good the answers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How far the local regression reaches to each side, in ln rate.
    pub reach: f64,
    /// The fewest points that the regression takes to each side, in a sweep of 200 points or more.
    pub least: usize,
    /// An exponential sweep's `max_lr` is the middle (in ln rate) of the rates at which the figure
    /// keeps at least this share of its rise.
    pub top: f64,
    /// The same share if there is nothing but the loss, which has made most of its fall long
    /// before the rate is as large as it may be.
    pub loss_top: f64,
    /// A linear sweep's `max_lr` is where the figure first has made this share of its rise.
    pub slowing: f64,
    /// `base_lr` is where the figure has made this share of its rise.
    pub leaving: f64,
    /// The least rise, in its own standard errors, that counts as learning.
    pub clear_rise: f64,
    /// A sweep starts below `base_lr` by at least this factor; a linear one that neither falls nor
    /// diverges also continues past the slowing by it.
    pub beyond: f64,
    /// `max_lr` stays below the lowest rate at which a repeat diverged by at least this factor.
    pub below_divergence: f64,
    /// The largest standard deviation, in ln rate, between repeats that agree.
    pub agreement: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            reach: 0.45,
            least: 12,
            top: 0.7,
            loss_top: 0.95,
            slowing: 0.9,
            leaving: 0.1,
            clear_rise: 6.0,
            beyond: 2.0,
            below_divergence: 3.0,
            agreement: 0.7,
        }
    }
}
