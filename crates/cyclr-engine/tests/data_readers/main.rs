//! Files written here byte by byte are read back, and broken ones are refused with the right
//! error.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use cyclr_engine::data::{Color, DataError, Dataset, Examples, OpenOptions, Shape};
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

/// Asserts which error it is, and shows it where it is another.
macro_rules! check_error {
    ($error:expr, $pattern:pat $(if $guard:expr)?) => {
        let error = $error;
        assert!(matches!(&error, $pattern $(if $guard)?), "{error}");
    };
}

mod folders;

/// A folder with these files, which disappears with the value.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn open(folder: &TempDir) -> Result<Dataset, DataError> {
    Dataset::open(folder.path(), &OpenOptions::default())
}

fn refused(files: &[(&str, Vec<u8>)]) -> DataError {
    open(&folder(files)).unwrap_err()
}

/// Bytes that differ from place to place.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let next = |state: &mut u64| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        Some((*state >> 33) as u8)
    };
    std::iter::repeat_n((), length)
        .scan(seed, |state, ()| next(state))
        .collect()
}

fn idx(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let head = std::iter::once(&magic).chain(sizes);
    head.flat_map(|word| word.to_be_bytes())
        .chain(body.iter().copied())
        .collect()
}

fn idx_images(count: u32, seed: u64) -> Vec<u8> {
    idx(0x803, &[count, 3, 4], &noise(count as usize * 12, seed))
}

fn idx_labels(labels: &[u8]) -> Vec<u8> {
    idx(0x801, &[labels.len() as u32], labels)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// A sound IDX set, with one file replaced.
fn idx_set(name: &'static str, content: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![
        (TRAIN_IMAGES, idx_images(5, 1)),
        (TRAIN_LABELS, idx_labels(&[0, 2, 1, 0, 2])),
        (TEST_IMAGES, idx_images(2, 2)),
        (TEST_LABELS, idx_labels(&[1, 2])),
    ];
    files.retain(|(file, _)| *file != name);
    files.push((name, content));
    files
}

fn check(part: &Examples, pixels: &[u8], labels: &[u8]) {
    assert_eq!(part.len(), labels.len());
    let values = part.shape().values();
    for (pick, (pixels, &label)) in pixels.chunks(values).zip(labels).enumerate() {
        assert_eq!(part.image(pick as u32), pixels, "image {pick}");
        assert_eq!(part.label(pick as u32), u16::from(label), "label {pick}");
    }
}

fn check_idx(files: &[(&str, Vec<u8>)]) {
    let data = open(&folder(files)).unwrap();
    let shape = Shape {
        height: 3,
        width: 4,
        channels: 1,
    };
    assert_eq!(data.shape(), shape);
    assert_eq!(data.classes(), ["0", "1", "2"]);
    let splits = data.split(0, 0).unwrap();
    check(&splits.train, &noise(60, 1), &[0, 2, 1, 0, 2]);
    check(&splits.test, &noise(24, 2), &[1, 2]);
    assert!(splits.validation.is_empty());
}

#[test]
fn idx_is_read_back() {
    let plain = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    check_idx(&plain);
    let renamed = |name: &dyn Fn(&str) -> String, content: &dyn Fn(&[u8]) -> Vec<u8>| {
        let files: Vec<(String, Vec<u8>)> =
            plain.iter().map(|(n, c)| (name(n), content(c))).collect();
        check_idx(
            &files
                .iter()
                .map(|(n, c)| (n.as_str(), c.clone()))
                .collect::<Vec<_>>(),
        );
    };
    renamed(&|name| format!("{name}.gz"), &gzip);
    renamed(
        &|name| format!("emnist-letters-{}", name.replace("t10k", "test")),
        &<[u8]>::to_vec,
    );
    renamed(&|name| name.replace("-idx", ".idx"), &<[u8]>::to_vec);
    // Two members, as `cat a.gz b.gz` makes them, are one stream.
    renamed(&|name| format!("{name}.gz"), &|content| {
        let (a, b) = content.split_at(7);
        [gzip(a), gzip(b)].concat()
    });
    // Plain files are preferred to compressed ones of the same name.
    let mut both = plain.clone();
    both.push(("train-images-idx3-ubyte.gz", gzip(b"not looked at")));
    check_idx(&both);
}

