use super::{Dataset, Examples, Part, Shape, normalization::channel_statistics};

/// What a data set holds, for showing to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The path it was read from, `embedded`, or `memory`.
    pub source: String,
    /// What kind of files it was read from.
    pub format: &'static str,
    /// The size of one image.
    pub shape: Shape,
    /// The names of the classes, by label.
    pub classes: Vec<String>,
    /// The training part, before any validation cut.
    pub train: PartSummary,
    /// The validation part that the data set came with; without examples if there is none.
    pub validation: PartSummary,
    /// The test part.
    pub test: PartSummary,
    /// Bytes that the pixels take in memory.
    pub bytes: usize,
    /// Files and folders that were seen and not read, at most [`Summary::IGNORED_LISTED`] of them
    /// by name.
    pub ignored: Vec<String>,
    /// What a person should know about how the files were read: a sentence for each thing.
    pub notes: Vec<String>,
}

/// One part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSummary {
    /// How many examples it has.
    pub examples: usize,
    /// How many examples each class has, by label.
    pub per_class: Vec<usize>,
    /// Mean and standard deviation (division by n) of each channel over all pixels, from 0 to 255.
    /// Zeros if the part is empty.
    pub channels: Vec<(f64, f64)>,
}

impl Summary {
    /// How many ignored files are listed by name; the last line says how many more there are.
    pub const IGNORED_LISTED: usize = 20;
}

impl Dataset {
    /// Counts per class, shape, mean and deviation of the channels, and what was ignored. Reads
    /// every pixel.
    pub fn summary(&self) -> Summary {
        let contents = &*self.0;
        let parts = [&contents.train, &contents.validation, &contents.test];
        Summary {
            source: contents.source.clone(),
            format: contents.format,
            shape: contents.shape,
            classes: contents.classes.clone(),
            train: self.summarize(Part::Train),
            validation: self.summarize(Part::Validation),
            test: self.summarize(Part::Test),
            bytes: parts.iter().map(|images| images.pixels.len()).sum(),
            ignored: contents.ignored.clone(),
            notes: contents.notes.clone(),
        }
    }

    fn summarize(&self, part: Part) -> PartSummary {
        let examples = Examples::whole(self, part);
        PartSummary {
            examples: examples.len(),
            per_class: examples.class_counts(),
            channels: channel_statistics(&examples),
        }
    }
}
