use std::path::PathBuf;

use clap::Args;

use super::values::count;

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// The folder of a finished run (its averaged model or ensemble is used, if it has one), or a
    /// model file, such as model.safetensors
    pub(crate) run: PathBuf,
    /// PNG or JPEG files, resized to the net's input
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Print this many classes, the likeliest first
    #[arg(long, value_name = "K", value_parser = count(), default_value_t = 1)]
    pub(crate) top: usize,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
