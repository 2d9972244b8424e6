//! The names of pictures. A name says all that a page needs before the picture is loaded, so that nothing has to be looked up for it.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// Where pictures are.
const FOLDER: &str = "/pictures/";

/// Bytes of an upload's digest in its name: enough that no two uploads share one.
pub const DIGEST_BYTES: usize = 16;

/// Widths in which a picture is offered, in pixels: as many as it has itself, and these if they are smaller.
const WIDTHS: [u32; 4] = [160, 320, 480, 960];

/// What the files of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Pictures without translucent parts.
    Jpeg,
    /// Pictures with such parts, without loss.
    Webp,
}

impl FileKind {
    /// The media type.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }
}

/// An uploaded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    digest: [u8; DIGEST_BYTES],
    /// Pixels of its widest file.
    pub width: u32,
    /// Pixels of its widest file.
    pub height: u32,
    /// Its average colour: red, green and blue.
    pub colour: [u8; 3],
    /// What its files are.
    pub kind: FileKind,
}

/// One of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct File {
    /// Of which picture.
    pub name: Name,
    /// In which width, in pixels.
    pub width: u32,
}

impl Name {
    /// The name of an upload of this width and height, still without its colour.
    pub(super) fn of(digest: [u8; DIGEST_BYTES], (width, height): (u32, u32), kind: FileKind) -> Self {
        let whole = Self { digest, width, height, colour: [0; 3], kind };
        let widest = width.min(WIDTHS[WIDTHS.len() - 1]);
        Self { width: widest, height: whole.height_at(widest), ..whole }
    }

    /// The widths of its files, the narrowest first.
    pub fn widths(self) -> impl DoubleEndedIterator<Item = u32> {
        WIDTHS.into_iter().filter(move |width| *width < self.width).chain([self.width])
    }

    /// The height of the file of this width: in proportion, and at least 1.
    pub fn height_at(self, width: u32) -> u32 {
        let height = (u64::from(self.height) * u64::from(width) + u64::from(self.width) / 2) / u64::from(self.width);
        u32::try_from(height).unwrap_or(u32::MAX).max(1)
    }

    /// The file of this width.
    pub const fn file(self, width: u32) -> File {
        File { name: self, width }
    }

    /// The widest file, which is the product's `imageUrl`.
    pub const fn widest(self) -> File {
        self.file(self.width)
    }

    /// The picture of a product's `imageUrl`; `None` if it is none that was uploaded.
    pub fn of_url(url: &str) -> Option<Self> {
        let file: File = url.parse().ok()?;
        (file == file.name.widest()).then_some(file.name)
    }

    /// Under what its files are stored: with their kind, so that no file is served as one of another.
    pub fn stored(self) -> String {
        format!("{self}.{}", self.kind.ending())
    }

    /// The picture whose files are stored under this name.
    pub(super) fn of_stored(stored: &str) -> Option<Self> {
        let (name, ending) = stored.split_once('.')?;
        read_name(name, ending).filter(|name| name.stored() == stored)
    }

    /// The addresses of its files.
    pub(super) fn addresses(self) -> impl Iterator<Item = String> {
        self.widths().map(move |width| self.file(width).to_string())
    }

    /// Its colour as `#rrggbb`.
    pub fn colour_code(self) -> String {
        format!("#{}", HEXLOWER.encode(&self.colour))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digest, colour) = (HEXLOWER.encode(&self.digest), HEXLOWER.encode(&self.colour));
        write!(f, "{digest}-{}x{}-{colour}", self.width, self.height)
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FOLDER}{}/{}.{}", self.name, self.width, self.name.kind.ending())
    }
}

/// No address of an uploaded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of an uploaded picture")]
pub struct NoPicture;

impl FromStr for File {
    type Err = NoPicture;

    fn from_str(path: &str) -> Result<Self, NoPicture> {
        read(path).filter(|file| file.to_string() == path).ok_or(NoPicture)
    }
}

fn read(path: &str) -> Option<File> {
    let (name, file) = path.strip_prefix(FOLDER)?.split_once('/')?;
    let (width, ending) = file.split_once('.')?;
    let name = read_name(name, ending)?;
    let width = width.parse().ok()?;
    name.widths().any(|offered| offered == width).then_some(name.file(width))
}

fn read_name(name: &str, ending: &str) -> Option<Name> {
    let kind = [FileKind::Jpeg, FileKind::Webp].into_iter().find(|kind| kind.ending() == ending)?;
    let mut parts = name.split('-');
    let (digest, shape, colour) = (parts.next()?, parts.next()?, parts.next()?);
    let (widest, height) = shape.split_once('x')?;
    let bytes = |text: &str| HEXLOWER.decode(text.as_bytes()).ok();
    Some(Name {
        digest: bytes(digest)?.try_into().ok()?,
        width: widest.parse().ok().filter(|width| *width > 0)?,
        height: height.parse().ok().filter(|height| *height > 0)?,
        colour: bytes(colour)?.try_into().ok()?,
        kind,
    })
}
