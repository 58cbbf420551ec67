use std::{path::Path, sync::OnceLock};

use super::{
    Contents, Dataset, Images,
    idx::{Pair, Stream, read_pair},
};

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

macro_rules! subset {
    ($part:literal) => {
        unpack(
            include_bytes!(concat!(
                "../../data/fashion-mnist-subset/",
                $part,
                "-images-idx3-ubyte.gz"
            )),
            include_bytes!(concat!(
                "../../data/fashion-mnist-subset/",
                $part,
                "-labels-idx1-ubyte.gz"
            )),
        )
    };
}

impl Dataset {
    /// The data set that needs no download: 10,000 training and 2,000 test images of
    /// Fashion-MNIST, 28×28 gray, equally many of each of its ten classes (the first ones of each
    /// in the original order).
    ///
    /// Fashion-MNIST is by Zalando Research (Xiao, Rasul and Vollgraf, arXiv 1708.07747; MIT
    /// licence). It is unpacked on the first call and shared by all others of the process.
    pub fn embedded() -> Self {
        static SHARED: OnceLock<Dataset> = OnceLock::new();
        SHARED.get_or_init(unpack_all).clone()
    }
}

fn unpack_all() -> Dataset {
    let (train, test) = (subset!("train"), subset!("t10k"));
    Dataset::from_contents(Contents {
        source: "embedded".to_owned(),
        format: "a subset of Fashion-MNIST",
        shape: train.shape,
        classes: CLASSES.map(str::to_owned).to_vec(),
        train: train.images,
        validation: Images::default(),
        test: test.images,
        label_files: None,
        ignored: Vec::new(),
        notes: Vec::new(),
    })
    .expect("the embedded files are consistent, which a test shows")
}

fn unpack(images: &[u8], labels: &[u8]) -> Pair {
    let path = Path::new("embedded");
    let stream = |bytes| Stream::gzip(path, bytes, <[u8]>::len(bytes) as u64);
    read_pair(stream(images), stream(labels))
        .expect("the embedded files are whole, which a test shows")
}
