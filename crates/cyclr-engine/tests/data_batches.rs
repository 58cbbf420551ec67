//! Splits, orders and views: properties, and brute force where there is a formula.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::collections::BTreeSet;

use cyclr_engine::data::{
    Augment, Batches, DataError, Dataset, Examples, Images, Normalization, Order, Shape, View,
};
use proptest::prelude::*;

/// A data set whose every image is one pixel, the number of the example.
fn numbered(labels: &[u16], classes: usize) -> Dataset {
    let shape = Shape {
        height: 1,
        width: 2,
        channels: 1,
    };
    let pixels = (0..labels.len() as u32)
        .flat_map(|i| [(i >> 8) as u8, i as u8])
        .collect();
    let names = (0..classes).map(|class| class.to_string()).collect();
    let train = Images {
        pixels,
        labels: labels.to_vec(),
    };
    Dataset::new(shape, names, train, Images::default()).unwrap()
}

fn number(examples: &Examples, pick: u32) -> u32 {
    let image = examples.image(pick);
    u32::from(image[0]) << 8 | u32::from(image[1])
}

fn numbers(examples: &Examples) -> Vec<u32> {
    (0..examples.len() as u32)
        .map(|pick| number(examples, pick))
        .collect()
}

proptest! {
    #[test]
    fn an_epoch_sees_every_example_once(examples in 1_usize..300, batch in 1_usize..300, seed: u64, epoch in 0_u64..1 << 40) {
        prop_assume!(batch <= examples);
        let mut batches = Batches::new(examples, batch, Order::Shuffled, seed).unwrap();
        let updates = batches.updates_per_epoch();
        prop_assert_eq!(updates, examples.div_ceil(batch) as u64);
        let mut seen = Vec::new();
        for update in 0..updates {
            let picks = batches.at(epoch * updates + update).to_vec();
            let last = update + 1 == updates;
            prop_assert_eq!(picks.len(), if last { examples - (updates as usize - 1) * batch } else { batch });
            seen.extend(picks);
        }
        seen.sort_unstable();
        prop_assert!(seen.into_iter().eq(0..examples as u32));
    }

    #[test]
    fn a_batch_depends_on_its_update_alone(examples in 1_usize..200, batch in 1_usize..50, seed: u64, updates in prop::collection::vec(0_u64..100, 1..20), stored: bool) {
        prop_assume!(batch <= examples);
        let order = if stored { Order::Stored } else { Order::Shuffled };
        let fresh = || Batches::new(examples, batch, order, seed).unwrap();
        let mut used = fresh();
        for update in updates {
            let expected = fresh().at(update).to_vec();
            prop_assert_eq!(used.at(update), &expected);
        }
    }

    #[test]
    fn stored_order_goes_round_without_a_seam(examples in 1_usize..100, batch in 1_usize..100) {
        prop_assume!(batch <= examples);
        let mut batches = Batches::new(examples, batch, Order::Stored, 0).unwrap();
        let seen: Vec<u32> = (0..20).flat_map(|update| batches.at(update).to_vec()).collect();
        let endless: Vec<u32> = (0..examples as u32).cycle().take(20 * batch).collect();
        prop_assert_eq!(seen, endless);
    }

    #[test]
    fn far_updates_are_no_different(batch in 1_usize..7, stored: bool, update in u64::MAX - 5..=u64::MAX) {
        let order = if stored { Order::Stored } else { Order::Shuffled };
        let mut batches = Batches::new(7, batch, order, 1).unwrap();
        let picks = batches.at(update).to_vec();
        prop_assert!(!picks.is_empty() && picks.iter().all(|&pick| pick < 7));
        if stored {
            let start = (u128::from(update) * batch as u128 % 7) as u32;
            prop_assert_eq!(picks[0], start);
        }
    }

    #[test]
    fn a_split_is_disjoint_whole_and_stratified(counts in prop::collection::vec(2_usize..60, 2..8), share in 0.0_f64..1.0, data_seed: u64) {
        let labels: Vec<u16> = counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class as u16, n)).collect();
        let (total, classes) = (labels.len(), counts.len());
        let held = classes + ((total - 2 * classes) as f64 * share) as usize;
        let data = numbered(&labels, classes);
        let splits = data.split(held, data_seed).unwrap();
        prop_assert_eq!(splits.validation.len(), held);
        let (train, validation) = (numbers(&splits.train), numbers(&splits.validation));
        let union: BTreeSet<u32> = train.iter().chain(&validation).copied().collect();
        prop_assert_eq!(train.len() + validation.len(), total);
        prop_assert_eq!(union.len(), total);
        for pick in 0..splits.validation.len() as u32 {
            prop_assert_eq!(splits.validation.label(pick), labels[number(&splits.validation, pick) as usize]);
        }
        // Where the bounds of one example a side do not bite, each class is within one of its
        // share.
        let exact = |n: usize| n as f64 * held as f64 / total as f64;
        let free = counts.iter().all(|&n| (1.0..=n as f64 - 1.0).contains(&exact(n)));
        for (&n, &got) in counts.iter().zip(&splits.validation.class_counts()) {
            prop_assert!(got >= 1 && got < n);
            prop_assert!(!free || (got as f64 - exact(n)).abs() < 1.0, "{} of {}, exactly {}", got, n, exact(n));
        }
        let again = numbered(&labels, classes).split(held, data_seed).unwrap();
        prop_assert_eq!(validation, numbers(&again.validation));
    }

    #[test]
    fn a_view_is_a_crop_of_the_padded_image(height in 1_usize..9, width in 1_usize..9, channels in 1_usize..4, down in -10_i32..=10, right in -10_i32..=10, mirrored: bool, seed: u64) {
        let shape = Shape { height, width, channels };
        let image: Vec<u8> = (0..shape.values() as u64).map(|i| (i.wrapping_mul(seed | 1) >> 3) as u8).collect();
        let train = Images { pixels: [&image[..], &image[..]].concat(), labels: vec![0, 1] };
        let data = Dataset::new(shape, vec!["a".into(), "b".into()], train, Images::default()).unwrap();
        let train = data.split(0, 0).unwrap().train;
        let mut found = vec![0.0; 2 * shape.values()];
        let views = [View::default(), View { down, right, mirrored }];
        train.fill_views(&[0, 1], &views, &Normalization::unit(shape), &mut found);
        let (unmoved, found) = found.split_at(shape.values());
        prop_assert!(unmoved.iter().zip(&image).all(|(&found, &pixel)| found == f32::from(pixel) * (1.0 / 255.0)));
        let padded = |y: isize, x: isize, c: usize| {
            let inside = (0..height.cast_signed()).contains(&y) && (0..width.cast_signed()).contains(&x);
            if inside { image[(y.cast_unsigned() * width + x.cast_unsigned()) * channels + c] } else { 0 }
        };
        for y in 0..height {
            for x in 0..width {
                for c in 0..channels {
                    let column = if mirrored { width - 1 - x } else { x };
                    let expected = padded(y.cast_signed() + down as isize, column.cast_signed() + right as isize, c);
                    prop_assert_eq!(found[(y * width + x) * channels + c], f32::from(expected) * (1.0 / 255.0));
                }
            }
        }
    }

    #[test]
    fn views_depend_on_seed_update_and_position_alone(pad in 0_u16..9, flip: bool, seed: u64, update: u64, count in 1_usize..50) {
        let augment = Augment { pad, flip };
        let views = augment.views(seed, update, count);
        prop_assert_eq!(&views, &augment.views(seed, update, 50)[..count]);
        let pad = i32::from(pad);
        for view in views {
            prop_assert!((-pad..=pad).contains(&view.down) && (-pad..=pad).contains(&view.right));
            prop_assert!(flip || !view.mirrored);
        }
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let epoch = |seed, epoch| {
        Batches::new(100, 100, Order::Shuffled, seed)
            .unwrap()
            .at(epoch)
            .to_vec()
    };
    assert_ne!(epoch(1, 0), epoch(1, 1));
    assert_ne!(epoch(1, 0), epoch(2, 0));
    assert_ne!(epoch(1, 0), (0..100).collect::<Vec<u32>>());
    let views = |seed, update| Augment { pad: 4, flip: true }.views(seed, update, 100);
    assert_ne!(views(1, 0), views(1, 1));
    assert_ne!(views(1, 0), views(2, 0));
    let data = Dataset::embedded();
    let validation = |data_seed| data.split(1000, data_seed).unwrap().validation;
    let labels = |part: Examples| -> Vec<u16> { (0..1000).map(|pick| part.label(pick)).collect() };
    assert_ne!(labels(validation(1)), labels(validation(2)));
}

