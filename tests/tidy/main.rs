//! The walls: who may use what, and how long things may get. A failing line says where and why.

#![allow(clippy::pedantic, clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has done its work")]

mod graph;
mod rooms;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::Visit;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_WIDTH_MAX: usize = 140;

/// The folders with Rust code.
const CODE: [&str; 3] = ["src", "tests", "tools"];

/// A word, the places under `src/` where it may stand, and why only there. `tools/` has baselines, which use what they are compared with.
const WALLS: &[(&str, &[&str], &str)] = &[
    ("diesel", &["store/", "tools/"], "SQL stays in the store"),
    ("diesel_async", &["store/"], "SQL stays in the store"),
    ("tokio_postgres", &["store/", "tools/"], "SQL stays in the store"),
    ("bb8", &["store/", "redis_client/"], "one pool per server"),
    ("async_graphql", &["api/graphql/"], "GraphQL stays at the edge"),
    ("axum", &["api/", "bin/alipay-sandbox/", "tools/"], "HTTP stays at the edge"),
    ("::pulsar", &["broker/pulsar/"], "one broker client"),
    ("use pulsar", &["broker/pulsar/"], "one broker client"),
    (
        "reqwest",
        &["broker/pulsar/admin.rs", "gateway/alipay/client.rs", "bin/alipay-sandbox/"],
        "HTTP goes to the brokers and the gateway alone",
    ),
    ("redis", &["redis_client/", "gate/redis", "gate/mod.rs"], "one Redis client"),
    ("SystemTime::now", &["kernel/clock.rs"], "time comes from the kernel's clock"),
    ("jiff::Timestamp::now", &["kernel/clock.rs"], "time comes from the kernel's clock"),
    ("std::time::Instant", &[], "time comes from the kernel's clock, or tokio's for measuring"),
    // Keys are made and used with the randomness of the library that keeps them.
    ("rand::", &["kernel/rng.rs", "gateway/alipay/keys.rs"], "randomness comes from the kernel"),
    ("Uuid::new_v4", &[], "ids come from the kernel"),
    ("Uuid::now_v7", &[], "ids come from the kernel"),
    ("println!", &[], "it panics when nobody reads: use telemetry::print"),
    ("print!", &[], "it panics when nobody reads: use telemetry::print"),
    ("eprintln!", &[], "it panics when nobody reads: use telemetry::say"),
    ("eprint!", &[], "it panics when nobody reads: use telemetry::prompt"),
    ("std::env::var", &["config/", "kernel/sabotage.rs"], "settings come from the configuration"),
];

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.expect("readable tree").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no Rust files under {folder}");
    files
}

/// Tests may use anything.
fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("/testing.rs")
}

fn relative(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    path.strip_prefix(root).expect("inside the repository").to_string_lossy().replace('\\', "/")
}

/// The code of a line: what stands before a comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether `word` stands in `text` as a path of its own, not as a part of a longer name.
fn uses(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(|c| is_name(c) || c == '"' || c == '/' || c == '-')
            && (word.ends_with(':') || !after.is_some_and(|c| is_name(c) || c == '"' || c == '-'))
    })
}

/// The lines, from 0, of modules and functions that exist in tests only.
fn lines_of_tests(text: &str) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for item in syn::parse_file(text).expect("valid Rust").items {
        let attributes = match &item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => continue,
        };
        if graph::is_for_tests(attributes) {
            lines.extend(item.span().start().line - 1..item.span().end().line);
        }
    }
    lines
}

