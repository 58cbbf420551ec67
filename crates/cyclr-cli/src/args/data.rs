use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct DataArgs {
    /// The folder; without it, the embedded data
    pub(crate) folder: Option<PathBuf>,
    /// The side that a folder's images are resized to
    #[arg(long, value_name = "PIXELS", requires = "folder")]
    pub(crate) size: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
