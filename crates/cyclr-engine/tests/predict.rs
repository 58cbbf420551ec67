//! Predictions from a model's file, compared with the run that wrote it.
#![expect(clippy::unwrap_used, reason = "an integration test")]

use cyclr::Hyper;
use cyclr::trainer::{Split, Trainer};
use cyclr_engine::data::{Dataset, Normalization};
use cyclr_engine::net::Net;
use cyclr_engine::{EngineConfig, EngineFactory, Predictor};

fn factory(
    net: &str,
    normalization: fn(&cyclr_engine::data::Examples) -> Normalization,
) -> EngineFactory {
    let splits = Dataset::embedded().split(9000, 0).unwrap();
    let normalization = normalization(&splits.train);
    EngineFactory::new(
        EngineConfig::new(Net::named(net, 10).unwrap(), normalization),
        splits,
    )
    .unwrap()
}

#[test]
fn a_model_predicts_what_its_run_did() {
    let normalizations = [
        Normalization::per_channel,
        Normalization::per_pixel,
        Normalization::pixel_mean,
    ];
    for (net, normalization) in ["mlp", "lenet", "resnet8"].into_iter().zip(normalizations) {
        let factory = factory(net, normalization);
        let mut run = factory.run(3).unwrap();
        run.updates(&[Hyper::lr(0.01); 10]).unwrap();
        let right = run.evaluate(Split::Test).unwrap().correct.unwrap();
        let mut predictor = Predictor::read(&run.model().unwrap().unwrap()).unwrap();
        let test = &Dataset::embedded().split(9000, 0).unwrap().test;
        for pick in 0..200 {
            let probabilities = predictor.probabilities(test.image(pick));
            let best = (0..10).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
            let is_right = best == Some(usize::from(test.label(pick)));
            assert_eq!(is_right, right[pick as usize], "{net}, image {pick}");
        }
    }
}

#[test]
fn other_files_are_refused_with_their_reason() {
    let factory = factory("mlp", Normalization::per_channel);
    let file = factory.run(3).unwrap().model().unwrap().unwrap();
    let said = |bytes: &[u8]| Predictor::read(bytes).unwrap_err().to_string();
    assert!(said(b"no model").contains("not safetensors"));
    assert!(said(&file[..file.len() - 1]).contains("not safetensors"));
    let changed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = file
            .windows(from.len())
            .position(|bytes| bytes == from.as_bytes())
            .unwrap();
        let mut file = file.clone();
        file[at..at + to.len()].copy_from_slice(to.as_bytes());
        said(&file)
    };
    for (from, to, expected) in [
        ("\"classes\"", "\"klasses\"", "has no `classes`"),
        ("[28,28,1]", "[28,28,0]", "not an image size"),
        ("[28,28,1]", "[28,29,1]", "use weights of the same net"),
        ("\"mlp\"", "\"mlq\"", "mlq"),
        ("[28,28,1]", "[28,28x1]", "cannot be read"),
        // An escape character, written as in JSON within JSON.
        ("Trouser", r"\\u001b", r#""\u{1b}" has a character"#),
    ] {
        let said = changed(from, to);
        assert!(said.contains(expected), "{said}");
        let what_to_do = ["give ", "use ", "get ", "put back "];
        assert!(what_to_do.iter().any(|word| said.contains(word)), "{said}");
    }
}

/// A file may claim any size of image. Its net would have 64 GiB of weights here.
#[test]
fn no_memory_is_taken_for_weights_that_a_file_lacks() {
    let header = r#"{"__metadata__":{"net":"mlp","classes":"[\"a\",\"b\"]","image":"[8192,8192,1]","mean":"[0]","scale":"[1]"}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    let refused = Predictor::read(&file).unwrap_err().to_string();
    assert!(
        refused.contains("the weights lack `fc1.weight`"),
        "{refused}"
    );
}
