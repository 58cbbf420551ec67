//! Named tensors as safetensors bytes.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Map, Value, json};

/// A tensor to be written.
pub(crate) struct Tensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: &'a [f32],
}

/// The name of the last tensor of a sealed file: one number, the CRC-32 of every byte before it.
const SEAL: &str = "crc32";

/// Writes tensors in the order given. The same input gives the same bytes. With `seal`, damage can
/// be found.
pub(crate) fn write(
    metadata: &BTreeMap<String, String>,
    tensors: &[Tensor<'_>],
    seal: bool,
) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!(metadata));
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += 4 * tensor.data.len();
        header.insert(
            tensor.name.into(),
            entry("F32", &tensor.shape, [start, end]),
        );
    }
    if seal {
        header.insert(SEAL.into(), entry("U32", &[1], [end, end + 4]));
    }
    let mut text = Value::Object(header).to_string();
    // The data starts at a multiple of 8, as the format advises.
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + text.len() + end + 4);
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
    for tensor in tensors {
        bytes.extend(tensor.data.iter().flat_map(|x| x.to_le_bytes()));
    }
    if seal {
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    }
    bytes
}

fn entry(dtype: &str, shape: &[usize], offsets: [usize; 2]) -> Value {
    json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets })
}

/// A file that was read: its metadata, and its tensors where they lie in the bytes.
pub(crate) struct File<'a> {
    pub(crate) metadata: BTreeMap<String, String>,
    tensors: SafeTensors<'a>,
}

impl<'a> File<'a> {
    /// Reads a file. What it takes in memory is in proportion to the header, which is a part of
    /// the bytes.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        // A file may come without metadata: then it has no entries.
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        Ok(Self {
            metadata: metadata.into_iter().collect(),
            tensors,
        })
    }

    /// Reads a file that was sealed, and finds damage to any part of it.
    pub(crate) fn read_sealed(bytes: &'a [u8]) -> Result<Self, String> {
        let (body, seal) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| format!("{} bytes are not a state", bytes.len()))?;
        let (stored, found) = (u32::from_le_bytes(*seal), crc32fast::hash(body));
        if stored != found {
            return Err(format!(
                "its checksum is {found:08x} where {stored:08x} is stored; it is damaged, \
                 truncated, or not a state"
            ));
        }
        Self::read(bytes)
    }

    /// The names of its tensors, without the checksum.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors
            .names()
            .into_iter()
            .filter(|name| *name != SEAL)
    }

    /// A tensor of 32-bit floats: its shape, and its numbers.
    pub(crate) fn tensor(
        &self,
        name: &str,
    ) -> Option<Result<(Vec<usize>, impl Iterator<Item = f32> + Clone + use<'a>), Dtype>> {
        // The only error is that there is no such tensor: the file was checked when it was read.
        let tensor: TensorView<'a> = self.tensors.tensor(name).ok()?;
        if tensor.dtype() != Dtype::F32 {
            return Some(Err(tensor.dtype()));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Some(Ok((tensor.shape().to_vec(), numbers)))
    }
}
