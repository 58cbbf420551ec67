//! What a state must agree in with the run that continues it.

use crate::{config::EngineConfig, data::Examples, net::Plan, state::Fingerprint};

/// What later updates depend on, apart from what changes. The texts are part of the state's
/// format.
pub(crate) fn fingerprint(
    config: &EngineConfig,
    train: &Examples,
    plan: &Plan,
    micro_batch: usize,
) -> Fingerprint {
    let clip = config
        .clip_norm
        .map_or("none".into(), |norm| norm.to_string());
    let (name, layers) = (config.net.name(), config.net.describe());
    let net = format!("{name} of {} parameters\n{layers}", plan.parameters());
    Fingerprint::from([
        ("net", net),
        ("data", data_fingerprint(train, config)),
        ("optimizer", config.optimizer.describe()),
        ("batch", format!("{} by {micro_batch}", config.batch)),
        ("order", config.order.describe().into()),
        ("augment", config.augment.describe()),
        ("label_smoothing", config.label_smoothing.to_string()),
        ("clip_norm", clip),
    ])
}

/// The size of the training part, with a checksum over its labels, some of its images, and the
/// normalisation.
fn data_fingerprint(train: &Examples, config: &EngineConfig) -> String {
    let mut crc = crc32fast::Hasher::new();
    let len = train.len() as u32;
    for pick in 0..len {
        crc.update(&train.label(pick).to_le_bytes());
    }
    for pick in (0..len).step_by(train.len().div_ceil(64)) {
        crc.update(train.image(pick));
    }
    let normalization = &config.normalization;
    for number in normalization.mean().iter().chain(normalization.scale()) {
        crc.update(&number.to_le_bytes());
    }
    let (shape, crc) = (train.shape(), crc.finalize());
    format!("{len} images of {shape} ({crc:08x})")
}
