//! The fuzz targets of `fuzz/`, on stable Rust: the corpus is replayed, and inputs that are
//! mutated from it are tried, for `CYCLR_FUZZ_SECONDS` seconds a target. An input that fails is
//! printed, and kept in the temporary folder.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is the library of the crate `fuzz`"
)]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use targets::{TARGETS, Target};

/// How long one input may take, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// No longer input is made.
const LONGEST: usize = 1 << 16;

/// `CYCLR_WRITE_CORPUS=1` writes the corpus again before it is read.
#[test]
fn every_target_has_its_files() {
    if std::env::var_os("CYCLR_WRITE_CORPUS").is_some() {
        targets::corpus::write(&fuzz());
    }
    for (name, _) in TARGETS {
        let file = fuzz().join(format!("fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("run(\"{name}\"")), "{file:?}");
        assert!(!corpus(name).is_empty(), "{name} has no corpus");
    }
    let files = fs::read_dir(fuzz().join("fuzz_targets")).unwrap();
    assert_eq!(files.count(), TARGETS.len());
}

/// A test for each part of the targets, so that they run side by side.
macro_rules! parts {
    ($($test:ident: $first:literal),*) => {$(
        #[test]
        fn $test() {
            for (name, target) in TARGETS.iter().skip($first).step_by(4) {
                attack(name, *target);
            }
        }
    )*};
}
parts!(
    no_input_makes_a_reader_panic_1: 0,
    no_input_makes_a_reader_panic_2: 1,
    no_input_makes_a_reader_panic_3: 2,
    no_input_makes_a_reader_panic_4: 3
);

/// Gives a target its corpus, and then inputs that are mutated from it until the time is over.
fn attack(name: &str, target: Target) {
    let seeds = corpus(name);
    let (sender, inputs) = channel::<Vec<u8>>();
    let worker = thread::spawn(move || {
        let mut mutator = Mutator::new(&seeds);
        let deadline = Instant::now() + time();
        let mut replay = seeds.iter().cloned();
        loop {
            let input = match replay.next() {
                Some(seed) => seed,
                None if Instant::now() < deadline => mutator.next(),
                None => break,
            };
            sender.send(input.clone()).unwrap();
            target(&input);
        }
    });
    let mut last = Vec::new();
    let mut tried = 0_u64;
    loop {
        match inputs.recv_timeout(LIMIT) {
            Ok(input) => (last, tried) = (input, tried + 1),
            Err(RecvTimeoutError::Timeout) => fail(name, &last, "takes more than a minute"),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if worker.join().is_err() {
        fail(name, &last, "panics");
    }
    assert!(tried > 0);
}

fn fail(name: &str, input: &[u8], how: &str) -> ! {
    let file = std::env::temp_dir().join(format!("cyclr-fuzz-{name}"));
    fs::write(&file, input).unwrap();
    let shown = &input[..input.len().min(2000)];
    panic!(
        "{name} {how} with the {} bytes in {}: {}",
        input.len(),
        file.display(),
        shown.escape_ascii()
    );
}

fn time() -> Duration {
    let seconds = std::env::var("CYCLR_FUZZ_SECONDS");
    Duration::from_secs_f64(seconds.map_or(2.0, |seconds| seconds.parse().unwrap()))
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs of a target that are kept, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fuzz().join("corpus").join(name)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// What readers of numbers, texts and lengths stumble over.
const TOKENS: [&str; 26] = [
    "0",
    "-1",
    "1",
    "0.5",
    "1e308",
    "1e-320",
    "-0.0",
    "1e400",
    "NaN",
    "inf",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[31m",
    "\u{feff}",
    "ä",
    "\n=====\n",
];

/// Inputs from the corpus, each changed in one place or in several. The same corpus gives the same
/// inputs.
struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    /// Words and numbers of the corpus.
    words: Vec<&'a [u8]>,
    state: u64,
}

impl<'a> Mutator<'a> {
    fn new(seeds: &'a [Vec<u8>]) -> Self {
        let words = seeds
            .iter()
            .flat_map(|seed| seed.split(|b| !b.is_ascii_alphanumeric() && !b"_.+-".contains(b)))
            .filter(|word| !word.is_empty() && word.len() < 30);
        let mut words: Vec<&[u8]> = words.collect();
        words.sort_unstable();
        words.dedup();
        Self {
            seeds,
            words,
            state: 1,
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let mut input = self.seeds[self.below(self.seeds.len())].clone();
        for _ in 0..[1, 1, 1, 2, 4, 16][self.below(6)] {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = (at + [1, 2, 4, 16, 256][self.below(5)]).min(input.len());
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let piece = input[at..end].to_vec();
                self.insert(input, &piece);
            }
            5 => {
                let other = &self.seeds[self.below(self.seeds.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(300)).min(other.len());
                self.insert(input, &other[from..to]);
            }
            6 => self.replace_a_word(input),
            7 => self.replace_a_number(input),
            _ => {
                let token = self.token();
                self.insert(input, token);
            }
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, piece: &[u8]) {
        let at = self.below(input.len() + 1);
        input.splice(at..at, piece.iter().copied());
    }

    fn replace_a_word(&mut self, input: &mut Vec<u8>) {
        let token = self.token();
        self.replace(input, token, |b| b.is_ascii_alphanumeric() || b == b'_');
    }

    fn replace_a_number(&mut self, input: &mut Vec<u8>) {
        let token = TOKENS[self.below(TOKENS.len())].as_bytes();
        self.replace(input, token, |b| {
            b.is_ascii_digit() || b".eE+-".contains(&b)
        });
    }

    /// Puts a token in place of one of the longest pieces made of such bytes, after a place of
    /// chance.
    fn replace(&mut self, input: &mut Vec<u8>, token: &[u8], of: impl Fn(u8) -> bool) {
        let from = self.below(input.len() + 1);
        let Some(start) = input[from..].iter().position(|&b| of(b)) else {
            return;
        };
        let start = from + start;
        let length = input[start..].iter().take_while(|&&b| of(b)).count();
        input.splice(start..start + length, token.iter().copied());
    }

    fn token(&mut self) -> &'a [u8] {
        if self.words.is_empty() || self.below(3) == 0 {
            return TOKENS[self.below(TOKENS.len())].as_bytes();
        }
        let word = self.below(self.words.len());
        self.words[word]
    }

    /// A number below `end`, by splitmix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
