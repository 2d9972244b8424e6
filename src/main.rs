//! The `doorbuster` program.
fn main() {}
