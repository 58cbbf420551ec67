//! Data sets as they are found: folders of other names, files under other names, images as cameras
//! leave them.

use super::*;
use cyclr_engine::data::read_image;

/// The red values of a part's images, with their labels.
fn reds(part: &Examples) -> Vec<(u16, u8)> {
    let red = |pick| (part.label(pick), part.image(pick)[0]);
    (0..part.len() as u32).map(red).collect()
}

fn notes(place: &TempDir) -> Vec<String> {
    open(place).unwrap().summary().notes
}

#[test]
fn parts_go_by_any_of_their_names() {
    for [train, validation, test] in [
        ["train", "val", "test"],
        ["Training", "Validation", "Testing"],
        ["TRAIN", "VALID", "TEST"],
        ["training", "valid", "testing"],
    ] {
        let place = image_folder(&[
            (&format!("{train}/cat"), 3, 10),
            (&format!("{train}/dog"), 2, 20),
            (&format!("{validation}/dog"), 2, 30),
            (&format!("{test}/cat"), 1, 40),
        ]);
        let data = open(&place).unwrap();
        let splits = data.split(0, 0).unwrap();
        assert_eq!(
            reds(&splits.train),
            [(0, 10), (0, 10), (0, 10), (1, 20), (1, 20)]
        );
        assert_eq!(reds(&splits.validation), [(1, 30), (1, 30)]);
        assert_eq!(reds(&splits.test), [(0, 40)]);
        let summary = data.summary();
        assert_eq!(summary.validation.per_class, [0, 2]);
        let note = format!("{validation} are the validation split");
        assert!(summary.notes[0].ends_with(&note), "{:?}", summary.notes);
        assert_eq!((summary.notes.len(), summary.ignored.len()), (1, 0));
        check_error!(
            data.split(2, 0).unwrap_err(),
            DataError::OwnValidation { asked: 2, found: 2 }
        );
    }
}

#[test]
fn without_a_test_folder_training_images_are_held_out_and_that_is_said() {
    let place = image_folder(&[("train/a", 10, 1), ("train/b", 10, 2), ("val/a", 3, 3)]);
    let splits = open(&place).unwrap().split(0, 0).unwrap();
    let sizes = [
        splits.train.len(),
        splits.validation.len(),
        splits.test.len(),
    ];
    assert_eq!(sizes, [16, 3, 4]);
    let said = notes(&place);
    assert!(
        said[1].contains("no test folder: 4 of the training images"),
        "{said:?}"
    );
}

#[test]
fn two_folders_for_one_part_are_refused() {
    let place = image_folder(&[("train/a", 2, 1), ("train/b", 2, 1), ("Training/a", 2, 1)]);
    check_error!(open(&place).unwrap_err(), DataError::Several { found, .. } if found.len() == 2);
}

#[test]
fn a_class_can_be_called_train() {
    let place = image_folder(&[("car", 5, 1), ("plane", 5, 2), ("train", 5, 3)]);
    assert_eq!(open(&place).unwrap().classes(), ["car", "plane", "train"]);
}

#[test]
fn images_without_class_folders_are_called_so() {
    let flat = |files: &[(&str, u8, u8)]| open(&image_folder(files)).unwrap_err();
    check_error!(flat(&[("train", 4, 1)]), DataError::NoClassFolders { path } if path.ends_with("train"));
    check_error!(
        flat(&[("train/a", 4, 1), ("train/b", 4, 1), ("test", 4, 1)]),
        DataError::NoClassFolders { path } if path.ends_with("test")
    );
    check_error!(
        flat(&[(".", 4, 1)]),
        DataError::NoData { hint, .. } if hint.contains("no folders of classes")
    );
}

#[test]
fn held_out_images_are_never_advised_to_train_on() {
    for name in ["test", "Testing", "val"] {
        let (a, b) = (format!("{name}/a"), format!("{name}/b"));
        let error = open(&image_folder(&[(&a, 4, 1), (&b, 4, 2)])).unwrap_err();
        check_error!(
            error,
            DataError::NoData { hint, .. } if hint.contains("no folder of training images") && !hint.contains("give that folder")
        );
    }
}

