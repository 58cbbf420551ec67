//! Predictions of a trained model.

use std::{collections::BTreeMap, sync::Arc};

use cyclr::names::unseen;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    cpu::{Cpu, CpuError, Level},
    data::{Dataset, Normalization, Shape},
    net::{Model, Net, NetError, Pass, Plan, Weights, WeightsError},
    tensors::File,
};

/// The metadata of a model's file: all that is needed to use it without the data it was trained
/// on.
///
/// `format` is `pt`, as the library for PyTorch wants it; `net` the name of the net; `classes` a
/// JSON list of names; `image` the height, width and channels; `mean` and `scale` the constants of
/// the normalisation, `(pixel - mean) * scale` with pixels from 0 to 255, one for each channel, or
/// for each value in height × width × channel order.
pub(crate) fn metadata(
    net: &str,
    dataset: &Dataset,
    normalization: &Normalization,
) -> BTreeMap<String, String> {
    let shape = dataset.shape();
    let [mean, scale] = normalization.constants(shape.channels);
    [
        ("format", String::from("pt")),
        ("net", net.to_owned()),
        ("classes", json!(dataset.classes()).to_string()),
        (
            "image",
            json!([shape.height, shape.width, shape.channels]).to_string(),
        ),
        ("mean", json!(mean).to_string()),
        ("scale", json!(scale).to_string()),
    ]
    .map(|(name, words)| (name.to_owned(), words))
    .into()
}

/// A trained model, read from the file that a run left
/// ([`model`](cyclr::trainer::Trainer::model)).
///
/// ```
/// use cyclr::trainer::Trainer;
/// use cyclr_engine::{
///     EngineConfig, EngineFactory, Predictor, data::{Dataset, Normalization}, net::Net,
/// };
///
/// let splits = Dataset::embedded().split(1000, 0)?;
/// let image = splits.train.image(0).to_vec();
/// let normalization = Normalization::per_channel(&splits.train);
/// let config = EngineConfig::new(Net::named("mlp", 10)?, normalization);
/// let factory = EngineFactory::new(config, splits)?;
/// let file = factory.run(7)?.model()?.expect("the engine's runs have a model");
///
/// let mut predictor = Predictor::read(&file)?;
/// let probabilities = predictor.probabilities(&image);
/// assert_eq!(probabilities.len(), predictor.classes().len());
/// assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Predictor {
    model: Model,
    shape: Shape,
    classes: Vec<String>,
    normalization: Normalization,
}

impl Predictor {
    /// Reads a model's file.
    ///
    /// # Errors
    /// [`ModelError`] if it is not such a file, of a net that is not known by name, or damaged.
    pub fn read(model: &[u8]) -> Result<Self, ModelError> {
        let file = File::read(model).map_err(|reason| WeightsError::Format { reason })?;
        let word = |name: &'static str| Word {
            name,
            text: file.metadata.get(name).map(String::as_str),
        };
        let shape = word("image").shape()?;
        let classes = word("classes").names()?;
        let (mean, scale): (Vec<f32>, Vec<f32>) = (word("mean").read()?, word("scale").read()?);
        let normalization = Normalization::of_constants(&mean, &scale, shape).ok_or_else(|| {
            let (means, scales) = (mean.len(), scale.len());
            word("mean").wrong(format!(
                "{means} means and {scales} scales do not fit an image of {shape}"
            ))
        })?;
        let net = Net::named(word("net").text()?, classes.len())?;
        let plan = Arc::new(Plan::new(
            &net,
            (shape.height, shape.width, shape.channels),
        )?);
        let weights = Weights::read(model, &plan)?;
        if weights.new_head {
            let reason = format!(
                "{} names are not the classes of the net's last layer",
                classes.len()
            );
            return Err(word("classes").wrong(reason));
        }
        let mut model = Model::new(plan.clone(), 1, Cpu::new(Level::from_environment()?, 1)?);
        // All tensors are given, so that the seed decides nothing.
        weights.start(&plan, 0, &mut model.params, &mut model.stats);
        Ok(Self {
            model,
            shape,
            classes,
            normalization,
        })
    }

    /// The size of the images that it takes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The probability of each class, softmax over the net's outputs. `pixels` are in height ×
    /// width × channel order, 0 to 255, as [`read_image`](crate::data::read_image) gives them.
    ///
    /// # Panics
    /// If `pixels` are not those of one image of [`Predictor::shape`].
    pub fn probabilities(&mut self, pixels: &[u8]) -> Vec<f64> {
        assert_eq!(
            pixels.len(),
            self.shape.values(),
            "an image of {}",
            self.shape
        );
        let (_, input) = self.model.input(1);
        self.normalization.apply(pixels, input);
        self.model.forward(1, Pass::Evaluate);
        let (outputs, _) = self.model.output(1);
        softmax(outputs)
    }
}

/// The probability of each class.
pub(crate) fn softmax(outputs: &[f32]) -> Vec<f64> {
    let largest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = outputs.iter().map(|&y| libm::exp(f64::from(y - largest)));
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// One entry of the metadata.
struct Word<'a> {
    name: &'static str,
    text: Option<&'a str>,
}

impl<'a> Word<'a> {
    fn text(&self) -> Result<&'a str, ModelError> {
        self.text.ok_or(ModelError::NoWord { name: self.name })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        let read = serde_json::from_str(self.text()?);
        read.map_err(|error| self.wrong(error.to_string()))
    }

    /// Names that can be printed.
    fn names(&self) -> Result<Vec<String>, ModelError> {
        let names: Vec<String> = self.read()?;
        match names.iter().find(|name| unseen(name).is_some()) {
            Some(name) => Err(self.wrong(format!(
                "{name:?} has a character that is invisible or changes the direction of the text"
            ))),
            None => Ok(names),
        }
    }

    /// The image's size, no larger than any that training takes.
    fn shape(&self) -> Result<Shape, ModelError> {
        const MOST: usize = 1 << 26;
        let [height, width, channels]: [usize; 3] = self.read()?;
        let values = height
            .checked_mul(width)
            .and_then(|v| v.checked_mul(channels));
        if !values.is_some_and(|values| (1..=MOST).contains(&values)) {
            return Err(self.wrong(format!("{height}×{width}×{channels} is not an image size")));
        }
        Ok(Shape {
            height,
            width,
            channels,
        })
    }

    fn wrong(&self, reason: String) -> ModelError {
        ModelError::Word {
            name: self.name,
            reason,
        }
    }
}

/// Why a file is not a model to predict with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The tensors are damaged or of another net.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The net is not known, or does not fit the images.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The level or the thread are not available.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// Something that predictions need is not in the file.
    #[error(
        "the file's metadata has no `{name}`; give the model.safetensors of a run of the \
         embedded engine"
    )]
    NoWord {
        /// What is missing.
        name: &'static str,
    },
    /// Something in the metadata makes no sense.
    #[error(
        "`{name}` in the file's metadata cannot be read: {reason}; put back a copy of the file, or \
         give the model.safetensors of another run of the embedded engine"
    )]
    Word {
        /// What it is.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
