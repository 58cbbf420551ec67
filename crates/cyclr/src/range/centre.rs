use super::ProbeResult;

/// The scale on which losses are compared: ln loss, where all are above 0; else twice the loss in
/// units of what was learnt.
pub(super) struct Level {
    opening: f64,
    best: f64,
    is_ln: bool,
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
        } else {
            2.0 * (loss - self.best) / libm::fabs(self.opening - self.best)
        }
    }
}

/// The centre of the area between a curve, given by points in rising order (octaves) and straight
/// lines, and the level that lies `depth` above its lowest point. Beyond the ends the curve rises
/// to that level over two octaves.
pub(super) fn centre(points: &[(f64, f64)], depth: f64) -> f64 {
    const BEYOND: f64 = 2.0;
    /// A point above this many depths, or infinite, counts as one there.
    const HIGHEST: f64 = 4.0;
    let lowest = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let deep = |&(x, y): &(f64, f64)| (x, depth - (y - lowest).min(HIGHEST * depth));
    let first = (points[0].0 - BEYOND, 0.0);
    let last = (points[points.len() - 1].0 + BEYOND, 0.0);
    let mut before = first;
    let (mut area, mut moment) = (0.0, 0.0);
    for point in points.iter().map(deep).chain([last]) {
        let (a, m) = above_zero(before, point);
        area += a;
        moment += m;
        before = point;
    }
    moment / area
}

/// Area and moment of the part of a line that lies above 0.
fn above_zero(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    if a.1 <= 0.0 && b.1 <= 0.0 {
        return (0.0, 0.0);
    }
    let zero = a.0 + (b.0 - a.0) * a.1 / (a.1 - b.1);
    let a = if a.1 < 0.0 { (zero, 0.0) } else { a };
    let b = if b.1 < 0.0 { (zero, 0.0) } else { b };
    let width = b.0 - a.0;
    let area = width * (a.1 + b.1) / 2.0;
    let moment = width * (a.0 * (2.0 * a.1 + b.1) + b.0 * (a.1 + 2.0 * b.1)) / 6.0;
    (area, moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_of_a_symmetric_trough_is_its_middle() {
        let points = [
            (-4.0, 2.0),
            (-2.0, 0.1),
            (0.0, 0.0),
            (2.0, 0.1),
            (4.0, f64::INFINITY),
        ];
        assert!(centre(&points, 0.2).abs() < 1e-12);
        let apart = [(10.0, 1.0), (14.0, 0.0), (18.0, 1.0)];
        assert!((centre(&apart, 0.2) - 14.0).abs() < 1e-12);
    }

    #[test]
    fn the_centre_is_that_of_a_fine_sum() {
        let points = [
            (0.0, 0.5),
            (4.0, 0.05),
            (6.0, 0.0),
            (8.0, 0.12),
            (12.0, 0.7),
        ];
        let (mut area, mut moment) = (0.0, 0.0);
        for i in 0..120_000 {
            let x = f64::from(i) * 1e-4;
            let k = (1..points.len() - 1)
                .find(|&k| x < points[k].0)
                .unwrap_or(points.len() - 1);
            let (a, b) = (points[k - 1], points[k]);
            let depth = (0.2 - a.1 - (b.1 - a.1) * (x - a.0) / (b.0 - a.0)).max(0.0);
            area += depth;
            moment += x * depth;
        }
        assert!((centre(&points, 0.2) - moment / area).abs() < 1e-3);
    }

    #[test]
    fn a_lone_end_has_a_tail_beyond_it() {
        let open = [(0.0, 0.3), (4.0, 0.0)];
        // Two triangles: from 4/3 to 4 with its centre at 28/9, and the tail from 4 to 6 with its
        // centre at 14/3.
        let (areas, centres) = ([4.0 / 15.0, 0.2], [28.0 / 9.0, 14.0 / 3.0]);
        let moment: f64 = areas.iter().zip(centres).map(|(a, c)| a * c).sum();
        let expected = moment / areas.iter().sum::<f64>();
        assert!((centre(&open, 0.2) - expected).abs() < 1e-12);
    }
}
