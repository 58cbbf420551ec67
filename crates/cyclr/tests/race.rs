//! The looks of a race: what each may claim, how often a race ends in a wrong claim, and how many
//! seeds it saves, on simulated comparisons whose truth is known.
//!
//! A run's value is its arm's true mean, plus what its seed does to every arm, plus its own noise.
//! The counts are printed with `--nocapture`.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it by panicking"
)]
#![expect(clippy::print_stdout, reason = "the counts are results worth reading")]

use cyclr::stats::{Comparison, Race, Rules, Verdict, binomial_tail, compare};
use cyclr::trainer::Direction;
use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

const RACES: u64 = 4_000;

/// A margin that is never shown, so that races of equal arms go on to their end.
const NO_MARGIN: f64 = 1e-9;

#[derive(Clone, Copy)]
enum Shape {
    Normal,
    /// Student's t with three degrees of freedom: now and then a run is far off.
    HeavyTails,
    /// The exponential of a normal number: all far runs are on one side.
    Skewed,
}

struct Noise(TestRng);

impl Noise {
    fn new(stream: u8) -> Self {
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &[stream; 32]))
    }

    /// By Box and Muller's method.
    fn normal(&mut self) -> f64 {
        let (u, v): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (core::f64::consts::TAU * v).cos()
    }

    fn draw(&mut self, shape: Shape) -> f64 {
        match shape {
            Shape::Normal => self.normal(),
            Shape::HeavyTails => {
                let squares: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
                self.normal() / (squares / 3.0).sqrt()
            }
            Shape::Skewed => self.normal().exp(),
        }
    }
}

/// What is simulated.
#[derive(Clone, Copy)]
struct World {
    /// The arms' true differences from the reference.
    differences: &'static [f64],
    shape: Shape,
    /// The scale of a run's own noise; a seed moves all arms by a normal number of deviation 1.
    scale: f64,
    /// The step to which values are rounded, as an accuracy on finitely many examples is; 0 for
    /// none.
    step: f64,
    margin: f64,
    most: u64,
}

const NULL: World = World {
    differences: &[0.0],
    shape: Shape::Normal,
    scale: 0.3,
    step: 0.0,
    margin: NO_MARGIN,
    most: 20,
};

impl World {
    /// Values by seed: of the reference, then of each arm.
    fn values(&self, noise: &mut Noise) -> Vec<Vec<f64>> {
        let seeds: Vec<f64> = (0..self.most).map(|_| noise.normal()).collect();
        let means = std::iter::once(&0.0).chain(self.differences);
        let arms = means.map(|difference| {
            let values = seeds.iter().map(|seed| {
                let value = 71.0 + difference + seed + self.scale * noise.draw(self.shape);
                match self.step {
                    0.0 => value,
                    step => (value / step).round() * step,
                }
            });
            values.collect()
        });
        arms.collect()
    }

    fn judged(&self, values: &[Vec<f64>], seeds: u64, level: f64) -> Vec<Comparison> {
        let rules = Rules {
            level,
            ..Rules::new(self.margin, Direction::Higher)
        };
        let arms: Vec<&[f64]> = values.iter().map(|arm| &arm[..seeds as usize]).collect();
        compare(arms[0], &arms[1..], rules).unwrap()
    }

    /// What a race ends with: its seeds, and the last look's verdicts.
    fn race(&self, noise: &mut Noise) -> (u64, Vec<Comparison>) {
        let race = Race::up_to(self.most).unwrap();
        let values = self.values(noise);
        for &seeds in race.looks() {
            let found = self.judged(&values, seeds, race.level());
            if seeds == self.most || !Race::is_open(&found) {
                return (seeds, found);
            }
        }
        unreachable!("the last look is at the most seeds")
    }

    fn count(&self, stream: u8, is: impl Fn(&[Comparison]) -> bool) -> u64 {
        let mut noise = Noise::new(stream);
        let races = (0..RACES).filter(|_| is(&self.race(&mut noise).1));
        races.count() as u64
    }

    /// Races in which an arm that is like the reference is called better or worse.
    fn wrong(&self, stream: u8) -> u64 {
        self.count(stream, |found| {
            let arms = found.iter().zip(self.differences);
            let mut equal = arms.filter(|(_, difference)| **difference == 0.0);
            equal.any(|(arm, _)| arm.is_decided())
        })
    }
}

