//! A run continues from its state as if nothing had happened: in a new process, at every level and
//! number of threads; and states that are damaged or of another run are refused.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::{path::Path, process::Command, sync::LazyLock};

use cyclr::{
    Hyper,
    trainer::{Split, Trainer, TrainerError, TrainerFactory},
};
use cyclr_engine::{
    EngineConfig, EngineFactory, Optimizer,
    cpu::Level,
    data::{Augment, Dataset, Normalization},
    net::{Init, Layer, Net, Shortcut, batch_norm, conv, dense, param, window, zeros},
};
use proptest::prelude::*;

const START: u64 = 137;
const GO_ON: u64 = 50;

/// A net in which all that has a memory is live: momentum, batch norm, dropout, random crops and
/// flips.
fn net() -> Net {
    let he = param(Init::He);
    let small = window(3).pad(1);
    let layers = vec![
        conv("conv1", 6, window(5).stride(3), he, None),
        batch_norm("bn1"),
        Layer::Relu,
        Layer::Residual {
            body: vec![conv("conv2", 6, small, he, zeros()), batch_norm("bn2")],
            shortcut: Shortcut::Identity,
        },
        Layer::Relu,
        Layer::Dropout { p: 0.25 },
        dense("fc1", 20, he, zeros()),
        Layer::Relu,
        Layer::Dropout { p: 0.5 },
        dense("fc2", 10, he, zeros()),
    ];
    Net::new("small", layers)
}

fn factory(change: impl FnOnce(&mut EngineConfig)) -> EngineFactory {
    let splits = Dataset::embedded().split(200, 0).unwrap();
    let normalization = Normalization::per_channel(&splits.train);
    let mut config = EngineConfig {
        // 62 does not divide the 9,800 examples: the last batch of an epoch is short.
        batch: 62,
        micro_batch: Some(25),
        augment: Augment { pad: 2, flip: true },
        label_smoothing: 0.1,
        clip_norm: Some(1.0),
        level: Some(Level::Portable),
        ..EngineConfig::new(net(), normalization)
    };
    change(&mut config);
    EngineFactory::new(config, splits).unwrap()
}

/// A rate, momentum and weight decay of its own for each update; `None` now and then leaves the
/// last ones in force.
fn hyper(update: u64) -> Hyper {
    let moving = update.is_multiple_of(3);
    Hyper {
        lr: 0.01 + 0.001 * (update % 10) as f64,
        momentum: moving.then_some(0.8 + 0.01 * (update % 7) as f64),
        weight_decay: update
            .is_multiple_of(5)
            .then_some(1e-4 * (update % 4) as f64),
    }
}

/// Makes updates and gives the bits of their losses.
fn drive(run: &mut dyn Trainer, updates: std::ops::Range<u64>) -> Vec<u64> {
    let mut loss = |update| {
        run.update(hyper(update))
            .unwrap()
            .loss()
            .unwrap()
            .value
            .to_bits()
    };
    updates.map(&mut loss).collect()
}

#[test]
fn a_new_process_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for level in [Level::Portable, Level::Avx2] {
        if !level.is_supported() {
            continue;
        }
        let factory = factory(|config| config.level = Some(level));
        let mut straight = factory.start(7).unwrap();
        drive(&mut *straight, 0..START);
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        std::fs::write(&before, straight.state().unwrap()).unwrap();
        let expected = drive(&mut *straight, START..START + GO_ON);
        let end = straight.state().unwrap();
        for threads in [1, 2, 3, 8] {
            go_on_elsewhere(&before, &after, level, threads);
            let (losses, state) = read_end(&after);
            assert_eq!(losses, expected, "{level}, {threads} threads");
            assert!(
                state == end,
                "the states differ: {level}, {threads} threads"
            );
        }
    }
}

fn go_on_elsewhere(before: &Path, after: &Path, level: Level, threads: usize) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_process", "--ignored"])
        .env("ENGINE_TEST_BEFORE", before)
        .env("ENGINE_TEST_AFTER", after)
        .env("ENGINE_TEST_THREADS", threads.to_string())
        .env("ENGINE_TEST_LEVEL", level.name())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn read_end(path: &Path) -> (Vec<u64>, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    let (losses, state) = bytes.split_at(8 * GO_ON as usize);
    let (losses, _) = losses.as_chunks::<8>();
    let losses = losses.iter().map(|bytes| u64::from_le_bytes(*bytes));
    (losses.collect(), state.to_vec())
}

