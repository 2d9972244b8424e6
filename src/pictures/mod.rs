//! Pictures of products that operators upload. An upload is decoded, and what pages show is encoded anew from its pixels: nothing else of
//! the file is kept, so that nobody is ever served a byte that the shop did not write.

mod check;
mod name;
mod service;
#[cfg(test)]
mod tests;

pub use check::{BYTES_MAX, Kind, Refusal};
pub use name::{File, FileKind, Name};
pub use service::{Pictures, UploadError};
