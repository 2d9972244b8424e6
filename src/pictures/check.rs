//! From the bytes of an upload to the files that pages show.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use sha2::{Digest as _, Sha256};

use super::name::{DIGEST_BYTES, FileKind, Name};

/// Bytes of an upload at most.
pub const BYTES_MAX: usize = 2 * 1024 * 1024;

/// Pixels of an upload's longer side at most.
const SIDE_MAX: u32 = 4_096;

/// Pixels of its shorter side at least.
const SIDE_MIN: u32 = 16;

/// Its longer side is at most so many times its shorter one.
const RATIO_MAX: u32 = 4;

/// Bytes of memory for decoding at most: the largest picture with 8 bytes for each pixel.
const DECODED_MAX: u64 = 128 * 1024 * 1024;

/// Of the best 100.
const JPEG_QUALITY: u8 = 82;

/// What an upload may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG; of an animated one the first picture counts.
    Png,
    /// WebP; of an animated one the first picture counts.
    Webp,
}

/// Why an upload was not taken. Nothing was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than [`BYTES_MAX`].
    #[error("The picture is larger than 2 MiB.")]
    TooLarge,
    /// Said to be something else than it is, or than a picture.
    #[error("The picture must be a JPEG, PNG or WebP file, with the media type of its content.")]
    ContentTypeInvalid,
    /// It can't be decoded.
    #[error("The file is damaged, or not a picture.")]
    NotAPicture,
    /// There is something behind the picture.
    #[error("The file contains more than a picture.")]
    MoreThanAPicture,
    /// Too small, too large, or too long.
    #[error(
        "The sides of the picture must be 16 to 4096 pixels, and the longer one at most four times the shorter one."
    )]
    SizeInvalid,
}

impl Kind {
    /// From a media type, with or without parameters.
    pub fn of_media(media: &str) -> Option<Self> {
        match media.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "image/jpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::Webp),
            _ => None,
        }
    }

    /// From how the file begins.
    fn of_content(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(PNG_SIGNATURE) {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    const fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Webp => ImageFormat::WebP,
        }
    }

    /// Where a picture of this kind ends, by its own structure; `None` if it does not.
    fn end(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Jpeg => jpeg_end(bytes),
            Self::Png => png_end(bytes),
            Self::Webp => {
                let size = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
                Some(8 + size + size % 2)
            }
        }
    }
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn png_end(bytes: &[u8]) -> Option<usize> {
    let mut at = PNG_SIGNATURE.len();
    loop {
        let size = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        // Its length, its kind, its data, its checksum.
        at = at.checked_add(size)?.checked_add(12)?;
        if kind == b"IEND" {
            return Some(at);
        }
    }
}

fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            // Fill bytes before a marker, and markers that stand alone.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xd9 => return Some(at + 2),
            _ => {
                at += 2 + usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
                if marker == 0xda {
                    at = scan_end(bytes, at)?;
                }
            }
        }
    }
}

/// The first marker behind compressed data that begins at `at`.
fn scan_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match (*bytes.get(at)?, *bytes.get(at + 1)?) {
            (0xff, 0x00 | 0xd0..=0xd7) => at += 2,
            (0xff, _) => return Some(at),
            _ => at += 1,
        }
    }
}

/// The files of a picture: each width with its bytes, the narrowest first.
#[derive(Debug)]
pub struct Made {
    pub name: Name,
    pub files: Vec<(u32, Bytes)>,
}

/// Verifies an upload that is said to be of this kind, and makes its files. Takes long: for a thread that may block.
pub fn make(said: Kind, bytes: &[u8]) -> Result<Made, Refusal> {
    if bytes.len() > BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    let kind = Kind::of_content(bytes).ok_or(Refusal::NotAPicture)?;
    if kind != said {
        return Err(Refusal::ContentTypeInvalid);
    }
    match kind.end(bytes) {
        Some(end) if end < bytes.len() => return Err(Refusal::MoreThanAPicture),
        Some(end) if end == bytes.len() => {}
        _ => return Err(Refusal::NotAPicture),
    }
    let picture = decoded(kind, bytes)?;
    let shape = (picture.width(), picture.height());
    let kind = if is_translucent(&picture) { FileKind::Webp } else { FileKind::Jpeg };
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::digest(bytes)[..DIGEST_BYTES]);
    let mut name = Name::of(digest, shape, kind);
    let mut files = Vec::new();
    let mut left = picture;
    // From the widest to the narrowest, each from the one before: quicker, and as good.
    for width in name.widths().rev() {
        if left.width() != width {
            left = left.resize_exact(width, name.height_at(width), FilterType::Lanczos3);
        }
        files.push((width, encoded(&left, kind).ok_or(Refusal::NotAPicture)?));
    }
    files.reverse();
    name.colour = mean(&left);
    Ok(Made { name, files })
}

fn decoded(kind: Kind, bytes: &[u8]) -> Result<DynamicImage, Refusal> {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(DECODED_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    reader.limits(limits);
    let refused = |error: image::ImageError| match error {
        image::ImageError::Limits(_) => Refusal::SizeInvalid,
        _ => Refusal::NotAPicture,
    };
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    let (short, long) = (width.min(height), width.max(height));
    if short < SIDE_MIN || long > SIDE_MAX || long > short * RATIO_MAX {
        return Err(Refusal::SizeInvalid);
    }
    let orientation = decoder.orientation().map_err(refused)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn is_translucent(picture: &DynamicImage) -> bool {
    picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX)
}

fn encoded(picture: &DynamicImage, kind: FileKind) -> Option<Bytes> {
    let mut out = Vec::new();
    let done = match kind {
        FileKind::Jpeg => JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY).encode_image(&picture.to_rgb8()),
        FileKind::Webp => picture.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut out)),
    };
    done.ok().map(|()| out.into())
}

/// The average colour of what can be seen; white of nothing.
fn mean(picture: &DynamicImage) -> [u8; 3] {
    let (mut sums, mut seen) = ([0_u64; 3], 0_u64);
    for pixel in picture.to_rgba8().pixels() {
        let weight = u64::from(pixel.0[3]);
        seen += weight;
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += u64::from(value) * weight;
        }
    }
    sums.map(|sum| sum.checked_div(seen).and_then(|mean| u8::try_from(mean).ok()).unwrap_or(u8::MAX))
}
