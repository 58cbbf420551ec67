use super::ProbeResult;

/// The scale on which losses are compared: ln loss, where all are above 0; else twice the loss in
/// units of what was learnt.
pub(super) struct Level {
    /// The loss before anything was learnt.
    pub(super) opening: f64,
    /// The least loss.
    pub(super) best: f64,
    /// Whether levels are ln loss.
    pub(super) is_ln: bool,
}

impl Level {
    /// From all probes (at least one of which did not diverge) and the loss before anything was
    /// learnt.
    pub(super) fn new(probes: &[ProbeResult], opening: f64) -> Self {
        let losses = || probes.iter().filter_map(|probe| probe.loss);
        let best = losses().fold(f64::INFINITY, f64::min);
        Self {
            opening,
            best,
            is_ln: opening > 0.0 && best > 0.0,
        }
    }

    /// The level of a probe; infinite where it diverged.
    pub(super) fn of(&self, probe: &ProbeResult) -> f64 {
        probe.loss.map_or(f64::INFINITY, |loss| self.at(loss))
    }

    /// How far a probe lies above the best.
    pub(super) fn above_best(&self, probe: &ProbeResult) -> f64 {
        self.of(probe) - self.at(self.best)
    }

    /// How far the best probe lies below the opening.
    pub(super) fn fall(&self) -> f64 {
        self.at(self.opening) - self.at(self.best)
    }

    fn at(&self, loss: f64) -> f64 {
        if self.is_ln {
            libm::log(loss)
        } else if loss == self.best {
            // Where nothing was learnt there is no unit, and all that is worse is infinite.
            0.0
        } else {
            2.0 * (loss - self.best) / libm::fabs(self.opening - self.best)
        }
    }
}
