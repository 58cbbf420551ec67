//! The named nets and the settings of a run: parameter counts, other image sizes, given weights,
//! and what is refused.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use cyclr::{
    Hyper,
    trainer::{Split, Trainer, TrainerError, TrainerFactory},
};
use cyclr_engine::{
    EngineConfig, EngineError, EngineFactory, Optimizer,
    cpu::CpuError,
    data::{Augment, DataError, Dataset, Images, Normalization, Order, Shape, Splits},
    net::{
        Init, Layer, Net, NetError, Shortcut, WeightsError, batch_norm, conv, dense, param, window,
        zeros,
    },
    rng::{Purpose, Rng},
};

/// Noise with labels, `count` images to train on and 10 to test.
fn noise((height, width, channels): (usize, usize, usize), classes: u16, count: usize) -> Splits {
    let shape = Shape {
        height,
        width,
        channels,
    };
    let mut rng = Rng::new(1, Purpose::Shuffle, 0);
    let mut images = |count: usize| Images {
        pixels: (0..count * shape.values())
            .map(|_| rng.next_u32() as u8)
            .collect(),
        labels: (0..count).map(|i| i as u16 % classes).collect(),
    };
    let (train, test) = (images(count), images(10));
    let names = (0..classes).map(|k| k.to_string()).collect();
    Dataset::new(shape, names, train, test)
        .unwrap()
        .split(0, 0)
        .unwrap()
}

fn config(net: Net, splits: &Splits) -> EngineConfig {
    EngineConfig {
        batch: 8,
        ..EngineConfig::new(net, Normalization::per_channel(&splits.train))
    }
}

fn losses(factory: &EngineFactory, updates: usize) -> Vec<f64> {
    let mut run = factory.start(0).unwrap();
    let mut loss = |_| run.update(Hyper::lr(0.01)).unwrap().loss().unwrap().value;
    (0..updates).map(&mut loss).collect()
}

#[test]
fn parameters_are_as_many_as_published() {
    // The Caffe nets: clr.md section 5 and Caffe's own LeNet; the ResNets of option A: He et al.,
    // table 6 (0.27 M and 0.85 M), to the last one as public implementations of them print.
    let cases = [
        (
            "mlp",
            (28, 28, 1),
            784 * 256 + 256 + 256 * 256 + 256 + 2560 + 10,
        ),
        ("lenet", (28, 28, 1), 431_080),
        ("cifar10_quick", (32, 32, 3), 145_578),
        ("cifar10_full", (32, 32, 3), 89_578),
        ("resnet8", (32, 32, 3), 75_290),
        ("resnet20", (32, 32, 3), 269_722),
        ("resnet56", (32, 32, 3), 853_018),
    ];
    assert!(Net::names().eq(cases.iter().map(|case| case.0)));
    for (name, image, parameters) in cases {
        assert_eq!(
            Net::named(name, 10).unwrap().parameters(image).unwrap(),
            parameters,
            "{name}"
        );
    }
}

