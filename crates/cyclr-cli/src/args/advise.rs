use clap::Args;

#[derive(Args)]
pub(crate) struct AdviseArgs {
    /// Training examples, without those held out for validation
    #[arg(long, value_name = "N")]
    pub(crate) examples: u64,
    /// Examples in a batch
    #[arg(long, value_name = "B")]
    pub(crate) batch: u64,
    /// The budget in epochs
    #[arg(long, value_name = "E")]
    pub(crate) epochs: f64,
    /// A stepped schedule (step, multistep, fixed, or stages of them) to replace with cycles
    #[arg(long = "from", value_name = "SPEC")]
    pub(crate) stepped: Option<String>,
    /// With --from: the maximum of each cycle over its base (5 in the paper)
    #[arg(long, value_name = "R", default_value_t = 5.0, requires = "stepped")]
    pub(crate) ratio: f64,
    /// A known max_lr, to advise a base_lr for
    #[arg(long, value_name = "LR", conflicts_with = "stepped")]
    pub(crate) max: Option<f64>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
