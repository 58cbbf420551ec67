//! Study files: comparisons written down in TOML, so that they can be made again.

use cyclr::stats::Race;
use serde::Deserialize;

use super::plan::{share, updates_of_range_test};
use super::{Arm, ArmPolicy, BoundsSource, Plan, Tune};
use crate::Error;

/// A study: comparisons that belong together, each with what it trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// What it is about.
    pub title: String,
    /// The comparisons, in the file's order.
    pub comparisons: Vec<StudyComparison>,
}

/// One comparison of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyComparison {
    /// Its name, which is also the name of its folder.
    pub name: String,
    /// What is compared.
    pub plan: Plan,
    /// Whether the file gives its margin. The usual one suits accuracies alone.
    pub has_margin: bool,
    /// What is trained: the `[train]` table, with the comparison's own over it. Only the
    /// code that makes the trainer factory reads it.
    pub train: toml::Table,
}

/// A study file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    train: toml::Table,
    comparison: Vec<Written>,
}

/// A comparison as it is written; what is left out is as in [`Plan::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    title: Option<String>,
    #[serde(default)]
    train: toml::Table,
    updates: u64,
    seeds: Option<Vec<u64>>,
    race: Option<u64>,
    reference: String,
    margin: Option<f64>,
    evaluations: Option<u64>,
    budgets: Option<Vec<f64>>,
    branches: Option<bool>,
    multiples: Option<Vec<f64>>,
    tuning_seeds: Option<Vec<u64>>,
    rungs: Option<Vec<f64>>,
    rounds: Option<u32>,
    base_lr: Option<f64>,
    max_lr: Option<f64>,
    arm: Vec<Arm>,
}

impl Study {
    /// Reads a study file.
    ///
    /// # Errors
    /// [`Error::BadStudy`] with the line where it is no study.
    pub fn read(text: &str) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|e| bad(format!("{e}")))?;
        let comparisons: Vec<StudyComparison> = file
            .comparison
            .into_iter()
            .map(|written| written.comparison(&file.train))
            .collect::<Result<_, _>>()?;
        let same =
            |a: &StudyComparison| comparisons.iter().filter(|b| b.name == a.name).count() > 1;
        if let Some(comparison) = comparisons.iter().find(|comparison| same(comparison)) {
            return Err(bad(format!(
                "two comparisons are named `{}`",
                comparison.name
            )));
        }
        Ok(Self {
            title: file.title,
            comparisons,
        })
    }

    /// The study with these comparisons alone, in the file's order.
    ///
    /// # Errors
    /// [`Error::BadStudy`] if it does not have one of them.
    pub fn with_comparisons(mut self, names: &[String]) -> Result<Self, Error> {
        let declared: Vec<&str> = self
            .comparisons
            .iter()
            .map(|comparison| comparison.name.as_str())
            .collect();
        if let Some(name) = names.iter().find(|name| !declared.contains(&name.as_str())) {
            return Err(bad(format!(
                "there is no comparison `{name}`; there are {}",
                declared.join(", ")
            )));
        }
        self.comparisons
            .retain(|comparison| names.contains(&comparison.name));
        Ok(self)
    }

    /// The study with these arms alone, in the file's order.
    ///
    /// # Errors
    /// [`Error::BadStudy`] if a comparison does not have one of them, or they leave out its
    /// reference.
    pub fn with_arms(mut self, labels: &[String]) -> Result<Self, Error> {
        for StudyComparison { name, plan, .. } in &mut self.comparisons {
            for label in labels {
                plan.arm_of(label)
                    .map_err(|error| bad(format!("{name}: {error}")))?;
            }
            let reference = plan.arms[plan.reference].label.clone();
            if !labels.contains(&reference) {
                return Err(bad(format!(
                    "{name}: the reference {reference} must be among the arms that run"
                )));
            }
            plan.arms.retain(|arm| labels.contains(&arm.label));
            plan.reference = place_of(&reference, &plan.arms)?;
            plan.leave_out_what_no_arm_needs();
        }
        Ok(self)
    }

    /// The same study with `factor` times the updates, in budgets and specs alike. Its range tests
    /// are those of the scaled budgets.
    ///
    /// # Errors
    /// [`Error::BadStudy`] if the factor is not in (0, 1], or a spec cannot be shortened so far.
    pub fn scaled(mut self, factor: f64) -> Result<Self, Error> {
        if !(factor > 0.0 && factor <= 1.0) {
            return Err(bad(format!(
                "the scale is {factor}, and should be above 0 and at most 1"
            )));
        }
        let shorter = |updates| share(updates, factor);
        for StudyComparison { plan, .. } in &mut self.comparisons {
            plan.updates = shorter(plan.updates);
            if let BoundsSource::Found { updates, .. } = &mut plan.bounds {
                *updates = updates_of_range_test(plan.updates);
            }
            for arm in &mut plan.arms {
                arm.updates = arm.updates.map(shorter);
                if let ArmPolicy::Spec(spec) = &mut arm.policy {
                    let stretched = spec.stretched(factor);
                    *spec = stretched.map_err(|e| bad(format!("arm {}: {e}", arm.label)))?;
                }
            }
        }
        Ok(self)
    }
}

