use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The folders of finished comparisons
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Where the report goes [default: the folder, if there is only one]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