#[test]
fn caffes_initial_weights_and_multipliers() {
    let net = Net::named("cifar10_full", 10).unwrap();
    let info: Vec<_> = net
        .layers()
        .iter()
        .filter_map(|layer| match layer {
            Layer::Conv { weight, bias, .. } | Layer::Dense { weight, bias, .. } => {
                let bias = bias.unwrap();
                let multipliers = [
                    weight.lr_mult,
                    weight.decay_mult,
                    bias.lr_mult,
                    bias.decay_mult,
                ];
                assert_eq!(bias.init, Init::Constant(0.0));
                Some((weight.init, multipliers))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (Init::Gaussian(0.0001), [1.0, 1.0, 2.0, 1.0]),
        (Init::Gaussian(0.01), [1.0, 1.0, 2.0, 1.0]),
        (Init::Gaussian(0.01), [1.0, 1.0, 1.0, 1.0]),
        (Init::Gaussian(0.01), [1.0, 250.0, 2.0, 0.0]),
    ];
    assert_eq!(info, expected);
}

#[test]
fn initial_weights_have_their_deviation() {
    let splits = noise((32, 32, 3), 10, 16);
    let factory = EngineFactory::new(
        config(Net::named("cifar10_full", 10).unwrap(), &splits),
        splits,
    );
    let file = factory.unwrap().start(0).unwrap().model().unwrap().unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    for (name, deviation) in [
        ("conv1", 1e-4),
        ("conv2", 0.01),
        ("conv3", 0.01),
        ("ip1", 0.01),
    ] {
        let bytes = tensors.tensor(&format!("{name}.weight")).unwrap().data();
        let (numbers, _) = bytes.as_chunks::<4>();
        let squares = numbers
            .iter()
            .map(|b| f64::from(f32::from_le_bytes(*b)).powi(2));
        let n = numbers.len() as f64;
        let found = (squares.sum::<f64>() / n).sqrt();
        // Five standard errors of a standard deviation.
        assert!(
            (found / deviation - 1.0).abs() < 5.0 / (2.0 * n).sqrt(),
            "{name}: {found}"
        );
    }
}

#[test]
fn every_net_trains_on_other_images_and_classes() {
    for name in Net::names() {
        let splits = noise((20, 24, 2), 3, 24);
        let mut config = config(Net::named(name, 3).unwrap(), &splits);
        config.optimizer = Optimizer::Adam {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        };
        let factory = EngineFactory::new(config, splits).unwrap();
        let mut run = factory.start(0).unwrap();
        let mut loss = || run.update(Hyper::lr(0.001)).unwrap().loss().unwrap().value;
        let first: f64 = (0..3).map(|_| loss()).sum();
        let rest: Vec<f64> = (0..60).map(|_| loss()).collect();
        let last: f64 = rest[57..].iter().sum();
        assert!(last < 0.8 * first, "{name}: {first} to {last}");
        let evaluation = run.evaluate(Split::Test).unwrap();
        assert_eq!(evaluation.correct.unwrap().len(), 10);
        assert!(matches!(
            run.evaluate(Split::Validation),
            Err(TrainerError::Unsupported { .. })
        ));
    }
}

#[test]
fn images_that_are_too_small_are_refused_with_the_layer() {
    let lenet = Net::named("lenet", 10).unwrap();
    assert!(lenet.parameters((15, 15, 1)).is_ok());
    let error = lenet.parameters((14, 14, 1)).unwrap_err();
    assert!(
        matches!(&error, NetError::Geometry { layer, .. } if layer == "a max pool"),
        "{error}"
    );
    assert!(error.to_string().ends_with("on each side"), "{error}");
    let error = lenet.parameters((usize::MAX, 2, 1)).unwrap_err();
    assert!(
        matches!(&error, NetError::Geometry { layer, .. } if layer == "the input"),
        "{error}"
    );
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let splits = noise((28, 28, 1), 10, 60);
    let at = |micro_batch| {
        let mut config = config(Net::named("lenet", 10).unwrap(), &splits);
        config.batch = 20;
        config.micro_batch = micro_batch;
        losses(&EngineFactory::new(config, splits.clone()).unwrap(), 6)
    };
    let whole = at(Some(20));
    for micro_batch in [Some(1), Some(7), None] {
        for (found, expected) in at(micro_batch).iter().zip(&whole) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{micro_batch:?}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn a_clipped_gradient_is_as_long_as_asked() {
    let splits = noise((28, 28, 1), 10, 60);
    let moved = |clip_norm, weight_decay| {
        let mut config = config(Net::named("mlp", 10).unwrap(), &splits);
        (config.clip_norm, config.weight_decay) = (clip_norm, weight_decay);
        let factory = EngineFactory::new(config, splits.clone()).unwrap();
        let mut run = factory.start(0).unwrap();
        let before = parameters(&mut *run);
        run.update(Hyper::lr(1.0)).unwrap();
        let after = parameters(&mut *run);
        let squares = before
            .iter()
            .zip(&after)
            .map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let free = moved(None, 0.0);
    assert!(free > 0.1, "{free}");
    assert!((moved(Some(0.01), 0.0) - 0.01).abs() < 1e-5);
    assert!((moved(Some(2.0 * free), 0.0) - free).abs() < 1e-9);
}

fn parameters(run: &mut dyn Trainer) -> Vec<f32> {
    let state = run.state().unwrap();
    let file = safetensors::SafeTensors::deserialize(&state).unwrap();
    let (numbers, _) = file.tensor("parameters").unwrap().data().as_chunks::<4>();
    numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

#[test]
fn a_run_goes_on_from_its_own_model() {
    let splits = noise((32, 32, 3), 10, 40);
    let plain = config(Net::named("resnet8", 10).unwrap(), &splits);
    let factory = EngineFactory::new(plain.clone(), splits.clone()).unwrap();
    let mut run = factory.start(0).unwrap();
    for _ in 0..5 {
        run.update(Hyper::lr(0.01)).unwrap();
    }
    let weights = run.model().unwrap();
    let expected = run.evaluate(Split::Test).unwrap();

    let given = EngineConfig { weights, ..plain };
    let factory = EngineFactory::new(given.clone(), splits).unwrap();
    let mut again = factory.start(9).unwrap();
    assert!(again.info().given_weights && !run.info().given_weights);
    assert_eq!(again.evaluate(Split::Test).unwrap(), expected);

    // Four classes: a new last layer, which the seed draws; all else as given.
    let four = noise((32, 32, 3), 4, 40);
    let net = Net::named("resnet8", 4).unwrap();
    let factory = EngineFactory::new(EngineConfig { net, ..given }, four).unwrap();
    let start = |seed| parameters(&mut *factory.start(seed).unwrap());
    let (first, second, old) = (start(1), start(2), parameters(&mut *again));
    let head = 64 * 4;
    let body = first.len() - head - 4;
    assert_eq!(first[..body], old[..body]);
    assert_eq!(first[..body], second[..body]);
    assert!(
        first[body..][..head]
            .iter()
            .zip(&second[body..])
            .all(|(a, b)| a != b)
    );
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let splits = noise((28, 28, 1), 10, 40);
    let file = |net: &str, side: usize| {
        let splits = noise((side, side, 1), 10, 40);
        let factory = EngineFactory::new(config(Net::named(net, 10).unwrap(), &splits), splits);
        factory.unwrap().start(0).unwrap().model().unwrap().unwrap()
    };
    let refusal = |weights: Vec<u8>| {
        let config = EngineConfig {
            weights: Some(weights),
            ..config(Net::named("mlp", 10).unwrap(), &splits)
        };
        match EngineFactory::new(config, splits.clone()) {
            Err(EngineError::Weights(error)) => error,
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    let good = file("mlp", 28);
    let mut not_finite = good.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let renamed = |from: &[u8], to: &[u8]| {
        let mut bytes = good.clone();
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        bytes
    };
    assert!(matches!(
        refusal(b"nothing".to_vec()),
        WeightsError::Format { .. }
    ));
    assert!(matches!(
        refusal(good[..100].to_vec()),
        WeightsError::Format { .. }
    ));
    assert!(matches!(
        refusal(file("lenet", 28)),
        WeightsError::Unknown { .. }
    ));
    assert!(
        matches!(refusal(file("mlp", 20)), WeightsError::Shape { name, .. } if name == "fc1.weight")
    );
    assert!(matches!(
        refusal(not_finite),
        WeightsError::NotFinite { .. }
    ));
    let other = refusal(renamed(b"fc2.bias", b"fc2.bios"));
    assert!(matches!(other, WeightsError::Unknown { name } if name == "fc2.bios"));
    assert!(matches!(
        refusal(renamed(b"\"F32\"", b"\"I32\"")),
        WeightsError::Dtype { .. }
    ));
}

#[test]
fn settings_out_of_range_are_refused() {
    let splits = noise((28, 28, 1), 10, 40);
    let refusal = |change: &dyn Fn(&mut EngineConfig)| {
        let mut config = config(Net::named("mlp", 10).unwrap(), &splits);
        change(&mut config);
        EngineFactory::new(config, splits.clone())
            .map(|_| ())
            .unwrap_err()
    };
    let setting = |change: &dyn Fn(&mut EngineConfig)| match refusal(change) {
        EngineError::Setting { name, .. } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(setting(&|c| c.weight_decay = f64::NAN), "weight_decay");
    assert_eq!(setting(&|c| c.label_smoothing = 1.5), "label_smoothing");
    assert_eq!(setting(&|c| c.clip_norm = Some(0.0)), "clip_norm");
    assert_eq!(setting(&|c| c.micro_batch = Some(9)), "micro_batch");
    assert_eq!(setting(&|c| c.micro_batch = Some(0)), "micro_batch");
    assert_eq!(
        setting(&|c| {
            c.optimizer = Optimizer::Sgd {
                momentum: 1.0,
                nesterov: false,
            };
        }),
        "momentum"
    );
    // The second would be 0 in single precision.
    for eps in [0.0, 1e-50, f64::INFINITY] {
        assert_eq!(
            setting(&|c| c.optimizer = Optimizer::AdaGrad { eps }),
            "eps"
        );
    }
    assert_eq!(setting(&|c| c.augment.pad = 28), "augment.pad");
    for batch in [0, 41] {
        let error = refusal(&|c| c.batch = batch);
        assert!(
            matches!(error, EngineError::Data(DataError::Batch { .. })),
            "{error}"
        );
    }
    let error = refusal(&|c| c.threads = 0);
    assert!(
        matches!(error, EngineError::Cpu(CpuError::NoThreads)),
        "{error}"
    );
    let error = refusal(&|c| c.net = Net::named("mlp", 11).unwrap());
    let expected = (11, 10);
    assert!(
        matches!(error, EngineError::Net(NetError::Outputs { values, classes, .. }) if (values, classes) == expected)
    );
    let error = refusal(&|c| {
        c.normalization = Normalization::unit(Shape {
            height: 27,
            width: 28,
            channels: 1,
        });
    });
    assert!(
        matches!(error, EngineError::Normalization { .. }),
        "{error}"
    );
    assert!(matches!(
        Net::named("lenet5", 10),
        Err(NetError::Unknown { .. })
    ));
    assert!(matches!(
        Net::named("lenet", 1),
        Err(NetError::Classes { classes: 1 })
    ));
}

#[test]
fn nets_that_cannot_be_are_refused() {
    let he = param(Init::He);
    let head = || dense("head", 10, he, zeros());
    let refused = |layers: Vec<Layer>| match Net::new("odd", layers).parameters((8, 8, 3)) {
        Err(NetError::Layer { layer, .. }) => layer,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(vec![head(), head()]), "head.weight");
    assert_eq!(refused(vec![Layer::Relu]), "the list of layers");
    assert_eq!(refused(vec![Layer::Dropout { p: 1.0 }, head()]), "dropout");
    assert_eq!(
        refused(vec![dense("a", 10, he.lr_mult(-1.0), None)]),
        "a.weight"
    );
    let residual = |body, shortcut| vec![Layer::Residual { body, shortcut }, head()];
    assert_eq!(refused(residual(vec![], Shortcut::Identity)), "a residual");
    assert_eq!(
        refused(residual(vec![Layer::GlobalAvgPool], Shortcut::Identity)),
        "a residual"
    );
    let none = Shortcut::Subsample { stride: 0, out: 3 };
    assert_eq!(refused(residual(vec![Layer::Relu], none)), "a shortcut");

    let splits = noise((8, 8, 3), 10, 17);
    let pixels = vec![dense("a", 5, he, zeros()), batch_norm("b"), head()];
    let single = config(Net::new("pixels", pixels), &splits);
    // 17 examples in batches of 8 leave one over.
    let error = EngineFactory::new(single.clone(), splits.clone()).unwrap_err();
    assert!(
        matches!(error, EngineError::SingleExample { .. }),
        "{error}"
    );
    let order = Order::Stored;
    assert!(EngineFactory::new(EngineConfig { order, ..single }, splits).is_ok());
}

#[test]
fn updates_that_make_no_sense_are_refused() {
    let splits = noise((28, 28, 1), 10, 40);
    let mut config = config(Net::named("mlp", 10).unwrap(), &splits);
    config.optimizer = Optimizer::AdaGrad { eps: 1e-10 };
    config.augment = Augment { pad: 1, flip: true };
    let factory = EngineFactory::new(config, splits).unwrap();
    let mut run = factory.start(0).unwrap();
    assert!(!run.info().momentum);
    let mut refuse = |hyper| assert!(run.update(hyper).is_err(), "{hyper:?}");
    refuse(Hyper::lr(f64::NAN));
    refuse(Hyper::lr(-1.0));
    refuse(Hyper {
        momentum: Some(0.9),
        ..Hyper::lr(0.1)
    });
    refuse(Hyper {
        weight_decay: Some(f64::INFINITY),
        ..Hyper::lr(0.1)
    });
    // A rate of 0 moves nothing.
    let before = parameters(&mut *run);
    run.update(Hyper::lr(0.0)).unwrap();
    assert_eq!(parameters(&mut *run), before);
}

/// The gradient of every parameter, by one update without momentum and decay, against central
/// differences of the loss. A value that a batch norm reads and that is added to its result has two
/// gradients from the same step.
#[test]
fn a_batch_norm_may_be_all_of_a_residual() {
    let he = param(Init::He);
    let layers = vec![
        conv("conv", 3, window(3).pad(1), he, zeros()),
        Layer::Residual {
            body: vec![batch_norm("norm")],
            shortcut: Shortcut::Identity,
        },
        dense("head", 3, he, zeros()),
    ];
    let splits = noise((4, 3, 2), 3, 8);
    let start = |weights: Option<Vec<u8>>| {
        let config = EngineConfig {
            optimizer: Optimizer::Sgd {
                momentum: 0.0,
                nesterov: false,
            },
            weight_decay: 0.0,
            order: Order::Stored,
            weights,
            ..config(Net::new("net", layers.clone()), &splits)
        };
        EngineFactory::new(config, splits.clone()).unwrap()
    };
    let (factory, parameters) = (start(None), 3 * 18 + 3 + 6 + 3 * 36 + 3);
    let mut run = factory.run(5).unwrap();
    let before = run.model().unwrap().unwrap();
    run.update(Hyper::lr(1.0)).unwrap();
    let after = run.model().unwrap().unwrap();
    let first = 8 + u64::from_le_bytes(before[..8].try_into().unwrap()) as usize;
    let number = |file: &[u8], n: usize| {
        let place = first + 4 * n;
        f32::from_le_bytes(file[place..place + 4].try_into().unwrap())
    };
    for n in 0..parameters {
        let loss = |step: f32| {
            let mut moved = before.clone();
            let place = first + 4 * n;
            moved[place..place + 4].copy_from_slice(&(number(&before, n) + step).to_le_bytes());
            let factory = start(Some(moved));
            let metrics = factory.run(5).unwrap().update(Hyper::lr(0.0)).unwrap();
            metrics.loss().unwrap().value
        };
        let expected = (loss(2e-3) - loss(-2e-3)) / 4e-3;
        let found = f64::from(number(&before, n) - number(&after, n));
        assert!(
            (found - expected).abs() < 1e-3,
            "parameter {n}: {found} instead of {expected}"
        );
    }
}
