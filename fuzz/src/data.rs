//! Data sets and images.

use std::path::Path;

use cyclr_engine::data::{Dataset, Normalization, OpenOptions, Shape, read_image};

use super::place::{Place, parts};

/// The four files of an IDX set; the test part is the training part where it is not given.
pub(crate) fn idx(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    PLACE.with(|place| {
        let folder = place.of_parts(&names, data);
        for (name, part) in names[2..].iter().zip(parts(data)) {
            if !folder.join(name).exists() {
                place.write(name, part);
            }
        }
        use_it(folder);
    });
}

/// A CIFAR set. The first byte says which version; each file is a part: two bytes are its length, little-endian, which the
/// bytes after them fill again and again.
pub(crate) fn cifar(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    let Some((&version, data)) = data.split_first() else {
        return;
    };
    let (files, names) = if version.is_multiple_of(2) {
        (
            &[
                "test_batch.bin",
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ][..],
            "batches.meta.txt",
        )
    } else {
        (&["test.bin", "train.bin"][..], "fine_label_names.txt")
    };
    PLACE.with(|place| {
        let folder = place.of_parts(&[], data);
        let parts = parts(data);
        let last = parts.len() - 1;
        for (n, file) in files.iter().enumerate() {
            place.write(file, &filled(parts[n.min(last)]));
        }
        // A part more than files holds the names of the classes.
        if let Some(part) = parts.get(files.len()) {
            place.write(names, part);
        }
        use_it(folder);
    });
}

fn filled(part: &[u8]) -> Vec<u8> {
    let Some((length, pattern)) = part.split_first_chunk().filter(|(_, p)| !p.is_empty()) else {
        return part.to_vec();
    };
    let length = usize::from(u16::from_le_bytes(*length));
    pattern.iter().copied().cycle().take(length).collect()
}

fn use_it(folder: &Path) {
    let Ok(dataset) = Dataset::open(folder, &OpenOptions::default()) else {
        return;
    };
    let _ = dataset.notes();
    let Ok(splits) = dataset.split(1, 0) else {
        return;
    };
    let normalization = Normalization::per_channel(&splits.train);
    let mut values = vec![0.0_f32; dataset.shape().values()];
    splits.train.fill(&[0], &normalization, &mut values);
}

/// An image, whose first byte says gray or colour. PNG's checksums are made right, so that what they cover is read.
pub(crate) fn image(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    let Some((&channels, data)) = data.split_first() else {
        return;
    };
    let shape = Shape {
        height: 7,
        width: 5,
        channels: if channels.is_multiple_of(2) { 1 } else { 3 },
    };
    PLACE.with(|place| {
        for content in [data.to_vec(), with_checksums(data)] {
            let path = place.write("image", &content);
            if let Ok(pixels) = read_image(path, shape) {
                assert_eq!(pixels.len(), shape.values());
            }
        }
    });
}

/// A PNG with the right checksum for each of its chunks.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let mut at = 8;
    while let Some(length) = data.get(at..at + 4) {
        let length = <[u8; 4]>::try_from(length).map_or(0, u32::from_be_bytes) as usize;
        let end = at + 8 + length;
        let Some(covered) = data.get(at + 4..end) else {
            break;
        };
        let checksum = crc32fast::hash(covered).to_be_bytes();
        if let Some(place) = data.get_mut(end..end + 4) {
            place.copy_from_slice(&checksum);
        }
        at = end + 4;
    }
    data
}
