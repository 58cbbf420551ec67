use super::{DataError, Dataset, Examples, Part};
use crate::rng::{Purpose, Rng};

/// The three views that training, deciding and the final figure read.
#[derive(Clone, Debug)]
pub struct Splits {
    /// What is trained on, after the validation cut.
    pub train: Examples,
    /// What decides: the data set's own validation part, or cut out of the training part. Empty if
    /// there is neither.
    pub validation: Examples,
    /// Read once for each finished run. Empty if the data set has no test part.
    pub test: Examples,
}

impl Splits {
    /// The CRC-32 of each split, over its labels and pixels in order, as a text: other examples, or
    /// another split of them, give another text.
    pub fn checksum(&self) -> String {
        let [train, validation, test] =
            [&self.train, &self.validation, &self.test].map(Examples::checksum);
        format!("CRC-32 of training {train:08x}, validation {validation:08x}, test {test:08x}")
    }
}

impl Dataset {
    /// How many training examples are held out to decide by, if nobody says: a fifth, at most
    /// 5,000, but at least one of each class; none if the data set came with a validation part.
    pub fn usual_validation(&self) -> usize {
        if self.validation_len() > 0 {
            return 0;
        }
        let counts = Examples::whole(self, Part::Train).class_counts();
        let classes = counts.iter().filter(|&&count| count > 0).count();
        let fifth = (self.train_len() / 5).min(5000);
        fifth.max(classes).min(self.train_len() - classes)
    }

    /// Cuts `validation` examples out of the training part, the same for every run that uses the
    /// same data seed. If the data set came with a validation part, that is used, and `validation`
    /// must be 0.
    ///
    /// The cut is stratified: each class gives its share, rounded by largest remainder, but at
    /// least one example, and keeps at least one. `validation = 0` trains on everything.
    ///
    /// # Errors
    /// [`DataError::OwnValidation`] if the data set has a validation part and another is asked
    /// for; [`DataError::Validation`] if fewer examples are asked for than there are classes, or if
    /// a class would have none left; [`DataError::ClassTooSmall`] if a class has a single example.
    pub fn split(&self, validation: usize, data_seed: u64) -> Result<Splits, DataError> {
        let whole = Examples::whole(self, Part::Train);
        let test = Examples::whole(self, Part::Test);
        let own = self.validation_len();
        if own > 0 && validation > 0 {
            return Err(DataError::OwnValidation {
                asked: validation,
                found: own,
            });
        }
        if validation == 0 {
            return Ok(Splits {
                train: whole,
                validation: Examples::whole(self, Part::Validation),
                test,
            });
        }
        let counts = whole.class_counts();
        let quotas = self.quotas(&counts, validation)?;
        let cut = cut(&self.0.train.labels, &quotas, data_seed, Cut::Validation);
        let places = |held: bool| {
            (0..cut.len() as u32)
                .filter(|&place| cut[place as usize] == held)
                .collect()
        };
        Ok(Splits {
            train: Examples::new(self.clone(), Part::Train, places(false)),
            validation: Examples::new(self.clone(), Part::Train, places(true)),
            test,
        })
    }

    fn quotas(&self, counts: &[usize], held: usize) -> Result<Vec<usize>, DataError> {
        if let Some(class) = counts.iter().position(|&count| count == 1) {
            return Err(DataError::ClassTooSmall {
                class: self.classes()[class].clone(),
                images: 1,
                needed: 2,
                instead: "hold out none (--validation 0)",
            });
        }
        let total: usize = counts.iter().sum();
        let present = counts.iter().filter(|&&count| count > 0).count();
        if held < present || held > total - present {
            return Err(DataError::Validation {
                asked: held,
                least: present,
                most: total - present,
            });
        }
        Ok(share(counts, held))
    }
}

/// Divides `held` among the classes in proportion to their counts, each non-empty class getting
/// from 1 to one less than its count.
pub(super) fn share(counts: &[usize], held: usize) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let exact = |class: usize| held as u128 * counts[class] as u128;
    let bounds = |class: usize| (counts[class].min(1), counts[class].saturating_sub(1));
    let mut quotas: Vec<usize> = (0..counts.len())
        .map(|class| {
            let (least, most) = bounds(class);
            ((exact(class) / total as u128) as usize).clamp(least, most)
        })
        .collect();
    // One example at a time to (or from) the class that is furthest below (above) its exact share;
    // ties go to the lowest label. Rounding leaves fewer steps than there are classes, and the
    // bounds a few more.
    let lacking = |quotas: &[usize], class: usize| {
        exact(class).cast_signed() - (quotas[class] as u128 * total as u128).cast_signed()
    };
    while quotas.iter().sum::<usize>() < held {
        let open = (0..counts.len()).filter(|&class| quotas[class] < bounds(class).1);
        let Some(class) = open.rev().max_by_key(|&class| lacking(&quotas, class)) else {
            break;
        };
        quotas[class] += 1;
    }
    while quotas.iter().sum::<usize>() > held {
        let open = (0..counts.len()).filter(|&class| quotas[class] > bounds(class).0);
        let Some(class) = open.min_by_key(|&class| lacking(&quotas, class)) else {
            break;
        };
        quotas[class] -= 1;
    }
    quotas
}

/// Which of the labelled examples are held out, `quotas[label]` of each class, chosen by the data
/// seed for one of the two cuts there can be.
pub(super) fn cut(labels: &[u16], quotas: &[usize], data_seed: u64, which: Cut) -> Vec<bool> {
    let mut members = vec![Vec::new(); quotas.len()];
    for (place, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push(place);
    }
    let mut numbers = Rng::new(data_seed, Purpose::Validation, which as u64);
    let mut held = vec![false; labels.len()];
    for (members, &quota) in members.iter_mut().zip(quotas) {
        numbers.shuffle(members);
        for &place in &members[..quota] {
            held[place] = true;
        }
    }
    held
}

/// What is cut out of the examples; the number is the index of its random numbers.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    Validation = 0,
    Test = 1,
}
