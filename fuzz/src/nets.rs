//! Weights and states. An input is the JSON header; the numbers are zeros, as many as the header says, and lengths and
//! checksums are right. The whole input is tried as a file as well.

use std::sync::OnceLock;

use cyclr::Hyper;
use cyclr::trainer::Trainer;
use cyclr_engine::data::{Dataset, Images, Normalization, Shape, Splits};
use cyclr_engine::net::{Init, Layer, Net, batch_norm, conv, dense, param, window, zeros};
use cyclr_engine::{EngineConfig, EngineFactory, Predictor};

const MOST: u64 = 1 << 20;

/// Weights to start from.
pub(crate) fn weights(data: &[u8]) {
    for weights in [data.to_vec(), file(data, 0)] {
        let (mut config, splits) = setup();
        config.weights = Some(weights);
        // A few bytes of weights fit no net but a small one: the run starts from them.
        if let Ok(factory) = EngineFactory::new(config, splits) {
            factory.run(1).expect("a run can be started");
        }
    }
}

/// A trained model to predict with.
pub(crate) fn predictor(data: &[u8]) {
    for model in [data.to_vec(), file(data, 0)] {
        if let Ok(mut predictor) = Predictor::read(&model) {
            let values = predictor.shape().values();
            let probabilities = predictor.probabilities(&vec![7; values]);
            assert_eq!(probabilities.len(), predictor.classes().len());
        }
    }
}

/// The state of a run. A refused one leaves the run as it was.
pub(crate) fn state(data: &[u8]) {
    static FACTORY: OnceLock<EngineFactory> = OnceLock::new();
    let factory = FACTORY.get_or_init(|| {
        let (config, splits) = setup();
        EngineFactory::new(config, splits).expect("the net fits the data")
    });
    let mut run = factory.run(1).expect("a run can be started");
    let before = run.state().expect("the engine has states");
    for state in [data.to_vec(), sealed(data.to_vec()), sealed(file(data, 4))] {
        match run.restore(&state) {
            Ok(()) => {
                let updated = run.update(Hyper::lr(0.0));
                updated.expect("a run goes on from a state that it took");
                run.restore(&before).expect("a run takes its own state");
            }
            Err(_) => assert!(run.state().is_ok_and(|now| now == before)),
        }
    }
}

/// A net and data that are small.
fn setup() -> (EngineConfig, Splits) {
    let shape = Shape {
        height: 4,
        width: 4,
        channels: 1,
    };
    let images = |count: u16| Images {
        pixels: (0..count * 16).map(|n| n as u8).collect(),
        labels: (0..count).map(|n| n % 3).collect(),
    };
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    let dataset = Dataset::new(shape, classes, images(15), images(3));
    let dataset = dataset.expect("the images are right");
    let splits = dataset.split(3, 0).expect("there are enough images");
    let he = param(Init::He);
    let layers = vec![
        conv("conv", 2, window(3).pad(1), he, zeros()),
        batch_norm("norm"),
        Layer::Relu,
        dense("head", 3, he, zeros()),
    ];
    let normalization = Normalization::per_channel(&splits.train);
    let mut config = EngineConfig::new(Net::new("small", layers), normalization);
    config.batch = 4;
    (config, splits)
}

/// The headers of a state, of its weights, and of a model of a named net.
pub(crate) fn headers() -> [Vec<u8>; 3] {
    let header = |file: Vec<u8>| {
        let (length, rest) = file.split_first_chunk().expect("a safetensors file");
        rest[..u64::from_le_bytes(*length) as usize].to_vec()
    };
    let model = |config: EngineConfig, splits: Splits| {
        let factory = EngineFactory::new(config, splits).expect("the net fits the data");
        let mut run = factory.run(1).expect("a run can be started");
        let model = run.model().expect("a model").expect("a model");
        [header(run.state().expect("a state")), header(model)]
    };
    let (config, splits) = setup();
    let [state, weights] = model(config, splits);
    let (mut config, splits) = setup();
    config.net = Net::named("resnet8", 3).expect("a net of that name");
    let [_, named] = model(config, splits);
    [state, weights, named]
}

/// A safetensors file of this header and zeros, without its last `short` bytes.
fn file(header: &[u8], short: usize) -> Vec<u8> {
    let zeros = usize::try_from(last_offset(header)).map_or(0, |end| end.saturating_sub(short));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(file.len() + zeros, 0);
    file
}

/// Where the last tensor of a header ends, if that is not far away.
fn last_offset(header: &[u8]) -> u64 {
    let Ok(header) = serde_json::from_slice::<serde_json::Value>(header) else {
        return 0;
    };
    let tensors = header.as_object().into_iter().flatten();
    let ends = tensors.filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64());
    ends.max().filter(|&end| end <= MOST).unwrap_or(0)
}

/// The same with the checksum of a state at its end.
fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&file);
    file.extend(checksum.to_le_bytes());
    file
}
