//! PNG and JPEG files as pixels.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use png::{BitDepth, ColorType, Transformations};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    Color, DataError, Shape,
    file::{self, show},
    orientation::Orientation,
    resize,
};

/// An image, upright, its channels as they are wanted.
pub(super) struct Image {
    pub(super) shape: Shape,
    pub(super) pixels: Vec<u8>,
    /// The largest sample, if it was stored with 16 bits a sample.
    pub(super) largest_wide: Option<u16>,
}

/// 134 megapixels. No larger image is read, so that a small file cannot take all memory.
const MOST_PIXELS: u64 = 1 << 27;
/// No longer file is read.
const MOST_BYTES: u64 = 1 << 28;
/// One bit a pixel, packed as tightly as deflate can.
const MOST_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// Reads one PNG or JPEG file as a net of images of this shape wants it: its channels turned into
/// 1 (gray) or 3 (RGB), its size changed if it is another (the aspect is not kept). It is turned
/// as its Exif orientation says. Height × width × channel order, 0 to 255.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::Image`], naming the file; [`DataError::Option`] for another
/// number of channels.
pub fn read_image(path: impl AsRef<Path>, shape: Shape) -> Result<Vec<u8>, DataError> {
    let color = match shape.channels {
        1 => Color::Gray,
        3 => Color::Rgb,
        other => {
            return Err(DataError::Option {
                option: "channels",
                value: other.to_string(),
                range: "1 or 3",
            });
        }
    };
    let image = read(path.as_ref(), color)?;
    Ok(resize::to(image, shape.height, shape.width).pixels)
}

/// Reads an image, going by its first bytes rather than by its name.
///
/// Transparency is dropped, as by Pillow's `convert("RGB")`. The image is turned as its Exif
/// orientation says. 16-bit samples are taken to fill their range, 0 to 65535, and lose their low
/// byte.
pub(super) fn read(path: &Path, color: Color) -> Result<Image, DataError> {
    let bytes = read_bytes(path)?;
    decode(&bytes, color).map_err(|reason| DataError::Image {
        path: show(path),
        reason,
    })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let (file, length) = file::open(path)?;
    if length > MOST_BYTES {
        return Err(DataError::Image {
            path: show(path),
            reason: format!("the file has {length} bytes, more than {MOST_BYTES}"),
        });
    }
    let mut bytes = Vec::new();
    file::reserve(&mut bytes, u128::from(length), path)?;
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| DataError::io(path, source))?;
    Ok(bytes)
}

fn decode(bytes: &[u8], color: Color) -> Result<Image, String> {
    let stored = if bytes.starts_with(b"\x89PNG") {
        decode_png(bytes)?
    } else if bytes.starts_with(b"\xff\xd8") {
        decode_jpeg(bytes)?
    } else {
        return Err(kind(bytes));
    };
    let image = Image {
        shape: Shape {
            height: stored.height,
            width: stored.width,
            channels: color.channels(),
        },
        pixels: recolor(stored.pixels, stored.channels, color),
        largest_wide: stored.largest_wide,
    };
    Ok(stored.orientation.apply(image))
}

/// What else a file is, in words.
fn kind(bytes: &[u8]) -> String {
    const BEGINNINGS: [(usize, &[u8], &str); 7] = [
        (8, b"WEBP", "WebP"),
        (0, b"GIF8", "GIF"),
        (0, b"BM", "BMP"),
        (0, b"II*\0", "TIFF"),
        (0, b"MM\0*", "TIFF"),
        (4, b"ftyp", "AVIF or HEIC"),
        (0, b"<", "HTML or SVG"),
    ];
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    let begins = |(at, begin, _): &&(usize, &[u8], &str)| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(begin))
    };
    let found = BEGINNINGS.iter().find(begins);
    found.map_or_else(
        || "it is neither PNG nor JPEG".to_owned(),
        |(_, _, name)| format!("it is {name}, neither PNG nor JPEG"),
    )
}

/// What a decoder gives.
struct Decoded {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u8>,
    orientation: Orientation,
    largest_wide: Option<u16>,
}

fn decode_png(bytes: &[u8]) -> Result<Decoded, String> {
    let said = |error: png::DecodingError| error.to_string();
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(said)?;
    check_size(header.width.into(), header.height.into(), bytes)?;
    let mut reader = decoder.read_info().map_err(said)?;
    let size = reader
        .output_buffer_size()
        .ok_or("it is too large for memory")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(said)?;
    pixels.truncate(frame.buffer_size());
    let channels = match frame.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err("its palette cannot be expanded".to_owned()),
    };
    let wide = frame.bit_depth == BitDepth::Sixteen;
    let largest_wide = wide.then(|| strip_low_bytes(&mut pixels));
    // The orientation can follow the pixels.
    reader.finish().map_err(said)?;
    let exif = reader.info().exif_metadata.as_deref();
    Ok(Decoded {
        width: frame.width as usize,
        height: frame.height as usize,
        channels,
        pixels,
        orientation: Orientation::of_exif(exif),
        largest_wide,
    })
}

/// Keeps the high byte of each big-endian 16-bit sample, and gives the largest sample.
fn strip_low_bytes(pixels: &mut Vec<u8>) -> u16 {
    let mut largest = 0;
    for at in 0..pixels.len() / 2 {
        let sample = [pixels[2 * at], pixels[2 * at + 1]];
        largest = largest.max(u16::from_be_bytes(sample));
        pixels[at] = sample[0];
    }
    pixels.truncate(pixels.len() / 2);
    largest
}

fn decode_jpeg(bytes: &[u8]) -> Result<Decoded, String> {
    let said = |error: zune_jpeg::errors::DecodeErrors| error.to_string();
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(said)?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    check_size(width as u64, height as u64, bytes)?;
    let pixels = decoder.decode().map_err(said)?;
    let exif = decoder.exif().map(Vec::as_slice);
    Ok(Decoded {
        width,
        height,
        channels: 3,
        pixels,
        orientation: Orientation::of_exif(exif),
        largest_wide: None,
    })
}

fn check_size(width: u64, height: u64, bytes: &[u8]) -> Result<(), String> {
    let pixels = width * height;
    let most = MOST_PIXELS.min(bytes.len() as u64 * MOST_PIXELS_PER_BYTE);
    if pixels == 0 || pixels > most {
        return Err(format!(
            "it claims to be {width}×{height}; a file of {} bytes is read with 1 to {most} pixels",
            bytes.len()
        ));
    }
    Ok(())
}

impl Color {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Gray => 1,
        }
    }
}

/// From gray (1), gray and alpha (2), RGB (3) or RGB and alpha (4) to what is wanted.
fn recolor(pixels: Vec<u8>, channels: usize, color: Color) -> Vec<u8> {
    match (color, channels) {
        (Color::Rgb, 3) | (Color::Gray, 1) => pixels,
        (Color::Rgb, 1 | 2) => each(&pixels, channels, |p| [p[0]; 3]),
        (Color::Rgb, _) => each(&pixels, channels, |p| [p[0], p[1], p[2]]),
        (Color::Gray, 2) => each(&pixels, channels, |p| [p[0]]),
        (Color::Gray, _) => each(&pixels, channels, |p| [luma(p[0], p[1], p[2])]),
    }
}

fn each<const N: usize>(pixels: &[u8], channels: usize, f: impl Fn(&[u8]) -> [u8; N]) -> Vec<u8> {
    pixels.chunks_exact(channels).flat_map(f).collect()
}

/// 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded, as Pillow has it.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + (1 << 15)) >> 16) as u8
}