/// All 9 × 9 shifts and both sides come up, evenly: χ² of 162 cells stays under its 0.9999
/// quantile (about 235).
#[test]
fn views_are_evenly_spread() {
    let mut counts = [0_u32; 162];
    for update in 0..1000 {
        for view in (Augment { pad: 4, flip: true }).views(3, update, 100) {
            let cell = (view.down + 4) * 18 + (view.right + 4) * 2 + i32::from(view.mirrored);
            counts[cell as usize] += 1;
        }
    }
    let expected = 100_000.0 / 162.0;
    let squares = counts
        .iter()
        .map(|&n| (f64::from(n) - expected).powi(2) / expected);
    let chi_square: f64 = squares.sum();
    assert!(chi_square < 235.0, "{chi_square}");
}

/// What is held out unasked can be held out: with one of each class on both sides.
#[test]
fn the_usual_validation_is_possible_whatever_the_classes() {
    for (counts, expected) in [
        (&[2, 2, 2, 2][..], 4),
        (&[4; 30], 30),
        (&[3, 0, 4], 2),
        (&[100, 100], 40),
        (&[30_000, 30_000], 5000),
        (&[2, 3], 2),
    ] {
        let each = counts.iter().enumerate();
        let labels = each.flat_map(|(class, &n)| std::iter::repeat_n(class as u16, n));
        let data = numbered(&labels.collect::<Vec<_>>(), counts.len());
        assert_eq!(data.usual_validation(), expected, "{counts:?}");
        let splits = data.split(data.usual_validation(), 0).unwrap();
        assert_eq!(splits.validation.len(), expected);
    }
}

