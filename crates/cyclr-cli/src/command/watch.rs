//! `cyclr watch DIR`
use crate::args::WatchArgs;
pub(crate) fn run(_: &WatchArgs) -> anyhow::Result<()> {
    Ok(())
}