#[test]
fn broken_idx_is_refused() {
    let with = |name, content| refused(&idx_set(name, content));
    let images = idx_images(5, 1);
    check_error!(
        with(TRAIN_IMAGES, images[..images.len() - 1].to_vec()),
        DataError::Truncated {
            promised: 76,
            possible: 75,
            ..
        }
    );
    check_error!(
        with(TRAIN_IMAGES, images[..10].to_vec()),
        DataError::Truncated {
            promised: 16,
            possible: 10,
            ..
        }
    );
    check_error!(
        with(TRAIN_IMAGES, Vec::new()),
        DataError::Truncated { possible: 0, .. }
    );
    check_error!(
        with(TRAIN_IMAGES, [&images[..], &[0]].concat()),
        DataError::TooLong { promised: 76, .. }
    );
    check_error!(
        with(TRAIN_IMAGES, idx(0x0d03, &[5, 3, 4], &noise(240, 1))),
        DataError::Magic {
            found: 0x0d03,
            expected: 0x803,
            ..
        }
    );
    check_error!(
        with(TRAIN_LABELS, images.clone()),
        DataError::Magic {
            found: 0x803,
            expected: 0x801,
            ..
        }
    );
    check_error!(
        with(TRAIN_LABELS, idx_labels(&[0, 1, 2, 0])),
        DataError::CountMismatch {
            images: 5,
            labels: 4,
            ..
        }
    );
    // The file that has the label is named, and no other.
    check_error!(
        with(TEST_LABELS, idx_labels(&[1, 3])),
        DataError::LabelRange {
            source_name,
            record: 1,
            label: 3,
            classes: 3,
        } if source_name.ends_with(TEST_LABELS)
    );
    check_error!(
        with(TRAIN_LABELS, idx_labels(&[0; 5])),
        DataError::OneClass { source_name, images: 5, .. } if source_name.ends_with(TRAIN_LABELS)
    );
    check_error!(
        with(TRAIN_IMAGES, idx(0x803, &[0, 3, 4], &[])),
        DataError::Header { count: 0, .. }
    );
    check_error!(
        with(TRAIN_IMAGES, idx(0x803, &[5, 3, 0], &[])),
        DataError::Header { width: 0, .. }
    );
    check_error!(
        with(TEST_IMAGES, idx(0x803, &[2, 4, 3], &noise(24, 1))),
        DataError::UnlikeFiles { .. }
    );
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let huge = idx(0x803, &[u32::MAX, 1 << 16, 1 << 16], &[1; 1000]);
    check_error!(
        refused(&idx_set(TRAIN_IMAGES, huge.clone())),
        DataError::Truncated { possible: 1016, .. }
    );
    let mut files = idx_set(TRAIN_IMAGES, huge.clone());
    files.retain(|(name, _)| *name != TRAIN_IMAGES);
    files.push(("train-images-idx3-ubyte.gz", gzip(&huge)));
    check_error!(refused(&files), DataError::Truncated { .. });
    // A bomb: ten megabytes of zeros after a header that promises 60 bytes are not unpacked.
    files.pop();
    let bomb = idx(0x803, &[5, 3, 4], &vec![0; 10_000_000]);
    files.push(("train-images-idx3-ubyte.gz", gzip(&bomb)));
    assert!(matches!(
        refused(&files),
        DataError::TooLong { promised: 76, .. }
    ));
}

#[test]
fn broken_gzip_is_refused() {
    let sound = gzip(&idx_images(5, 1));
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let mut checksum = sound.clone();
    let end = checksum.len() - 6;
    checksum[end] ^= 1;
    let trailing = [&sound[..], b"trailing"].concat();
    for content in [
        sound[..sound.len() - 20].to_vec(),
        damaged,
        checksum,
        trailing,
        b"plain".to_vec(),
    ] {
        let mut files = idx_set(TRAIN_IMAGES, Vec::new());
        files.retain(|(name, _)| *name != TRAIN_IMAGES);
        files.push(("train-images-idx3-ubyte.gz", content));
        check_error!(
            refused(&files),
            DataError::Gzip { .. } | DataError::Magic { .. }
        );
    }
}