#[test]
fn gzip_is_told_by_its_first_bytes() {
    let plain = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    let compressed: Vec<(&str, Vec<u8>)> = plain.iter().map(|(n, c)| (*n, gzip(c))).collect();
    check_idx(&compressed);
    let named: Vec<(String, Vec<u8>)> = plain
        .iter()
        .map(|(name, content)| (format!("{name}.gz"), content.clone()))
        .collect();
    let named: Vec<(&str, Vec<u8>)> = named.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    check_idx(&named);
}

#[test]
fn folders_named_like_idx_files_are_none() {
    let files = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    let mut both: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, content) in &files {
        both.push((name.replace("-idx", ".idx"), content.clone()));
        both.push((format!("{name}/{name}"), content.clone()));
    }
    let both: Vec<(&str, Vec<u8>)> = both.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    check_idx(&both);
    let ignored = open(&folder(&both)).unwrap().summary().ignored;
    assert_eq!(ignored.len(), 4, "{ignored:?}");
}

#[test]
fn the_transposition_of_emnist_is_said() {
    let plain = idx_set(TEST_LABELS, idx_labels(&[1, 2]));
    assert_eq!(notes(&folder(&plain)), [""; 0]);
    let files: Vec<(String, Vec<u8>)> = plain
        .iter()
        .map(|(name, content)| {
            (
                format!("emnist-balanced-{name}").replace("t10k", "test"),
                content.clone(),
            )
        })
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    let said = notes(&folder(&files));
    assert!(said[0].contains("transposed"), "{said:?}");
}

/// Pillow's picture of 13 rows and 17 columns; its pixels are compared in `data_golden.rs`.
#[test]
fn images_on_their_side_are_turned_upright() {
    let turned = include_bytes!("../data_golden/turned_6.jpg").to_vec();
    let files =
        ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"].map(|name| (name, turned.clone()));
    let shape = open(&folder(&files)).unwrap().shape();
    assert_eq!((shape.height, shape.width), (17, 13));
    // An orientation that does not exist, and Exif data that are none, leave the image as it is
    // stored.
    let exif = turned
        .windows(6)
        .position(|bytes| bytes == b"Exif\0\0")
        .unwrap();
    let tag = turned
        .windows(2)
        .position(|bytes| bytes == [0x01, 0x12])
        .unwrap();
    for (at, byte) in [(tag + 9, 9), (exif + 6, b'?')] {
        let mut odd = turned.clone();
        odd[at] = byte;
        let files =
            ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"].map(|name| (name, odd.clone()));
        let shape = open(&folder(&files)).unwrap().shape();
        assert_eq!((shape.height, shape.width), (13, 17), "byte {at}");
    }
}

/// A gray PNG of 16 bits a sample.
fn wide_png(samples: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, samples.len() as u32, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    let samples: Vec<u8> = samples.iter().flat_map(|s| s.to_be_bytes()).collect();
    writer.write_image_data(&samples).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn wide_samples_that_do_not_fill_their_range_are_said() {
    let read = |last: u16| {
        let image = wide_png(&[0, 255, 256, last]);
        let files =
            ["train/a/1.png", "train/b/1.png", "test/a/1.png"].map(|name| (name, image.clone()));
        let data = open(&folder(&files)).unwrap();
        let image = data.split(0, 0).unwrap().train.image(0).to_vec();
        (image, data.notes().to_vec())
    };
    let (image, said) = read(4095);
    assert_eq!(image, [0, 0, 0, 0, 0, 0, 1, 1, 1, 15, 15, 15]);
    let expected =
        "3 images have 16 bits a sample, but none of their samples is above 4095 (12 bits)";
    assert!(
        said[0].starts_with(expected) && said[0].contains("16 levels"),
        "{said:?}"
    );
    let (image, said) = read(0xff01);
    assert_eq!((image[9], said.len()), (255, 0));
}

#[test]
fn images_of_81_megapixels_are_read() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 9000, 9000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    // The upper half is black, the lower white.
    let rows = [vec![0; 9000 / 8 * 4500], vec![255; 9000 / 8 * 4500]].concat();
    writer.write_image_data(&rows).unwrap();
    writer.finish().unwrap();
    let place = folder(&[("large.png", bytes)]);
    let shape = Shape {
        height: 2,
        width: 1,
        channels: 1,
    };
    // The triangle of the filter reaches 4500 rows each way: 1/8 of its 7/8 inside the image are
    // in the other half.
    let pixels = read_image(place.path().join("large.png"), shape).unwrap();
    assert_eq!(pixels, [36, 219]);
}

