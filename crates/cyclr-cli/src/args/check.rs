use clap::Args;

use crate::factory::TrainerArgs;

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The budget for which find and compare are predicted, as in 2000 (updates) or 30ep
    #[arg(long, value_name = "LENGTH", default_value = "30ep")]
    pub(crate) budget: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
}
