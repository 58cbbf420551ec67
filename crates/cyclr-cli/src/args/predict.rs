use std::path::PathBuf;

use clap::Args;

use super::values::count;

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// The folder of a finished run, whose declared model predicts: the averaged one or the
    /// ensemble in a run that averages; or the file of a model, such as its model.safetensors
    pub(crate) run: PathBuf,
    /// PNG or JPEG files, resized to what the net takes
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Name so many classes, the likeliest first
    #[arg(long, value_name = "K", value_parser = count(), default_value_t = 1)]
    pub(crate) top: usize,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