#[test]
fn both_unicode_forms_of_a_name_are_one_class() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let place = image_folder(&[
        (&format!("train/{composed}"), 2, 1),
        (&format!("train/{decomposed}"), 3, 2),
        ("train/bar", 1, 3),
        (&format!("test/{decomposed}"), 1, 4),
    ]);
    let data = open(&place).unwrap();
    assert_eq!(data.classes(), ["bar", composed]);
    assert_eq!(data.summary().train.per_class, [1, 5]);
    assert_eq!(reds(&data.split(0, 0).unwrap().test), [(1, 4)]);
}

#[test]
fn all_damaged_images_are_listed() {
    let damage = |places: &[String]| {
        let place = image_folder(&[("train/a", 30, 1), ("train/b", 5, 2), ("test/a", 3, 3)]);
        for name in places {
            fs::write(place.path().join(name), "damaged").unwrap();
        }
        open(&place).unwrap_err()
    };
    let three = ["train/a/000.png", "train/b/004.png", "test/a/001.png"].map(str::to_owned);
    let error = damage(&three);
    for name in &three {
        assert!(error.to_string().contains(name), "{error}");
    }
    check_error!(error, DataError::Images { found: 3, listed } if listed.len() == 3);
    check_error!(damage(&three[..1]), DataError::Image { path, .. } if path.ends_with(&three[0]));
    let many: Vec<String> = (0..25).map(|n| format!("train/a/{n:03}.png")).collect();
    check_error!(
        damage(&many),
        DataError::Images { found: 25, listed } if listed.len() == 21 && listed[20] == "and 5 more"
    );
}