impl Written {
    fn comparison(self, train: &toml::Table) -> Result<StudyComparison, Error> {
        let usual = Plan::new(self.updates);
        let tuned = self.arm.iter().any(|arm| arm.tuned);
        let bounds = match (self.base_lr, self.max_lr) {
            (Some(base_lr), Some(max_lr)) => BoundsSource::Given { base_lr, max_lr },
            (None, None) => usual.bounds,
            _ => {
                return Err(bad(format!(
                    "{}: base_lr and max_lr belong together",
                    self.name
                )));
            }
        };
        if let Some(key) = self.key_of_tuning().filter(|_| !tuned) {
            return Err(bad(format!(
                "{}: `{key}` is about tuning, and no arm is tuned: leave it out, or let an arm be tuned",
                self.name
            )));
        }
        let tune = usual.tuning.map(|usual| Tune {
            multiples: self.multiples.unwrap_or(usual.multiples),
            seeds: self.tuning_seeds.unwrap_or(usual.seeds),
            rungs: self.rungs.unwrap_or(usual.rungs),
            rounds: self.rounds.unwrap_or(usual.rounds),
        });
        let race = self.race.map(Race::up_to).transpose();
        let race = race.map_err(|error| bad(format!("{}: {error}", self.name)))?;
        let seeds = self.race.map_or(usual.seeds, |most| (1..=most).collect());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(bad(format!(
                "a comparison is named `{}`: names are letters, digits, - and _",
                self.name
            )));
        }
        let mut plan = Plan {
            title: self.title.unwrap_or_else(|| self.name.clone()),
            reference: place_of(&self.reference, &self.arm)
                .map_err(|error| bad(format!("{}: {error}", self.name)))?,
            arms: self.arm,
            seeds: self.seeds.unwrap_or(seeds),
            added_seeds: Vec::new(),
            race,
            updates: self.updates,
            budgets: self.budgets.unwrap_or(usual.budgets),
            branches: self.branches.unwrap_or(usual.branches),
            tuning: tune,
            bounds,
            margin: self.margin.unwrap_or(usual.margin),
            evaluations: self.evaluations.unwrap_or(usual.evaluations),
        };
        plan.leave_out_what_no_arm_needs();
        Ok(StudyComparison {
            plan,
            has_margin: self.margin.is_some(),
            name: self.name,
            train: over(train, self.train),
        })
    }

    /// A key that says how arms are tuned, if there is one.
    fn key_of_tuning(&self) -> Option<&'static str> {
        [
            ("multiples", self.multiples.is_some()),
            ("tuning_seeds", self.tuning_seeds.is_some()),
            ("rungs", self.rungs.is_some()),
            ("rounds", self.rounds.is_some()),
        ]
        .into_iter()
        .find_map(|(key, is_there)| is_there.then_some(key))
    }
}