#[test]
fn words_stay_behind_their_walls() {
    let mut broken = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tools/src")) {
        let name = relative(&path);
        let inside = name.trim_start_matches("src/");
        if is_test(&name) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let tests = lines_of_tests(&text);
        for (number, line) in text.lines().enumerate().filter(|(number, _)| !tests.contains(number)) {
            for (word, places, why) in WALLS {
                let allowed = places.iter().any(|place| inside.starts_with(place));
                if !allowed && uses(code(line), word) {
                    broken.push(format!("{name}:{}: `{word}` does not belong here: {why}", number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn files_and_lines_are_short() {
    let mut broken = Vec::new();
    for path in CODE.into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&path).expect("readable");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines, {FILE_LINES_MAX} at most", relative(&path)));
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_WIDTH_MAX {
                broken.push(format!("{}:{}: longer than {LINE_WIDTH_MAX} characters", relative(&path), number + 1));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn functions_are_short() {
    struct Functions(Vec<(String, usize, usize)>);
    impl Functions {
        fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
            let (start, end) = (block.span().start().line, block.span().end().line);
            self.0.push((name.to_string(), start, end + 1 - start));
        }
    }
    impl<'ast> Visit<'ast> for Functions {
        fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
            self.measure(&function.sig.ident, &function.block);
            syn::visit::visit_item_fn(self, function);
        }
        fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
            self.measure(&function.sig.ident, &function.block);
            syn::visit::visit_impl_item_fn(self, function);
        }
    }
    let mut broken = Vec::new();
    for path in CODE.into_iter().flat_map(rust_files) {
        let file = syn::parse_file(&fs::read_to_string(&path).expect("readable")).expect("valid Rust");
        let mut functions = Functions(Vec::new());
        functions.visit_file(&file);
        for (function, line, lines) in functions.0 {
            if lines > FUNCTION_LINES_MAX {
                broken.push(format!("{}:{line}: {function} has {lines} lines", relative(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// An `Int` has 32 bits, and async-graphql makes one of every integer type: so in the schema only `i32` is used.
#[test]
fn integers_of_the_schema_have_32_bits() {
    #[derive(Default)]
    struct Integers {
        inside: bool,
        found: Vec<(usize, String)>,
    }
    impl<'ast> Visit<'ast> for Integers {
        fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
            let is_schema = |attribute: &syn::Attribute| {
                ["Object", "ComplexObject", "Subscription"].iter().any(|name| attribute.path().is_ident(name))
            };
            if item.attrs.iter().any(is_schema) {
                syn::visit::visit_item_impl(self, item);
            }
        }
        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            let is_schema = |attribute: &syn::Attribute| {
                let mut derives = Vec::new();
                let _ = attribute.parse_nested_meta(|meta| {
                    derives.extend(meta.path.segments.last().map(|segment| segment.ident.to_string()));
                    Ok(())
                });
                derives.iter().any(|derive| derive == "SimpleObject" || derive == "InputObject")
            };
            self.inside = item.attrs.iter().any(is_schema);
            syn::visit::visit_item_struct(self, item);
            self.inside = false;
        }
        fn visit_signature(&mut self, signature: &'ast syn::Signature) {
            self.inside = true;
            syn::visit::visit_signature(self, signature);
            self.inside = false;
        }
        fn visit_block(&mut self, _: &'ast syn::Block) {}
        fn visit_item_fn(&mut self, _: &'ast syn::ItemFn) {}
        fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
            let others = ["i8", "i16", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];
            if let Some(name) = path.path.get_ident().filter(|name| self.inside && others.iter().any(|of| name == of)) {
                self.found.push((name.span().start().line, name.to_string()));
            }
            syn::visit::visit_type_path(self, path);
        }
    }
    let found = |text: &str| {
        let mut integers = Integers::default();
        integers.visit_file(&syn::parse_file(text).expect("valid Rust"));
        integers.found
    };
    let mut broken = Vec::new();
    for folder in ["types", "query", "mutation", "subscription"] {
        for path in rust_files(&format!("src/api/graphql/{folder}")) {
            let text = fs::read_to_string(&path).expect("readable");
            broken.extend(found(&text).into_iter().map(|(line, name)| format!("{}:{line}: {name}", relative(&path))));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    assert_eq!(
        found("#[Object]\nimpl A { async fn f(&self, n: Option<u32>) -> Option<Result<i64>> { 1_u8 } }").len(),
        2
    );
    assert_eq!(found("#[derive(Default, SimpleObject)]\nstruct A { pub f: u64, g: i32 }").len(), 1);
    assert_eq!(found("struct A { f: u64 }\nimpl A { fn f() -> u64 { 0 } }\nfn g() -> u8 { 0 }").len(), 0);
}

#[test]
fn both_dialects_have_the_same_migrations() {
    let names = |dialect: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("migrations")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn the_walls_would_notice() {
    assert!(uses("use diesel::prelude::*;", "diesel"));
    assert!(uses("    let x = rand::random();", "rand::"));
    assert!(!uses("use diesel_async::RunQueryDsl;", "diesel") && !uses("let operand::x", "rand::"));
    assert!(!uses("connect(\"redis://host\")", "redis"));
    assert_eq!(code("let a = 1; // diesel"), "let a = 1; ");
}
