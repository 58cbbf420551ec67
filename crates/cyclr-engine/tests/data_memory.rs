//! Reading neither panics, whatever the bytes, nor takes more memory than such files can hold.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]
#![expect(
    unsafe_code,
    reason = "an allocator that counts is the only way to see what was asked for"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use cyclr_engine::data::{Dataset, OpenOptions};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

/// The system's allocator, which remembers the largest single request.
struct Largest(AtomicUsize);

#[global_allocator]
static ALLOCATOR: Largest = Largest(AtomicUsize::new(0));

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's as well.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The tests measure one after the other.
static ALONE: Mutex<()> = Mutex::new(());

/// Fixed costs: the JPEG and deflate decoders' tables and windows, read buffers, and the test's
/// own.
const SLACK: usize = 4 << 20;

/// The largest single request while these files were read.
fn largest_request(files: &[(String, Vec<u8>)]) -> usize {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    ALLOCATOR.0.store(0, Ordering::Relaxed);
    if let Ok(data) = Dataset::open(folder.path(), &OpenOptions::default()) {
        data.summary();
    } else {
        // Refused, which most of these are.
    }
    ALLOCATOR.0.load(Ordering::Relaxed)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const IDX: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// A header of 32-bit words, small and large, and then anything.
fn with_header() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![Just(0x803_u32), Just(0x801), 0_u32..5, any::<u32>()];
    let words = prop::collection::vec(word, 0..5);
    (words, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(words, rest)| {
        let words = words.into_iter().flat_map(u32::to_be_bytes);
        words.chain(rest).collect()
    })
}

/// A sound file with some bytes changed, and possibly an end cut off.
fn damaged(sound: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((0..sound.len(), any::<u8>()), 0..8);
    (changes, 0..=sound.len(), any::<bool>()).prop_map(|(changes, end, cut)| {
        let mut bytes = sound.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(if cut { end } else { sound.len() });
        bytes
    })
}

fn images() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        damaged(include_bytes!("data_golden/rgb_alpha.png")),
        damaged(include_bytes!("data_golden/palette.png")),
        damaged(include_bytes!("data_golden/half.jpg")),
        damaged(include_bytes!("data_golden/progressive.jpg")),
        damaged(include_bytes!("data_golden/cmyk.jpg")),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_idx_bytes(contents in prop::collection::vec(with_header(), 4), compressed: bool) {
        let files: Vec<(String, Vec<u8>)> = IDX.iter().zip(contents).map(|(name, content)| {
            if compressed { (format!("{name}.gz"), gzip(&content)) } else { ((*name).to_owned(), content) }
        }).collect();
        let longest = files.iter().map(|(_, content)| content.len()).max().unwrap();
        let possible = longest * if compressed { 1032 } else { 1 };
        prop_assert!(largest_request(&files) <= possible + SLACK);
    }

    #[test]
    fn any_gzip_bytes(content in prop::collection::vec(any::<u8>(), 0..300), headed: bool) {
        let head: &[u8] = if headed { &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] } else { &[] };
        let content = [head, &content].concat();
        let files: Vec<(String, Vec<u8>)> = IDX.iter().map(|name| (format!("{name}.gz"), content.clone())).collect();
        prop_assert!(largest_request(&files) <= content.len() * 1032 + SLACK);
    }

    #[test]
    fn any_cifar_bytes(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 2), records in 0_usize..3, extra in 0_usize..2) {
        let file = |bytes: &Vec<u8>| {
            let mut file = bytes.clone();
            file.resize((records * 3074 + extra).max(file.len()), 0);
            file
        };
        let files = [("train.bin".to_owned(), file(&contents[0])), ("test.bin".to_owned(), file(&contents[1]))];
        prop_assert!(largest_request(&files) <= 3 * 3074 + SLACK);
    }

    #[test]
    fn any_image_bytes(content in images()) {
        let sound = include_bytes!("data_golden/rgb.png").to_vec();
        let mut files = vec![("a/odd.png".to_owned(), content.clone())];
        files.extend((0..4).map(|n| (format!("{}/{n}.png", ["a", "b"][n % 2]), sound.clone())));
        // Three values a pixel, and the decoder's own planes beside them.
        prop_assert!(largest_request(&files) <= content.len() * 8 * 1032 * 3 + SLACK);
    }
}

/// What `open` must not do is seen by what it asks for: a header that promises 2⁶⁴ bytes, of which
/// there are 100.
#[test]
fn a_huge_promise_reserves_nothing() {
    let mut huge = Vec::new();
    for word in [0x803_u32, u32::MAX, 1 << 16, 1 << 16] {
        huge.extend(word.to_be_bytes());
    }
    huge.extend([0; 100]);
    let plain: Vec<(String, Vec<u8>)> = IDX
        .iter()
        .map(|name| ((*name).to_owned(), huge.clone()))
        .collect();
    assert!(largest_request(&plain) < 1 << 20);
    let packed: Vec<(String, Vec<u8>)> = IDX
        .iter()
        .map(|name| (format!("{name}.gz"), gzip(&huge)))
        .collect();
    assert!(largest_request(&packed) < 1 << 20);
}