#[test]
fn impossible_batches_and_splits_are_refused() {
    for (examples, batch) in [(10, 0), (10, 11), (0, 1), (0, 0)] {
        let error = Batches::new(examples, batch, Order::Shuffled, 0).unwrap_err();
        assert!(matches!(error, DataError::Batch { .. }), "{error}");
    }
    let data = numbered(&[0, 0, 0, 1, 1], 2);
    for asked in [1, 4, 5, 6, usize::MAX] {
        let error = data.split(asked, 0).unwrap_err();
        assert!(
            matches!(
                error,
                DataError::Validation {
                    least: 2,
                    most: 3,
                    ..
                }
            ),
            "{error}"
        );
    }
    let error = numbered(&[0, 0, 0, 1], 2).split(2, 0).unwrap_err();
    assert!(
        matches!(&error, DataError::ClassTooSmall { class, images: 1, .. } if class == "1"),
        "{error}"
    );
    // Exact shares are 0.09, 0.09, 4.27 and 2.56: the small classes' one each is taken from the
    // third, which is best off.
    let labels = [vec![0; 2], vec![1; 2], vec![2; 100], vec![3; 60]].concat();
    let validation = numbered(&labels, 4).split(7, 0).unwrap().validation;
    assert_eq!(validation.class_counts(), [1, 1, 3, 2]);
    // A class without any example is no hindrance.
    assert_eq!(
        numbered(&[0, 0, 2, 2], 3)
            .split(2, 0)
            .unwrap()
            .validation
            .class_counts(),
        [1, 0, 1]
    );
}

#[test]
fn contradictions_in_memory_are_refused() {
    let shape = Shape {
        height: 1,
        width: 1,
        channels: 1,
    };
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let images = |pixels: &[u8], labels: &[u16]| Images {
        pixels: pixels.to_vec(),
        labels: labels.to_vec(),
    };
    let new = |train, test| Dataset::new(shape, names(), train, test);
    assert!(new(images(&[1, 2], &[0, 1]), images(&[3], &[1])).is_ok());
    let refused = |train, test| new(train, test).unwrap_err();
    let none = Images::default;
    assert!(matches!(
        refused(images(&[1, 2, 3], &[0, 1]), none()),
        DataError::Contents { .. }
    ));
    assert!(matches!(
        refused(none(), none()),
        DataError::Contents { .. }
    ));
    assert!(matches!(
        refused(images(&[1, 2], &[0, 2]), none()),
        DataError::LabelRange {
            label: 2,
            record: 1,
            ..
        }
    ));
    assert!(matches!(
        refused(images(&[1, 2], &[1, 1]), none()),
        DataError::OneClass { .. }
    ));
    assert!(matches!(
        refused(images(&[1, 2], &[0, 1]), images(&[3], &[7])),
        DataError::LabelRange { label: 7, .. }
    ));
    for height in [0, usize::MAX] {
        let shape = Shape {
            height,
            width: 2,
            ..shape
        };
        let error = Dataset::new(shape, names(), images(&[], &[0, 1]), none()).unwrap_err();
        assert!(matches!(error, DataError::Contents { .. }));
    }
    // They are written to the model's file, and `cyclr predict` prints them.
    let names = vec!["a".to_owned(), "\u{1b}[2Jb".to_owned()];
    let error = Dataset::new(shape, names, images(&[1, 2], &[0, 1]), none()).unwrap_err();
    assert!(matches!(
        error,
        DataError::UnseenName {
            unseen: '\u{1b}',
            ..
        }
    ));
}

