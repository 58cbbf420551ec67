/// Which rates are about as good as the best: the area between a curve of results over rates and
/// the level that lies a depth above its lowest point.
///
/// Its centre is a steadier answer than the lowest point, which the noise of single trainings moves
/// if the curve is flat. The range test takes `max_lr` from it, a comparison the
/// peak rate of each arm.
///
/// ```
/// use cyclr::range::Trough;
///
/// // Noise makes 2^1 the lowest of a flat stretch from 2^-2 to 2^1; its centre is between them.
/// let curve = [(-3.0, 0.9), (-2.0, 0.12), (-1.0, 0.11), (0.0, 0.12), (1.0, 0.10), (2.0, 0.9)];
/// let trough = Trough::of(&curve, 0.2);
/// assert!((trough.centre + 0.5).abs() < 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trough {
    /// The centre of its area, in octaves.
    pub centre: f64,
    /// The standard deviation of its area in the direction of the rates, in octaves.
    pub spread: f64,
}

impl Trough {
    /// The trough of a curve of points (rate in octaves, result; lower is better) in rising order
    /// of rates, with straight lines between them. A result may be infinite, which is how a
    /// diverged training counts. Beyond the ends the curve rises to the level over two octaves.
    ///
    /// # Panics
    /// If no point has a finite result, or the depth is not above 0.
    pub fn of(points: &[(f64, f64)], depth: f64) -> Self {
        const BEYOND: f64 = 2.0;
        /// A point above this many depths, or infinite, counts as one there.
        const HIGHEST: f64 = 4.0;
        let lowest = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        assert!(
            lowest.is_finite() && depth > 0.0,
            "a trough needs a finite result and a depth above 0, not {points:?} and {depth}"
        );
        let origin = points[0].0;
        let deep = |&(x, y): &(f64, f64)| (x - origin, depth - (y - lowest).min(HIGHEST * depth));
        let last = (points[points.len() - 1].0 - origin + BEYOND, 0.0);
        let mut before = (-BEYOND, 0.0);
        let mut moments = [0.0; 3];
        for point in points.iter().map(deep).chain([last]) {
            for (moment, more) in moments.iter_mut().zip(above_zero(before, point)) {
                *moment += more;
            }
            before = point;
        }
        let [area, first, second] = moments;
        let mean = first / area;
        let variance = (second / area - mean * mean).max(0.0);
        Self {
            centre: origin + mean,
            spread: libm::sqrt(variance),
        }
    }
}

/// Area, first and second moment of the part of a line that lies above 0.
fn above_zero(a: (f64, f64), b: (f64, f64)) -> [f64; 3] {
    if a.1 <= 0.0 && b.1 <= 0.0 {
        return [0.0; 3];
    }
    let zero = a.0 + (b.0 - a.0) * a.1 / (a.1 - b.1);
    let (ax, ay) = if a.1 < 0.0 { (zero, 0.0) } else { a };
    let (bx, by) = if b.1 < 0.0 { (zero, 0.0) } else { b };
    let width = bx - ax;
    let first = ax * (2.0 * ay + by) + bx * (ay + 2.0 * by);
    let second = ax * ax * (3.0 * ay + by) + 2.0 * ax * bx * (ay + by) + bx * bx * (ay + 3.0 * by);
    [
        width * (ay + by) / 2.0,
        width * first / 6.0,
        width * second / 12.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centre(points: &[(f64, f64)], depth: f64) -> f64 {
        Trough::of(points, depth).centre
    }

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
    fn centre_and_spread_are_those_of_a_fine_sum() {
        let points = [
            (0.0, 0.5),
            (4.0, 0.05),
            (6.0, 0.0),
            (8.0, 0.12),
            (12.0, 0.7),
        ];
        let (mut area, mut moment, mut second) = (0.0, 0.0, 0.0);
        for i in 0..120_000 {
            let x = f64::from(i) * 1e-4;
            let k = (1..points.len() - 1)
                .find(|&k| x < points[k].0)
                .unwrap_or(points.len() - 1);
            let (a, b) = (points[k - 1], points[k]);
            let depth = (0.2 - a.1 - (b.1 - a.1) * (x - a.0) / (b.0 - a.0)).max(0.0);
            area += depth;
            moment += x * depth;
            second += x * x * depth;
        }
        let trough = Trough::of(&points, 0.2);
        let mean = moment / area;
        assert!((trough.centre - mean).abs() < 1e-3);
        assert!((trough.spread - (second / area - mean * mean).sqrt()).abs() < 1e-3);
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