#[test]
#[ignore = "started by a_new_process_goes_on_with_the_same_bits"]
fn the_other_process() {
    // Run by itself, it has nothing to do.
    if std::env::var_os("ENGINE_TEST_BEFORE").is_none() {
        return;
    }
    let variable = |name: &str| std::env::var(name).unwrap();
    let factory = factory(|config| {
        config.threads = variable("ENGINE_TEST_THREADS").parse().unwrap();
        config.level = Some(Level::from_name(&variable("ENGINE_TEST_LEVEL")).unwrap());
    });
    // Another seed: the state brings its own.
    let mut run = factory.start(1).unwrap();
    run.restore(&std::fs::read(variable("ENGINE_TEST_BEFORE")).unwrap())
        .unwrap();
    let losses = drive(&mut *run, START..START + GO_ON);
    let mut bytes: Vec<u8> = losses.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    bytes.extend(run.state().unwrap());
    std::fs::write(variable("ENGINE_TEST_AFTER"), bytes).unwrap();
}

#[test]
fn restoring_undoes_whatever_came_after() {
    let factory = factory(|_| ());
    let mut run = factory.start(3).unwrap();
    drive(&mut *run, 0..9);
    let state = run.state().unwrap();
    let expected = drive(&mut *run, 9..15);
    // A rate that ruins the weights, up to NaN.
    for _ in 0..5 {
        run.update(Hyper::lr(1e30)).unwrap();
    }
    run.restore(&state).unwrap();
    assert!(run.state().unwrap() == state);
    assert_eq!(drive(&mut *run, 9..15), expected);
}

#[test]
fn evaluation_leaves_no_trace() {
    let factory = factory(|_| ());
    let mut run = factory.start(3).unwrap();
    drive(&mut *run, 0..9);
    let state = run.state().unwrap();
    let first = run.evaluate(Split::Validation).unwrap();
    assert!(run.state().unwrap() == state);
    assert_eq!(run.evaluate(Split::Validation).unwrap(), first);
    let hits = first.correct.unwrap().iter().filter(|&&c| c).count() as u64;
    let accuracy = first.metrics.get("accuracy").unwrap();
    assert_eq!((accuracy.correct, accuracy.count), (Some(hits), 200));
}

#[test]
fn the_seed_decides_the_run() {
    let factory = factory(|_| ());
    let losses = |seed| drive(&mut *factory.start(seed).unwrap(), 0..5);
    assert_eq!(losses(1), losses(1));
    assert_ne!(losses(1), losses(2));
}

type Change = fn(&mut EngineConfig);