#[test]
fn missing_and_doubled_files_are_named() {
    let mut files = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    files.push(("fashion-train-images-idx3-ubyte", idx_images(5, 1)));
    check_error!(refused(&files), DataError::Several { found, .. } if found.len() == 2);
    files.pop();
    files.retain(|(name, _)| *name != TEST_LABELS);
    check_error!(refused(&files), DataError::MissingFile { path } if path.contains(TEST_LABELS));
}

const CIFAR10: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// One CIFAR record: label bytes, then the red, the green and the blue plane.
fn record(labels: &[u8], seed: u64) -> Vec<u8> {
    [labels, &noise(3072, seed)].concat()
}

/// Pixels as they should come out: interleaved.
fn interleaved(seed: u64) -> Vec<u8> {
    let planes = noise(3072, seed);
    let pixel = |at: usize| [planes[at], planes[1024 + at], planes[2048 + at]];
    (0..1024).flat_map(pixel).collect()
}

fn cifar10_set() -> Vec<(&'static str, Vec<u8>)> {
    let file = |n: u64| {
        (0..70)
            .flat_map(move |i| record(&[((n + i) % 10) as u8], 100 * n + i))
            .collect()
    };
    CIFAR10.into_iter().zip((0..6).map(file)).collect()
}

#[test]
fn cifar10_is_read_back() {
    let mut files = cifar10_set();
    let splits = open(&folder(&files)).unwrap().split(0, 0).unwrap();
    let numbers = |files: std::ops::Range<u64>| files.flat_map(|n| (0..70).map(move |i| (n, i)));
    for (part, files) in [(&splits.train, 0..5), (&splits.test, 5..6)] {
        let labels: Vec<u8> = numbers(files.clone())
            .map(|(n, i)| ((n + i) % 10) as u8)
            .collect();
        let pixels: Vec<u8> = numbers(files)
            .flat_map(|(n, i)| interleaved(100 * n + i))
            .collect();
        check(part, &pixels, &labels);
    }
    assert_eq!(splits.train.dataset().classes()[9], "9");
    files.push((
        "batches.meta.txt",
        b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n".to_vec(),
    ));
    assert_eq!(open(&folder(&files)).unwrap().classes()[9], "j");
    // Ten names, and an eleventh after 64 KiB.
    let names = &mut files.last_mut().unwrap().1;
    names.resize((1 << 16) + 5, b'\n');
    names.push(b'k');
    check_error!(
        refused(&files),
        DataError::Io { source, .. } if source.kind() == std::io::ErrorKind::FileTooLarge
    );
    files.last_mut().unwrap().1.truncate(5);
    check_error!(
        refused(&files),
        DataError::ClassNames {
            found: 3,
            expected: 10,
            ..
        }
    );
}

#[test]
fn cifar100_reads_fine_labels() {
    let train = [record(&[19, 99], 1), record(&[0, 3], 2)].concat();
    let files = [("train.bin", train), ("test.bin", record(&[7, 50], 3))];
    let data = open(&folder(&files)).unwrap();
    assert_eq!(data.classes().len(), 100);
    let splits = data.split(0, 0).unwrap();
    check(
        &splits.train,
        &[interleaved(1), interleaved(2)].concat(),
        &[99, 3],
    );
    check(&splits.test, &interleaved(3), &[50]);
    for labels in [[20, 99], [19, 100]] {
        let files = [
            ("train.bin", record(&labels, 1)),
            ("test.bin", record(&[7, 50], 3)),
        ];
        assert!(matches!(
            refused(&files),
            DataError::LabelRange { record: 0, .. }
        ));
    }
}

#[test]
fn files_that_are_not_read_are_named() {
    let mut files = cifar10_set();
    files.push(("readme.html", vec![1]));
    let ignored = open(&folder(&files)).unwrap().summary().ignored;
    assert!(
        matches!(&ignored[..], [one] if one.ends_with("readme.html")),
        "{ignored:?}"
    );
    let mut files = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    let names: Vec<String> = (0..30).map(|n| format!("note{n:02}.txt")).collect();
    files.extend(names.iter().map(|name| (name.as_str(), vec![1])));
    let ignored = open(&folder(&files)).unwrap().summary().ignored;
    assert_eq!((ignored.len(), ignored[20].as_str()), (21, "and 10 more"));
}

