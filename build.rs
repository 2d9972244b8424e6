//! Compiles the crate again when the files it embeds change.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=frontend/graphiql/dist");
    println!("cargo::rerun-if-changed=frontend/storefront/dist");
    println!("cargo::rerun-if-changed=frontend/console/dist");
    println!("cargo::rerun-if-changed=assets/demo");
}
