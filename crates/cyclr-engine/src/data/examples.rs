use std::sync::Arc;

use super::{Dataset, Normalization, Part, Shape, View};

/// Some of a data set's examples, in a fixed order: a view, which shares the pixels.
///
/// Examples are named by their position in this view, 0 to `len() - 1`.
#[derive(Clone, Debug)]
pub struct Examples {
    data: Dataset,
    part: Part,
    /// Where each example lies in its part, ascending.
    places: Arc<[u32]>,
}

impl Examples {
    pub(super) fn new(data: Dataset, part: Part, places: Arc<[u32]>) -> Self {
        Self { data, part, places }
    }

    pub(super) fn whole(data: &Dataset, part: Part) -> Self {
        let count = data.part(part).labels.len() as u32;
        Self::new(data.clone(), part, (0..count).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The size of one image.
    pub fn shape(&self) -> Shape {
        self.data.shape()
    }

    /// The data set these are of.
    pub fn dataset(&self) -> &Dataset {
        &self.data
    }

    /// The class of an example.
    ///
    /// # Panics
    /// If `pick` is not below `len()`.
    pub fn label(&self, pick: u32) -> u16 {
        self.data.part(self.part).labels[self.place(pick)]
    }

    /// The pixels of an example, 0 to 255, in height × width × channel order.
    ///
    /// # Panics
    /// If `pick` is not below `len()`.
    pub fn image(&self, pick: u32) -> &[u8] {
        let values = self.shape().values();
        let start = self.place(pick) * values;
        &self.data.part(self.part).pixels[start..start + values]
    }

    /// Writes a batch as normalised NHWC values.
    ///
    /// # Panics
    /// If `out` is not `picks.len() × shape().values()` long, a pick is not below `len()`, or the
    /// normalisation is of another shape.
    pub fn fill(&self, picks: &[u32], normalization: &Normalization, out: &mut [f32]) {
        let values = self.check(picks, normalization, out);
        for (&pick, out) in picks.iter().zip(out.chunks_exact_mut(values)) {
            normalization.apply(self.image(pick), out);
        }
    }

    /// Writes a batch as [`Examples::fill`] does, each image seen through its own [`View`]:
    /// shifted and mirrored first, with black where the shift uncovers the outside, and normalised
    /// then, as torchvision's `RandomCrop`, `RandomHorizontalFlip`, `Normalize` chain does it.
    ///
    /// # Panics
    /// As [`Examples::fill`], and if there are not as many views as picks.
    pub fn fill_views(
        &self,
        picks: &[u32],
        views: &[View],
        normalization: &Normalization,
        out: &mut [f32],
    ) {
        let values = self.check(picks, normalization, out);
        assert_eq!(picks.len(), views.len(), "one view for each pick");
        let mut seen = vec![0_u8; values];
        for ((&pick, view), out) in picks.iter().zip(views).zip(out.chunks_exact_mut(values)) {
            view.render(self.shape(), self.image(pick), &mut seen);
            normalization.apply(&seen, out);
        }
    }

    /// How many examples each class has, by label.
    pub fn class_counts(&self) -> Vec<usize> {
        let labels = &self.data.part(self.part).labels;
        let mut counts = vec![0; self.data.classes().len()];
        for &place in &*self.places {
            counts[usize::from(labels[place as usize])] += 1;
        }
        counts
    }

    /// CRC-32 of all labels (two bytes each, little-endian) and then all pixels, in order.
    pub(super) fn checksum(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        for pick in 0..self.len() as u32 {
            crc.update(&self.label(pick).to_le_bytes());
        }
        for pick in 0..self.len() as u32 {
            crc.update(self.image(pick));
        }
        crc.finalize()
    }

    fn place(&self, pick: u32) -> usize {
        self.places[pick as usize] as usize
    }

    fn check(&self, picks: &[u32], normalization: &Normalization, out: &[f32]) -> usize {
        let values = self.shape().values();
        assert_eq!(out.len(), picks.len() * values, "room for the whole batch");
        assert_eq!(
            normalization.values(),
            values,
            "a normalisation of this shape"
        );
        values
    }
}