#[test]
fn broken_cifar_is_refused() {
    let with = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut files = cifar10_set();
        change(&mut files[at].1);
        refused(&files)
    };
    check_error!(
        with(2, &|file| file.truncate(1000)),
        DataError::Records {
            bytes: 1000,
            record: 3073,
            ..
        }
    );
    check_error!(with(2, &|file| file.push(0)), DataError::Records { .. });
    check_error!(with(5, &Vec::clear), DataError::Records { bytes: 0, .. });
    check_error!(
        with(4, &|file| file.truncate(3073 * 69)),
        DataError::UnequalFiles {
            found: 69,
            expected: 70,
            ..
        }
    );
    check_error!(
        with(1, &|file| file[3073 * 68] = 10),
        DataError::LabelRange {
            record: 68,
            label: 10,
            classes: 10,
            ..
        }
    );
    let mut files = cifar10_set();
    files.remove(3);
    check_error!(refused(&files), DataError::MissingFile { path } if path.ends_with("data_batch_4.bin"));
}

/// A PNG of one colour.
fn png(width: u32, height: u32, color: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&color.repeat((width * height) as usize))
        .unwrap();
    writer.finish().unwrap();
    bytes
}

/// A sound PNG header, and hardly any pixels.
fn header_only(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::new(&mut bytes, width, height)
        .write_header()
        .unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
    drop(writer);
    bytes
}

#[test]
fn wide_png_values_lose_their_low_byte() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    let wide = [1, 255, 2, 255, 3, 255, 4, 0, 5, 0, 6, 0];
    writer.write_image_data(&wide).unwrap();
    writer.finish().unwrap();
    let files =
        ["train/a/1.png", "train/b/1.png", "test/a/1.png"].map(|name| (name, bytes.clone()));
    let train = open(&folder(&files)).unwrap().split(0, 0).unwrap().train;
    assert_eq!(train.image(0), [1, 2, 3, 4, 5, 6]);
}

fn class_files(class: &str, count: u8, red: u8) -> Vec<(String, Vec<u8>)> {
    let file = |n: u8| (format!("{class}/{n:03}.png"), png(4, 3, [red, n, 0]));
    (0..count).map(file).collect()
}