/// Names and contents.
type Files = Vec<(&'static str, Vec<u8>)>;

/// What people have instead of a data set, and the way out that is said.
#[test]
fn unsupported_folders_say_what_to_do() {
    let idx = || idx_images(3, 1);
    let cases: Vec<(Files, &str)> = vec![
        (
            vec![("a.tar.gz", b"x".into())],
            "a.tar.gz is an archive; unpack it",
        ),
        (
            vec![("IMAGES.ZIP", b"x".into())],
            "IMAGES.ZIP is an archive; unpack it",
        ),
        (
            vec![("mnist.npz", b"x".into())],
            "mnist.npz is not read; write its images",
        ),
        (
            vec![("train.parquet", b"x".into())],
            "train.parquet is not read",
        ),
        (
            vec![("train_images.gz", gzip(&idx()))],
            "train_images.gz is an IDX file by its contents",
        ),
        (
            vec![("TRAIN.BIN", idx())],
            "TRAIN.BIN is an IDX file by its contents",
        ),
        (
            vec![("MNIST/raw/train-images-idx3-ubyte", idx())],
            "MNIST/raw; give that folder",
        ),
        (
            vec![
                ("train-images-idx3-ubyte/train-images-idx3-ubyte", idx()),
                (
                    "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
                    idx_labels(&[1, 2, 3]),
                ),
            ],
            "give one folder that holds all files",
        ),
        (
            vec![
                ("cifar-10-batches-py/data_batch_1", b"x".into()),
                ("a.tar.gz", b"x".into()),
            ],
            "cifar-10-batches-py look like CIFAR's Python files",
        ),
        (
            vec![
                ("meta", b"x".into()),
                ("train", b"x".into()),
                ("test", b"x".into()),
            ],
            "these look like CIFAR's Python files",
        ),
        (
            vec![("cat/1.webp", b"x".into()), ("dog/2.webp", b"x".into())],
            "convert the images",
        ),
        (
            vec![("a/b/train/cat/1.png", png(4, 3, [1; 3]))],
            "a/b; give that folder",
        ),
        (vec![("a/test/cat/1.png", png(4, 3, [1; 3]))], ""),
    ];
    for (files, words) in cases {
        let hint = match refused(&files) {
            DataError::NoData { hint, .. } => hint,
            other => panic!("{other}"),
        };
        assert!(
            hint.contains(words) && hint.is_empty() == words.is_empty(),
            "{words}: {hint}"
        );
    }
}

#[test]
fn images_that_are_left_out_are_said() {
    let place = image_folder(&[("train/a", 5, 1), ("train/b", 5, 2), ("test/a", 3, 1)]);
    let left_out = || -> Vec<String> {
        let notes = notes(&place).into_iter();
        notes.filter(|note| note.contains("left out")).collect()
    };
    for junk in [".DS_Store", "Thumbs.db", "desktop.ini", "._000.png"] {
        fs::write(place.path().join("train/a").join(junk), "x").unwrap();
    }
    assert_eq!(left_out(), [""; 0]);
    fs::write(place.path().join("train/b/1.WebP"), "x").unwrap();
    fs::write(place.path().join("test/a/2.gif"), "x").unwrap();
    #[cfg(not(unix))]
    let found = 1;
    #[cfg(unix)]
    let found = {
        std::os::unix::fs::symlink("nowhere.png", place.path().join("train/a/9.png")).unwrap();
        std::os::unix::fs::symlink("/unmounted", place.path().join("train/c")).unwrap();
        3
    };
    assert!(
        matches!(&left_out()[..], [note] if note.contains(&format!(" and {found} more are left out"))),
        "{:?}",
        left_out()
    );
}

#[test]
fn images_in_another_place_than_a_class_are_said() {
    for elsewhere in ["train/a/more", "train/a/more/deep", "eval/b", "train", "."] {
        let place = image_folder(&[("train/a", 5, 1), ("train/b", 5, 2)]);
        let left_out = || notes(&place).iter().any(|note| note.contains("left out"));
        fs::create_dir_all(place.path().join("docs/empty")).unwrap();
        fs::write(place.path().join("docs/readme.txt"), "x").unwrap();
        assert!(!left_out(), "without {elsewhere}");
        let folder = place.path().join(elsewhere);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(place.path().join("train/a/000.png"), folder.join("x.png")).unwrap();
        assert!(left_out(), "{elsewhere}");
    }
}

#[test]
fn macos_archive_folders_are_no_classes() {
    let place = image_folder(&[("a", 5, 1), ("b", 5, 2)]);
    fs::create_dir_all(place.path().join("__MACOSX/a")).unwrap();
    fs::write(place.path().join("__MACOSX/a/._000.png"), "x").unwrap();
    assert_eq!(open(&place).unwrap().classes(), ["a", "b"]);
}

/// The first bytes are those that each format prescribes.
#[test]
fn images_of_other_kinds_are_called_what_they_are() {
    for (content, kind) in [
        (&b"RIFF\x24\0\0\0WEBPVP8 "[..], "it is WebP,"),
        (b"GIF89a\x10\0", "it is GIF,"),
        (b"BM\x36\0\0\0", "it is BMP,"),
        (b"II*\0\x08\0", "it is TIFF,"),
        (b"\0\0\0\x1cftypavif", "it is AVIF or HEIC,"),
        (b"<!DOCTYPE html>", "it is HTML or SVG,"),
        (b"", "it is empty"),
        (b"words", "it is neither"),
    ] {
        let place = image_folder(&[("a", 3, 1), ("b", 3, 2)]);
        fs::write(place.path().join("b/x.jpg"), content).unwrap();
        check_error!(open(&place).unwrap_err(), DataError::Image { reason, .. } if reason.starts_with(kind));
    }
}
