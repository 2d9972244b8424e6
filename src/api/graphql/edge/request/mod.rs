//! What a request says: its body or query, the media types that it accepts, the address and the token of its client.

pub mod address;
pub mod auth;
pub mod given;
pub mod media;
pub mod params;