#[test]
fn clones_share_the_pixels() {
    let data = Dataset::embedded();
    let (one, two) = (
        data.split(1000, 0).unwrap(),
        Dataset::embedded().clone().split(0, 0).unwrap(),
    );
    let place = |splits: &Examples, pick| splits.image(pick).as_ptr();
    assert_eq!(place(&one.test, 0), place(&two.test, 0));
}

/// The values are those of arithmetic by hand, in the order of the picks.
#[test]
fn batches_are_filled_in_the_order_of_the_picks() {
    let shape = Shape {
        height: 1,
        width: 2,
        channels: 1,
    };
    let train = Images {
        pixels: vec![0, 10, 4, 10, 8, 10],
        labels: vec![0, 1, 0],
    };
    let data = Dataset::new(
        shape,
        vec!["a".into(), "b".into()],
        train,
        Images::default(),
    )
    .unwrap();
    let train = data.split(0, 0).unwrap().train;
    let mut out = [0.0; 4];
    train.fill(&[2, 0], &Normalization::pixel_mean(&train), &mut out);
    assert_eq!(out, [4.0, 0.0, -4.0, 0.0]);
    train.fill(&[2, 0], &Normalization::per_pixel(&train), &mut out);
    // The deviation of 0, 4, 8 is √(32/3); a value that never varies becomes 0.
    assert_eq!(out, [1.224_744_9, 0.0, -1.224_744_9, 0.0]);
    train.fill(&[1], &Normalization::per_channel(&train), &mut out[..2]);
    // Mean 7, deviation and the deviation: of 0, 10, 4, 10, 8, 10: squares sum to 380, 380/6 - 49
    // = 43/3.
    let deviation = (43.0_f64 / 3.0).sqrt();
    assert_eq!(
        out[..2],
        [(-3.0 / deviation) as f32, (3.0 / deviation) as f32]
    );
}

/// Python: `zlib.crc32(b"".join(struct.pack("<H", label) for label in [0, 1, 0, 1]) + bytes([0, 0, 0, 1, 0, 2, 0, 3]))`,
/// and `zlib.crc32(b"") == 0`.
#[test]
fn the_checksum_is_that_of_every_label_and_pixel() {
    let checksum = |data: &Dataset| data.split(0, 0).unwrap().checksum();
    assert_eq!(
        checksum(&numbered(&[0, 1, 0, 1], 2)),
        "CRC-32 of training 399b6d79, validation 00000000, test 00000000"
    );
}

#[test]
fn other_examples_or_splits_have_another_checksum() {
    let labels: Vec<u16> = (0..400).map(|i| i % 2).collect();
    let pixels = |turned: usize| -> Vec<u8> {
        (0..800)
            .map(|at| at as u8 ^ u8::from(at == turned))
            .collect()
    };
    let checksum = |labels: &[u16], pixels: Vec<u8>, data_seed| {
        let shape = Shape {
            height: 1,
            width: 2,
            channels: 1,
        };
        let names = vec!["a".into(), "b".into()];
        let labels = labels.to_vec();
        let train = Images { pixels, labels };
        let data = Dataset::new(shape, names, train, Images::default()).unwrap();
        data.split(100, data_seed).unwrap().checksum()
    };
    let whole = checksum(&labels, pixels(usize::MAX), 0);
    assert_eq!(checksum(&labels, pixels(usize::MAX), 0), whole);
    let mut seen = BTreeSet::from([whole, checksum(&labels, pixels(usize::MAX), 1)]);
    seen.extend((0..800).map(|turned| checksum(&labels, pixels(turned), 0)));
    let mut corrected = labels.clone();
    corrected.swap(6, 7);
    seen.insert(checksum(&corrected, pixels(usize::MAX), 0));
    assert_eq!(seen.len(), 803);
}
