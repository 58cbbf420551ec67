//! Decoded, recoloured and resized images, and the statistics of the embedded data, against Pillow
//! and `numpy` (`data_golden/make.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::{fs, path::Path};

use cyclr_engine::data::{Color, Dataset, Normalization, OpenOptions};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("data_golden/expected.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let byte = |value: &Value| u8::try_from(value.as_u64().unwrap()).unwrap();
    value.as_array().unwrap().iter().map(byte).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().unwrap();
    value.as_array().unwrap().iter().map(number).collect()
}

/// The pixels of a golden image, read as the training example of a folder of two classes.
fn read(name: &str, color: Color, size: Option<u32>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for place in ["train/a", "train/b", "test/a"] {
        let place = folder.path().join(place);
        fs::create_dir_all(&place).unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_golden");
        fs::copy(golden.join(name), place.join(name)).unwrap();
    }
    let options = OpenOptions {
        size,
        color: Some(color),
        data_seed: 0,
    };
    let data = Dataset::open(folder.path(), &options).unwrap();
    data.split(0, 0).unwrap().train.image(0).to_vec()
}

fn is(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

fn farthest(found: &[u8], expected: &[u8]) -> u8 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn png_equals_pillow() {
    for (name, expected) in golden()["images"].as_object().unwrap() {
        if is(name, "png") {
            let read = |color| read(name, color, None);
            assert_eq!(read(Color::Rgb), bytes(&expected["rgb"]), "{name}");
            assert_eq!(read(Color::Gray), bytes(&expected["gray"]), "{name}");
        }
    }
}

/// JPEG leaves the rounding of the cosine transform and of colours open, so decoders differ by a
/// little.
#[test]
fn jpeg_is_near_pillow() {
    for (name, expected) in golden()["images"].as_object().unwrap() {
        if is(name, "jpg") {
            for (color, key) in [(Color::Rgb, "rgb"), (Color::Gray, "gray")] {
                let off = farthest(&read(name, color, None), &bytes(&expected[key]));
                assert!(off <= 3, "{name} {key}: {off}");
            }
        }
    }
}

#[test]
fn resizing_equals_pillow() {
    for name in ["rgb.png", "gray.png"] {
        let expected = &golden()["images"][name]["resized"];
        for (size, expected) in expected.as_object().unwrap() {
            let size = Some(size.parse().unwrap());
            let found = read(name, Color::Rgb, size);
            assert_eq!(found, bytes(&expected["rgb"]), "{name} {size:?}");
            let found = read(name, Color::Gray, size);
            assert_eq!(found, bytes(&expected["gray"]), "{name} {size:?}");
        }
    }
}

#[test]
fn embedded_data_is_what_numpy_reads() {
    let data = Dataset::embedded();
    let splits = data.split(0, 0).unwrap();
    let summary = data.summary();
    assert_eq!(summary.train.per_class, [1000; 10]);
    assert_eq!(summary.test.per_class, [200; 10]);
    for (part, key, summary) in [
        (&splits.train, "train", &summary.train),
        (&splits.test, "t10k", &summary.test),
    ] {
        let expected = &golden()["subset"][key];
        let labels: Vec<u8> = (0..50).map(|pick| part.label(pick) as u8).collect();
        assert_eq!(labels, bytes(&expected["first_labels"]));
        let mut sums = [0_u64; 10];
        for pick in 0..part.len() as u32 {
            let sum: u64 = part.image(pick).iter().map(|&p| u64::from(p)).sum();
            sums[usize::from(part.label(pick))] += sum;
        }
        let class_sums: Vec<u64> = numbers(&expected["class_sums"])
            .iter()
            .map(|&n| n as u64)
            .collect();
        assert_eq!(sums.to_vec(), class_sums);
        let (mean, std) = summary.channels[0];
        assert!((mean - expected["mean"].as_f64().unwrap()).abs() < 1e-10);
        assert!((std - expected["std"].as_f64().unwrap()).abs() < 1e-10);
    }
}

#[test]
fn normalizations_equal_numpy() {
    let train = Dataset::embedded().split(0, 0).unwrap().train;
    let expected = &golden()["subset"]["train"];
    let near = |found: &[f32], expected: &[f64]| {
        let pairs = found.iter().zip(expected);
        let off = pairs.map(|(&f, &e)| (f64::from(f) - e).abs() / e.abs().max(1e-3));
        assert!(off.fold(0.0, f64::max) < 1e-6);
    };
    let means = numbers(&expected["pixel_mean"]);
    let one_over = |std: &f64| if *std > 0.0 { 1.0 / std } else { 1.0 };
    let scales: Vec<f64> = numbers(&expected["pixel_std"])
        .iter()
        .map(one_over)
        .collect();
    let per_pixel = Normalization::per_pixel(&train);
    near(per_pixel.mean(), &means);
    near(per_pixel.scale(), &scales);
    let pixel_mean = Normalization::pixel_mean(&train);
    near(pixel_mean.mean(), &means);
    assert!(pixel_mean.scale().iter().all(|&scale| scale == 1.0));
    let per_channel = Normalization::per_channel(&train);
    near(
        per_channel.mean(),
        &[expected["mean"].as_f64().unwrap(); 784],
    );
    near(
        per_channel.scale(),
        &[1.0 / expected["std"].as_f64().unwrap(); 784],
    );
}