fn image_folder(classes: &[(&str, u8, u8)]) -> TempDir {
    let files: Vec<(String, Vec<u8>)> = classes
        .iter()
        .flat_map(|&(class, count, red)| class_files(class, count, red))
        .collect();
    folder(
        &files
            .iter()
            .map(|(n, c)| (n.as_str(), c.clone()))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn image_folder_with_test_part_is_read() {
    let place = image_folder(&[
        ("train/cat", 3, 10),
        ("train/dog", 4, 20),
        ("test/dog", 2, 30),
        ("val/dog", 1, 40),
    ]);
    fs::write(place.path().join("train/cat/notes.txt"), "x").unwrap();
    fs::write(place.path().join("README"), "x").unwrap();
    let data = open(&place).unwrap();
    assert_eq!(data.classes(), ["cat", "dog"]);
    let splits = data.split(0, 0).unwrap();
    let reds: Vec<(u16, u8, u8)> = (0..7)
        .map(|i| {
            (
                splits.train.label(i),
                splits.train.image(i)[0],
                splits.train.image(i)[1],
            )
        })
        .collect();
    let expected = [
        (0, 10, 0),
        (0, 10, 1),
        (0, 10, 2),
        (1, 20, 0),
        (1, 20, 1),
        (1, 20, 2),
        (1, 20, 3),
    ];
    assert_eq!(reds, expected);
    assert_eq!(
        (
            splits.test.len(),
            splits.test.label(0),
            splits.test.image(1)[..3].to_vec()
        ),
        (2, 1, vec![30, 1, 0])
    );
    let validation = &splits.validation;
    assert_eq!((validation.len(), validation.label(0)), (1, 1));
    assert_eq!(validation.image(0)[..3], [40, 0, 0]);
    let ignored = data.summary().ignored;
    for name in ["notes.txt", "README"] {
        assert!(
            ignored.iter().any(|path| path.ends_with(name)),
            "{name} in {ignored:?}"
        );
    }
    assert_eq!(ignored.len(), 2);
}

#[test]
fn image_folder_without_test_part_is_cut_by_the_data_seed() {
    let place = image_folder(&[("a", 20, 1), ("b", 10, 2), ("c", 2, 3)]);
    let evaluation = |data_seed| {
        let options = OpenOptions {
            data_seed,
            ..OpenOptions::default()
        };
        let splits = Dataset::open(place.path(), &options)
            .unwrap()
            .split(0, 0)
            .unwrap();
        let names = |part: &Examples| -> Vec<[u8; 2]> {
            (0..part.len() as u32)
                .map(|i| [part.image(i)[0], part.image(i)[1]])
                .collect()
        };
        assert_eq!(splits.test.class_counts(), [3, 2, 1]);
        let (train, test) = (names(&splits.train), names(&splits.test));
        let mut all = [&train[..], &test[..]].concat();
        all.sort_unstable();
        let expected: Vec<[u8; 2]> = [(1, 20), (2, 10), (3, 2)]
            .iter()
            .flat_map(|&(red, n)| (0..n).map(move |i| [red, i]))
            .collect();
        assert_eq!(all, expected);
        test
    };
    assert_eq!(evaluation(1), evaluation(1));
    assert_ne!(evaluation(1), evaluation(2));
}

#[test]
fn broken_image_folders_are_refused() {
    check_error!(open(&image_folder(&[("a", 3, 1), ("b", 1, 2)])).unwrap_err(), DataError::ClassTooSmall { class, .. } if class == "b");
    check_error!(open(&image_folder(&[("a", 5, 1)])).unwrap_err(), DataError::OneClass { class, .. } if class == "a");
    check_error!(open(&image_folder(&[
        ("train/a", 3, 1),
        ("train/b", 3, 1),
        ("test/c", 1, 2),
    ]))
    .unwrap_err(), DataError::UnknownClass { path } if path.ends_with("test/c"));

    let two = || image_folder(&[("a", 3, 1), ("b", 3, 2)]);
    let place = two();
    fs::create_dir(place.path().join("empty")).unwrap();
    check_error!(open(&place).unwrap_err(), DataError::EmptyClass { path } if path.ends_with("empty"));

    let bad = |content: &[u8]| {
        let place = two();
        fs::write(place.path().join("b/bad.png"), content).unwrap();
        open(&place).unwrap_err()
    };
    let sound = png(4, 3, [1, 2, 3]);
    for content in [
        &b""[..],
        b"text",
        &sound[..sound.len() / 2],
        &sound[..sound.len() - 14],
    ] {
        check_error!(bad(content), DataError::Image { path, .. } if path.ends_with("b/bad.png"));
    }
    let jpeg = include_bytes!("../data_golden/full.jpg");
    check_error!(bad(&jpeg[..jpeg.len() / 2]), DataError::Image { path, .. } if path.ends_with("b/bad.png"));
    let other_size = bad(&png(5, 3, [1, 2, 3]));
    assert!(other_size.to_string().contains("--size"), "{other_size}");
    check_error!(other_size, DataError::ShapeMismatch { path, .. } if path.ends_with("b/bad.png"));
    // All but the end marker of a PNG, and a JPEG without its last rows.
    for content in [&sound[..sound.len() - 12], &jpeg[..jpeg.len() - 40]] {
        check_error!(bad(content), DataError::Image { .. });
    }
    let bomb = header_only(65_535, 65_535);
    check_error!(bad(&bomb), DataError::Image { reason, .. } if reason.contains("65535×65535"));
}

#[test]
fn different_sizes_are_resized_when_asked() {
    let place = image_folder(&[("a", 3, 100), ("b", 3, 200)]);
    fs::write(place.path().join("b/large.png"), png(9, 7, [200, 77, 7])).unwrap();
    let options = OpenOptions {
        size: Some(6),
        color: Some(Color::Gray),
        data_seed: 0,
    };
    let data = Dataset::open(place.path(), &options).unwrap();
    assert_eq!(
        data.shape(),
        Shape {
            height: 6,
            width: 6,
            channels: 1
        }
    );
    for size in [0, 5000] {
        let options = OpenOptions {
            size: Some(size),
            ..options
        };
        assert!(matches!(
            Dataset::open(place.path(), &options),
            Err(DataError::Option { .. })
        ));
    }
    let place = folder(&cifar10_set());
    let error = Dataset::open(place.path(), &options).unwrap_err();
    assert!(
        error.to_string().starts_with("--size and --gray are"),
        "{error}"
    );
    check_error!(error, DataError::NotImages { .. });
}

#[test]
fn folders_without_data_are_refused_with_a_hint() {
    let missing = Dataset::open("/no/such/folder", &OpenOptions::default());
    assert!(matches!(missing, Err(DataError::NotAFolder { .. })));
    let hint = |files: &[(&str, Vec<u8>)]| match refused(files) {
        DataError::NoData { hint, .. } => hint,
        other => panic!("{other}"),
    };
    assert!(hint(&[]).contains("empty"));
    assert!(hint(&[("data_batch_1", vec![1])]).contains("binary version"));
    let inside: Vec<(String, Vec<u8>)> = cifar10_set()
        .into_iter()
        .map(|(n, c)| (format!("inner/{n}"), c))
        .collect();
    let inside: Vec<(&str, Vec<u8>)> = inside
        .iter()
        .map(|(n, c)| (n.as_str(), c.clone()))
        .collect();
    assert!(hint(&inside).contains("inner"));
    assert_eq!(hint(&[("notes.txt", vec![1])]), "");
    let mut both = cifar10_set();
    both.extend(idx_set(TEST_LABELS, idx_labels(&[1, 2])));
    assert!(matches!(refused(&both), DataError::Several { .. }));
}

#[cfg(unix)]
#[test]
fn odd_names_and_files_do_no_harm() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let odd = PathBuf::from(OsStr::from_bytes(b"\xff\xfe"));
    // An odd file name does not matter; an odd class name does.
    let place = image_folder(&[("a", 3, 1), ("b", 3, 2)]);
    let mut name = odd.clone().into_os_string();
    name.push(".png");
    fs::copy(
        place.path().join("a/000.png"),
        place.path().join("a").join(name),
    )
    .unwrap();
    fs::create_dir(place.path().join(".hidden")).unwrap();
    let data = open(&place).unwrap();
    assert_eq!(data.classes(), ["a", "b"]);
    fs::create_dir(place.path().join(&odd)).unwrap();
    fs::copy(
        place.path().join("a/000.png"),
        place.path().join(&odd).join("0.png"),
    )
    .unwrap();
    assert!(matches!(open(&place), Err(DataError::NotUtf8 { .. })));
    for (name, shown) in [("\u{1b}[31ma", "U+001B"), ("a\u{202e}", "U+202E")] {
        let place = image_folder(&[("a", 3, 1), (name, 3, 2)]);
        let error = open(&place).unwrap_err();
        assert!(matches!(error, DataError::UnseenName { .. }), "{error}");
        assert!(error.to_string().contains(shown), "{error}");
    }
    // A folder where a file should be.
    let place = folder(&idx_set(TEST_LABELS, idx_labels(&[1, 2])));
    let path = place.path().join(TEST_LABELS);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check_error!(open(&place).unwrap_err(), DataError::MissingFile { path: missing } if missing.starts_with(path.to_str().unwrap()));
    // A device, which could be endless.
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(matches!(open(&place), Err(DataError::Io { .. })));
}

/// Every message names its file and says what to do.
#[test]
fn messages_are_whole_sentences_with_a_way_out() {
    let files = idx_set(TRAIN_IMAGES, idx_images(5, 1)[..70].to_vec());
    let place = folder(&files);
    let error = open(&place).unwrap_err().to_string();
    let path = Path::new(place.path()).join(TRAIN_IMAGES);
    assert_eq!(
        error,
        format!(
            "the header of {} promises 76 bytes, but the file can hold at most 70; it is \
             truncated or damaged, get it again",
            path.display()
        )
    );
}