/// The arm of that label.
pub(super) fn place_of(label: &str, arms: &[Arm]) -> Result<usize, Error> {
    let place = arms.iter().position(|arm| arm.label == label);
    place.ok_or_else(|| Error::NoReference {
        reference: String::from(label),
        arms: arms
            .iter()
            .map(|arm| arm.label.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// `own` over `common`, key by key.
fn over(common: &toml::Table, own: toml::Table) -> toml::Table {
    let mut table = common.clone();
    table.extend(own);
    table
}

fn bad(reason: String) -> Error {
    Error::BadStudy { reason }
}

#[cfg(test)]
mod tests {
    use cyclr::trainer::TrainerInfo;

    use super::*;

    const DEMO: &str = include_str!("../../../../studies/demo.toml");
    const TABLE_1: &str = include_str!("../../../../studies/clr-table1.toml");
    const TABLE_3: &str = include_str!("../../../../studies/clr-table3.toml");
    const SUPER_CONVERGENCE: &str = include_str!("../../../../studies/super-convergence.toml");

    fn info(examples: u64) -> TrainerInfo {
        TrainerInfo {
            validation: 5_000,
            test: 10_000,
            momentum: true,
            weight_decay: true,
            snapshots: true,
            objective: Some(cyclr::trainer::Objective::ACCURACY),
            ..TrainerInfo::new(examples, 100)
        }
    }

    #[test]
    fn the_studies_are_plans_that_can_be_carried_out_at_any_scale() {
        for text in [DEMO, TABLE_1, TABLE_3, SUPER_CONVERGENCE] {
            for scale in [1.0, 0.1, 0.04] {
                let study = Study::read(text).unwrap().scaled(scale).unwrap();
                for comparison in &study.comparisons {
                    comparison.plan.check(&info(45_000)).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_smaller_scale_shortens_everything_alike() {
        let study = Study::read(TABLE_1).unwrap().scaled(0.04).unwrap();
        let plan = &study.comparisons[0].plan;
        assert_eq!(
            (plan.updates, plan.bounds, &plan.tuning),
            (2_800, BoundsSource::Unneeded, &None)
        );
        assert_eq!(
            (
                plan.arms[1].updates,
                plan.arms[1].policy.to_string().as_str()
            ),
            (
                Some(1_000),
                "triangular2(base=0.001, max=0.005, step=80) for 640 then \
                 triangular2(base=0.0001, max=0.0005, step=40) for 240 then \
                 triangular2(base=1e-5, max=5e-5, step=20) for 120"
            )
        );
    }

    #[test]
    fn a_scaled_study_has_the_range_test_of_its_own_budget() {
        let declared = DEMO.replace("updates = 1280", "updates = 128");
        let bounds = |study: Study| study.comparisons[0].plan.bounds;
        let scaled = Study::read(DEMO).unwrap().scaled(0.1).unwrap();
        assert_eq!(bounds(scaled), bounds(Study::read(&declared).unwrap()));
        assert!(bounds(Study::read(&declared).unwrap()).updates() < 3 * 128);
    }

    fn labels(labels: &[&str]) -> Vec<String> {
        labels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn some_comparisons_of_a_study_can_run_alone() {
        let study = || Study::read(TABLE_3).unwrap();
        let some = study().with_comparisons(&labels(&["rmsprop", "adam"]));
        let names: Vec<String> = some
            .unwrap()
            .comparisons
            .into_iter()
            .map(|p| p.name)
            .collect();
        assert_eq!(names, ["adam", "rmsprop"]);
        let refused = study().with_comparisons(&labels(&["adam", "lion"]));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("no comparison `lion`; there are nesterov, adam, rmsprop"),
            "{refused}"
        );
    }

    #[test]
    fn some_arms_of_a_study_can_run_alone() {
        let study = || Study::read(TABLE_1).unwrap();
        let some = study().with_arms(&labels(&["drops", "fixed"])).unwrap();
        let plan = &some.comparisons[0].plan;
        let left: Vec<&str> = plan.arms.iter().map(|arm| arm.label.as_str()).collect();
        assert_eq!((left, plan.reference), (vec!["fixed", "drops"], 0));
        for (wrong, said) in [
            (["fixed", "nothing"], "nothing"),
            (["drops", "exp"], "fixed"),
        ] {
            let refused = study().with_arms(&labels(&wrong)).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn arms_that_need_no_tuning_are_left_without_it() {
        let whole = DEMO.replace("reference = \"fixed\"", "reference = \"b\"")
            + &["b", "c"].map(untuned).concat();
        let study = || Study::read(&whole).unwrap();
        let plan = &study().comparisons[0].plan;
        assert!(plan.tuning.is_some() && plan.bounds.updates() > 0);
        let some = study().with_arms(&labels(&["b", "c"])).unwrap();
        let plan = &some.comparisons[0].plan;
        let left = (plan.tuning.clone(), plan.bounds);
        assert_eq!(left, (None, BoundsSource::Unneeded));
    }

    fn untuned(label: &str) -> String {
        format!(
            "\n[[comparison.arm]]\nlabel = \"{label}\"\npolicy = \"fixed(lr=0.1)\"\ntuned = false\n"
        )
    }

    #[test]
    fn an_untuned_name_has_the_peak_that_suits_it() {
        let text = DEMO.to_owned()
            + &["fixed", "triangular"]
                .map(|name| untuned(&format!("untuned {name}")).replace("fixed(lr=0.1)", name))
                .concat();
        let mut plan = Study::read(&text).unwrap().comparisons.remove(0).plan;
        let peaks = |plan: &Plan| {
            let arms = plan.arms.iter().rev().take(2);
            let spec = |arm: &Arm| arm.spec(Some((0.004, 0.1)), None, plan, &info(8_000));
            arms.map(|arm| spec(arm).unwrap().peak())
                .collect::<Vec<_>>()
        };
        assert_eq!(peaks(&plan), [0.07143, 0.025]);
        // Bounds that are given are meant.
        plan.bounds = BoundsSource::Given {
            base_lr: 0.004,
            max_lr: 0.1,
        };
        assert_eq!(peaks(&plan), [0.1, 0.1]);
    }

    #[test]
    fn figures_that_are_none_are_refused() {
        for (key, said) in [
            ("margin = 1e-120", "the margin is 0.000"),
            ("margin = 1e120", "1e100"),
        ] {
            let text = DEMO.replace("updates = 1280", &format!("updates = 1280\n{key}"));
            let plan = Study::read(&text).unwrap().comparisons.remove(0).plan;
            let refused = plan.check(&info(8_000)).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let text = TABLE_1.replacen("published = 81.4", "published = nan", 1);
        let plan = Study::read(&text).unwrap().comparisons.remove(0).plan;
        let refused = plan.check(&info(45_000)).unwrap_err().to_string();
        assert!(
            refused.contains("the published figure of an arm is NaN"),
            "{refused}"
        );
    }

    #[test]
    fn a_comparison_s_own_settings_stand_over_the_common_ones() {
        let study = Study::read(TABLE_3).unwrap();
        let optimizers = study
            .comparisons
            .iter()
            .map(|comparison| comparison.train["optimizer"].as_str().unwrap());
        assert_eq!(
            optimizers.collect::<Vec<_>>(),
            ["nesterov", "adam", "rmsprop", "adagrad", "adadelta"]
        );
        assert!(
            study
                .comparisons
                .iter()
                .all(|comparison| comparison.train["batch"].as_integer() == Some(100))
        );
        assert_eq!(study.comparisons[1].plan.arms[2].published, Some(81.1));
    }

    #[test]
    fn the_demo_has_three_whole_cycles_of_two_epochs_or_more_and_five_seeds() {
        let plan = &Study::read(DEMO).unwrap().comparisons[0].plan;
        let info = info(8_000);
        let spec = plan.arms[1]
            .spec(Some((0.01, 0.1)), None, plan, &info)
            .unwrap();
        let (_, schedule) = plan.arms[1].schedule(&spec, 1.0, plan, &info).unwrap();
        let troughs: Vec<u64> = schedule.troughs().collect();
        assert!(troughs.len() >= 3 && troughs[0] >= 2 * info.updates_per_epoch());
        assert_eq!((troughs.last(), plan.seeds.len()), (Some(&plan.updates), 5));
        assert!(plan.arms.iter().all(|arm| arm.tuned));
    }

    #[test]
    fn a_study_may_race() {
        let race = |keys: &str| {
            let text = DEMO.replace("updates = 1280", &format!("updates = 1280\n{keys}"));
            Study::read(&text)
        };
        let plan = race("race = 12").unwrap().comparisons.remove(0).plan;
        assert_eq!(plan.seeds, (1..=12).collect::<Vec<_>>());
        assert_eq!(plan.race.unwrap().looks(), [3, 6, 9, 12]);
        let plan = race("race = 8\nseeds = [11, 12]")
            .unwrap()
            .comparisons
            .remove(0)
            .plan;
        let refused = plan.check(&info(8_000)).unwrap_err().to_string();
        assert!(refused.contains("as many seeds"), "{refused}");
        assert!(
            race("race = 7")
                .unwrap_err()
                .to_string()
                .contains("demo: the most seeds")
        );
    }

    #[test]
    fn bad_studies_are_refused_with_their_place() {
        for (text, said) in [
            ("", "title"),
            ("title = 1", "string"),
            ("title = \"x\"\ncomparison = []\nseed = 3", "seed"),
            (
                &TABLE_1.replace("updates = 70000", "updates = 70000\nrungs = [0.5, 1.0]"),
                "`rungs` is about tuning",
            ),
            (&DEMO.replace("\"demo\"", "\"../demo\""), "letters, digits"),
            (&DEMO.replace("updates = 1280", "updates = -1"), "updates"),
        ] {
            let refused = Study::read(text).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        assert!(Study::read(DEMO).unwrap().scaled(0.0).is_err());
        assert!(Study::read(DEMO).unwrap().scaled(f64::NAN).is_err());
    }
}