#[test]
fn a_state_of_another_run_is_refused_with_its_reason() {
    let state = factory(|_| ()).start(0).unwrap().state().unwrap();
    let reason = |change: Change| match factory(change).start(0).unwrap().restore(&state) {
        Err(TrainerError::BadState { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let cases: [(&str, Change); 7] = [
        ("its net is `small of ", |c| {
            c.net = Net::named("mlp", 10).unwrap();
        }),
        (
            "its net is `dropout(p=0.25)`, in line 9, and this run's `dropout(p=0.375)`",
            |c| {
                let mut layers = c.net.layers().to_vec();
                layers[5] = Layer::Dropout { p: 0.375 };
                c.net = Net::new("small", layers);
            },
        ),
        ("its batch is `62 by 25`, and this run's `50 by 25`", |c| {
            c.batch = 50;
        }),
        (
            "its optimizer is `sgd(momentum=0.9, nesterov=false)`, and this run's `adagrad(eps=",
            |c| {
                c.optimizer = Optimizer::AdaGrad { eps: 1e-10 };
            },
        ),
        ("its data is `9800 images of 28×28×1", |c| {
            c.normalization = Normalization::unit(cyclr_engine::data::Shape {
                height: 28,
                width: 28,
                channels: 1,
            });
        }),
        ("its clip_norm is `1`, and this run's `none`", |c| {
            c.clip_norm = None;
        }),
        (
            "its augment is `augment(pad=2, flip=true)`, and this run's `augment(pad=0, \
             flip=false)`",
            |c| c.augment = Augment::NONE,
        ),
    ];
    for (expected, change) in cases {
        let found = reason(change);
        assert!(found.starts_with(expected), "{found}");
    }
}

/// Optimizers' texts in states: they change only with the state's format number.
#[test]
fn optimizers_keep_their_text() {
    let state = factory(|_| ()).start(0).unwrap().state().unwrap();
    let (momentum, nesterov, eps) = (0.9, true, 1e-8);
    let (beta1, beta2) = (0.9, 0.999);
    let cases = [
        (
            Optimizer::Sgd { momentum, nesterov },
            "sgd(momentum=0.9, nesterov=true)",
        ),
        (
            Optimizer::CaffeSgd { momentum, nesterov },
            "caffe_sgd(momentum=0.9, nesterov=true)",
        ),
        (
            Optimizer::Adam { beta1, beta2, eps },
            "adam(beta1=0.9, beta2=0.999, eps=0.00000001)",
        ),
        (
            Optimizer::AdamW { beta1, beta2, eps },
            "adamw(beta1=0.9, beta2=0.999, eps=0.00000001)",
        ),
        (
            Optimizer::RmsProp {
                alpha: 0.99,
                eps,
                momentum: 0.0,
            },
            "rmsprop(alpha=0.99, eps=0.00000001, momentum=0)",
        ),
        (Optimizer::AdaGrad { eps }, "adagrad(eps=0.00000001)"),
        (
            Optimizer::AdaDelta { rho: 0.9, eps },
            "adadelta(rho=0.9, eps=0.00000001)",
        ),
    ];
    for (optimizer, text) in cases {
        let other = factory(|config| config.optimizer = optimizer);
        let refused = other.start(0).unwrap().restore(&state).unwrap_err();
        let expected = format!("and this run's `{text}`");
        assert!(refused.to_string().contains(&expected), "{refused}");
    }
}

#[test]
fn a_state_of_another_format_is_refused_with_what_to_do() {
    let replaced = |to: &str| {
        let from = "cyclr-engine state 2";
        assert_eq!(from.len(), to.len());
        let mut bytes = STATE.clone();
        let mut windows = bytes.windows(from.len());
        let at = windows.position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let mut run = LAB.start(0).unwrap();
        run.restore(&sealed(bytes)).unwrap_err().to_string()
    };
    let earlier = replaced("cyclr-engine state 1");
    assert!(earlier.contains("another version of cyclr"), "{earlier}");
    assert!(earlier.contains("start the run again"), "{earlier}");
    let foreign = replaced("somebody else's data");
    assert!(foreign.contains("not a state of this engine"), "{foreign}");
}

#[test]
fn another_level_is_refused_unless_it_is_allowed() {
    if !Level::Avx2.is_supported() {
        return;
    }
    let state = factory(|_| ()).start(0).unwrap().state().unwrap();
    let at_avx2 = factory(|config| config.level = Some(Level::Avx2));
    let refused = at_avx2.start(0).unwrap().restore(&state).unwrap_err();
    assert!(
        refused.to_string().contains("CPU level portable"),
        "{refused}"
    );
    let inexact = factory(|config| {
        config.level = Some(Level::Avx2);
        config.allow_inexact = true;
    });
    inexact.start(0).unwrap().restore(&state).unwrap();
}

static LAB: LazyLock<EngineFactory> = LazyLock::new(|| factory(|_| ()));
static STATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut run = LAB.start(0).unwrap();
    drive(&mut *run, 0..2);
    run.state().unwrap()
});

/// Refuses the bytes, and leaves the run as it was.
fn refused(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut run = LAB.start(0).unwrap();
    let before = run.state().unwrap();
    let outcome = run.restore(bytes);
    prop_assert!(
        matches!(outcome, Err(TrainerError::BadState { .. })),
        "{outcome:?}"
    );
    prop_assert!(run.state().unwrap() == before);
    Ok(())
}

/// Makes the checksum right again, so that what is behind it is tested.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len().saturating_sub(4);
    let seal = crc32fast::hash(&bytes[..body]).to_le_bytes();
    let room = bytes.len() - body;
    bytes[body..].copy_from_slice(&seal[..room]);
    bytes
}

#[test]
fn numbers_that_no_run_has_are_refused() {
    let forged = |name: &str, from: String, to: String| {
        let (from, to) = (
            format!("\"{name}\":\"{from}\""),
            format!("\"{name}\":\"{to}\""),
        );
        assert_eq!(from.len(), to.len());
        let mut bytes = STATE.clone();
        let at = bytes
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        bytes[at.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
        sealed(bytes)
    };
    let bits = |value: f64| format!("{:016x}", value.to_bits());
    let hyper = hyper(0);
    for (name, value, wrong) in [
        ("momentum", hyper.momentum.unwrap(), f64::NAN),
        ("momentum", hyper.momentum.unwrap(), 1.0),
        ("weight_decay", hyper.weight_decay.unwrap(), -1.0),
    ] {
        refused(&forged(name, bits(value), bits(wrong))).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_is_found(at: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = STATE.clone();
        bytes[at.index(STATE.len())] ^= 1_u8 << bit;
        refused(&bytes)?;
    }

    #[test]
    fn a_truncated_state_is_refused(at: prop::sample::Index) {
        let cut = &STATE[..at.index(STATE.len())];
        refused(cut)?;
        refused(&sealed(cut.to_vec()))?;
    }

    #[test]
    fn foreign_bytes_are_refused(bytes: Vec<u8>, length: u64) {
        refused(&bytes)?;
        let promised: Vec<u8> = length.to_le_bytes().into_iter().chain(bytes).collect();
        refused(&sealed(promised))?;
    }

    /// Damage in the header that the checksum does not show: refused, or of no effect on what is
    /// read.
    #[test]
    fn a_forged_header_cannot_do_harm(at in 0_usize..2400, byte: u8) {
        let mut bytes = STATE.clone();
        bytes[at] = byte;
        let mut run = LAB.start(0).unwrap();
        let before = run.state().unwrap();
        if run.restore(&sealed(bytes)).is_err() {
            prop_assert!(run.state().unwrap() == before);
        }
    }
}
