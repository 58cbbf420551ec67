use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct DataArgs {
    /// The folder [default: the embedded Fashion-MNIST subset]
    pub(crate) folder: Option<PathBuf>,
    /// Resize a folder's images to this side
    #[arg(long, value_name = "PIXELS", requires = "folder")]
    pub(crate) size: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
