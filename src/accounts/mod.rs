//! Who is who: users, roles, access tokens.

pub mod model;

pub use model::{Role, User, Viewer};