/// The upper end of the 95 % interval of the rate is at most 6 %.
#[track_caller]
fn check(what: &str, count: u64) {
    let rate = 100.0 * count as f64 / RACES as f64;
    println!("{what}: {count} of {RACES} ({rate:.1} %)");
    let as_few = 1.0 - binomial_tail(count + 1, RACES, 0.06).unwrap();
    assert!(as_few <= 0.025, "{what}: {count} of {RACES}");
}

#[test]
fn the_looks_are_at_quarters() {
    let looks = |seeds| Race::up_to(seeds).unwrap().looks().to_vec();
    assert_eq!(looks(20), [5, 10, 15, 20]);
    assert_eq!(looks(8), [2, 4, 6, 8]);
    assert_eq!(looks(10), [3, 5, 8, 10]);
    assert!(Race::up_to(7).is_err() && Race::up_to(1_000_001).is_err());
}

#[test]
fn a_race_is_read_as_it_is_declared_and_no_other_way() {
    let race = Race::up_to(10).unwrap();
    let text = serde_json::to_string(&race).unwrap();
    assert_eq!(text, r#"{"looks":[3,5,8,10],"level":0.016}"#);
    assert_eq!(serde_json::from_str::<Race>(&text).unwrap(), race);
    for other in [
        r#"{"looks":[3,5,8,10],"level":0.05}"#,
        r#"{"looks":[3,4,8,10],"level":0.016}"#,
        r#"{"looks":[3,10],"level":0.016}"#,
        r#"{"looks":[],"level":0.016}"#,
        r#"{"looks":[3,5,8,10]}"#,
    ] {
        assert!(serde_json::from_str::<Race>(other).is_err(), "{other}");
    }
}

/// Against scipy 1.17: `t.ppf(0.992, 4)`, and p-values times 0.05/0.016.
#[test]
fn a_look_has_wider_intervals_and_larger_p_values() {
    let reference = [71.0, 72.0, 71.5, 71.2, 71.3];
    let arm = [71.2, 72.5, 71.9, 72.2, 71.4];
    let rules = Rules {
        level: Race::LEVEL,
        ..Rules::new(0.9, Direction::Higher)
    };
    let found = compare(&reference, &[&arm], rules).unwrap()[0];
    let interval = found.difference.interval.unwrap();
    for (value, expected) in [
        (interval.low, -0.188_903_712_891_303),
        (interval.high, 1.068_903_712_891_309),
        (found.adjusted_p, 0.151_708_813_662_609),
        (found.adjusted_tost_p, 0.066_706_488_685_077),
    ] {
        assert!((value - expected).abs() < 1e-10, "{value}, {expected}");
    }
    // At the level of a single analysis the arm is better.
    assert!(matches!(found.verdict, Verdict::Undecided(_)));
    let alone = compare(&reference, &[&arm], Rules::new(0.9, Direction::Higher)).unwrap()[0];
    assert_eq!(alone.verdict, Verdict::Better);
    for level in [0.0, 0.051, f64::NAN] {
        let rules = Rules { level, ..rules };
        assert!(compare(&reference, &[&arm], rules).is_err());
    }
}

/// The hardest two: nothing but chance ends these races early, or holds a claim back.
#[test]
fn arms_like_the_reference_are_rarely_called_different_by_a_race() {
    check("one arm", NULL.wrong(3));
    let world = World {
        differences: &[0.0, 3.0],
        ..NULL
    };
    check("an arm beside a better one", world.wrong(12));
}

#[test]
#[ignore = "takes half a minute"]
fn the_same_holds_for_other_numbers_of_arms_and_seeds_and_other_noise() {
    for (stream, most) in [(1, 8), (2, 12), (4, 40)] {
        let world = World { most, ..NULL };
        check(&format!("one arm, {most} seeds"), world.wrong(stream));
    }
    let two = World {
        differences: &[0.0; 2],
        ..NULL
    };
    let four = World {
        differences: &[0.0; 4],
        ..NULL
    };
    let heavy = Shape::HeavyTails;
    for (stream, (what, world)) in (10..).zip([
        ("two arms", two),
        ("four arms", four),
        (
            "four arms, margin 0.5",
            World {
                margin: 0.5,
                ..four
            },
        ),
        (
            "heavy tails",
            World {
                shape: heavy,
                ..NULL
            },
        ),
        (
            "heavy tails, two arms, 12 seeds",
            World {
                shape: heavy,
                most: 12,
                ..two
            },
        ),
        (
            "skewed, two arms",
            World {
                shape: Shape::Skewed,
                ..two
            },
        ),
        ("2,000 examples, two arms", World { step: 0.05, ..two }),
    ]) {
        check(what, world.wrong(stream));
    }
}

#[test]
#[ignore = "takes some seconds"]
fn arms_at_the_margin_are_rarely_called_equivalent_by_a_race() {
    let within = |found: &[Comparison]| found.iter().any(|arm| arm.within_margin);
    for (stream, differences) in [(30, &[0.5] as &[f64]), (31, &[0.5, -0.5])] {
        for (stream, most) in [(stream, 8), (stream + 10, 20)] {
            let world = World {
                differences,
                margin: 0.5,
                most,
                ..NULL
            };
            let what = format!("{} at the margin, {most} seeds", differences.len());
            check(&what, world.count(stream, within));
        }
    }
}

#[test]
#[ignore = "takes some seconds"]
fn intervals_at_the_end_of_a_race_cover_the_truth() {
    for (stream, difference) in [(50, &[0.0]), (51, &[0.3]), (52, &[0.8])] {
        for (stream, margin) in [(stream, 0.5), (stream + 10, NO_MARGIN)] {
            let world = World {
                differences: difference,
                margin,
                ..NULL
            };
            let missed = world.count(stream, |found| {
                let interval = found[0].difference.interval.unwrap();
                !interval.contains(difference[0])
            });
            check(
                &format!("interval misses {}, margin {margin}", difference[0]),
                missed,
            );
        }
    }
}

/// The seeds of a plan without looks that decides every arm as often as the race does, between
/// whole numbers, beside the race's own mean. A race that stays open to its end saves nothing.
#[test]
#[ignore = "takes a minute"]
fn a_race_takes_fewer_seeds_than_a_plan_that_decides_as_often() {
    println!("differences, deviation of a pair: race decides, its seeds on average, fixed seeds");
    let worlds: [(&'static [f64], f64); 6] = [
        (&[0.0, 0.0], 0.42),
        (&[0.5, 0.0], 0.42),
        (&[1.0, 0.5], 0.57),
        (&[0.5, 0.5], 0.42),
        (&[1.5, 1.0], 0.71),
        (&[0.2, 0.1], 0.57),
    ];
    for (stream, (differences, sd)) in (70..).zip(worlds) {
        let scale = sd / 2.0_f64.sqrt();
        let world = World {
            differences,
            scale,
            margin: 0.5,
            ..NULL
        };
        let mut noise = Noise::new(stream);
        let (mut seeds, mut decided) = (0, 0);
        for _ in 0..RACES {
            let (taken, found) = world.race(&mut noise);
            seeds += taken;
            decided += u64::from(!Race::is_open(&found));
        }
        let mean = seeds as f64 / RACES as f64;
        let fixed = world.fixed(stream + 100, decided);
        println!(
            "{differences:?}, {sd}: {:.1} %, {mean:.1}, {fixed:.1} ({:.0} % fewer)",
            100.0 * decided as f64 / RACES as f64,
            100.0 * (1.0 - mean / fixed)
        );
        let decides = decided > RACES / 10 * 9;
        assert!(!decides || mean < 0.9 * fixed, "{mean}, {fixed}");
    }
}

impl World {
    /// The fixed number of seeds that decides in the same share of races, between whole numbers.
    fn fixed(&self, stream: u8, decided: u64) -> f64 {
        let mut below = (1, 0);
        for seeds in 2.. {
            let mut noise = Noise::new(stream);
            let open = |noise: &mut Noise| {
                Race::is_open(&self.judged(&self.values(noise), seeds, cyclr::stats::ALPHA))
            };
            let now = (0..RACES).filter(|_| !open(&mut noise)).count() as u64;
            if now >= decided {
                let part = (decided - below.1) as f64 / (now - below.1) as f64;
                return below.0 as f64 + part;
            }
            below = (seeds, now);
            assert!(
                seeds < self.most,
                "no plan of at most {} seeds decides as often",
                self.most
            );
        }
        unreachable!("the loop has no end but these")
    }
}
