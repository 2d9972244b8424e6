//! Layers: an arrow between two rooms of `src/` goes down, and no files of a room form a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::graph::{Arrow, File, Module, arrows, circles};
use crate::{is_test, relative, rust_files};

/// The rooms from the bottom to the top, each with those that it may use, which stand before it.
const LAYERS: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("config", &["kernel"]),
    ("tls", &[]),
    ("redis_client", &["kernel", "config", "tls"]),
    ("limits", &["kernel", "config", "redis_client"]),
    ("gateway", &["kernel"]),
    ("model", &["kernel", "gateway"]),
    ("telemetry", &["kernel", "config", "model"]),
    ("lifecycle", &["kernel", "telemetry"]),
    ("store", &["kernel", "config", "tls", "model", "telemetry"]),
    ("broker", &["kernel", "config", "tls", "model", "store"]),
    ("nodes", &["kernel", "model", "store"]),
    ("hub", &["kernel", "model"]),
    ("catalog", &["kernel", "model", "store"]),
    ("accounts", &["kernel", "config", "redis_client", "limits", "model", "store", "broker"]),
    ("gate", &["kernel", "config", "redis_client", "model"]),
    ("pictures", &["kernel", "model", "store"]),
    ("tcc", &["kernel", "config", "model", "telemetry", "store"]),
    ("points", &["kernel", "config", "model", "store", "tcc"]),
    ("sales", &["kernel", "config", "model", "store", "broker", "catalog", "gate", "pictures"]),
    ("orders", &["kernel", "config", "model", "telemetry", "store", "broker", "hub", "gate", "sales"]),
    ("payments", &["kernel", "config", "gateway", "model", "telemetry", "store", "broker", "tcc", "points", "orders"]),
    ("settings", &["kernel", "config", "model", "telemetry", "store", "broker"]),
    (
        "workers",
        &[
            "kernel",
            "config",
            "model",
            "telemetry",
            "store",
            "broker",
            "hub",
            "catalog",
            "accounts",
            "sales",
            "pictures",
            "orders",
            "payments",
        ],
    ),
    (
        "control",
        &[
            "kernel",
            "config",
            "model",
            "telemetry",
            "store",
            "broker",
            "nodes",
            "hub",
            "sales",
            "orders",
            "payments",
            "workers",
        ],
    ),
    (
        "api",
        &[
            "kernel",
            "config",
            "limits",
            "model",
            "telemetry",
            "store",
            "broker",
            "hub",
            "catalog",
            "accounts",
            "pictures",
            "points",
            "sales",
            "orders",
            "payments",
            "settings",
            "control",
        ],
    ),
    (
        "app",
        &[
            "kernel",
            "config",
            "redis_client",
            "limits",
            "gateway",
            "model",
            "telemetry",
            "lifecycle",
            "store",
            "broker",
            "nodes",
            "hub",
            "catalog",
            "accounts",
            "gate",
            "pictures",
            "tcc",
            "points",
            "sales",
            "orders",
            "payments",
            "settings",
            "workers",
            "control",
            "api",
        ],
    ),
    ("demo", &["kernel", "config", "model", "telemetry", "store", "accounts", "payments"]),
    (
        "cli",
        &[
            "kernel",
            "config",
            "model",
            "telemetry",
            "lifecycle",
            "store",
            "broker",
            "nodes",
            "accounts",
            "gate",
            "sales",
            "orders",
            "payments",
            "settings",
            "workers",
            "control",
            "api",
            "app",
            "demo",
        ],
    ),
];

/// Where ARCHITECTURE.md shows the layers.
const BEGIN: &str = "<!-- layers: written by tests/tidy -->\n";
const END: &str = "<!-- end of layers -->";

/// The library, without its tests. `src/bin` is a program of its own, and `tools/` a package.
fn sources() -> Vec<File> {
    let mut files = Vec::new();
    for path in rust_files("src") {
        let name = relative(&path);
        let inside = name.trim_start_matches("src/").trim_end_matches(".rs");
        if is_test(&name) || inside.starts_with("bin/") || inside == "main" || inside == "lib" {
            continue;
        }
        let module = inside.trim_end_matches("/mod").split('/').map(str::to_owned).collect();
        files.push(File { name, module, text: fs::read_to_string(&path).expect("readable") });
    }
    files
}

fn room(module: &Module) -> &str {
    &module[0]
}

/// The rooms that each room uses.
fn used(arrows: &[Arrow]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows.iter().filter(|arrow| room(&arrow.from) != room(&arrow.to)) {
        used.entry(room(&arrow.from)).or_default().insert(room(&arrow.to));
    }
    used
}

/// Arrows that a list of layers does not allow.
fn forbidden(arrows: &[Arrow], layers: &[(&str, &[&str])]) -> Vec<String> {
    let allowed = |arrow: &&Arrow| {
        room(&arrow.from) == room(&arrow.to)
            || layers.iter().any(|(name, below)| *name == room(&arrow.from) && below.contains(&room(&arrow.to)))
    };
    arrows.iter().filter(|arrow| !allowed(arrow)).map(|arrow| arrow.place.clone()).collect()
}

/// Arrows between files of one room that lead back to where they come from.
fn circular(arrows: &[Arrow]) -> Vec<String> {
    let mut edges: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for arrow in arrows.iter().filter(|arrow| room(&arrow.from) == room(&arrow.to)) {
        edges.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let mut lines = Vec::new();
    for circle in circles(&edges) {
        let inside = |arrow: &&Arrow| circle.contains(&arrow.from) && circle.contains(&arrow.to);
        lines.push(format!("a circle of {} files:", circle.len()));
        lines.extend(arrows.iter().filter(inside).map(|arrow| format!("  {} -> {}", arrow.place, arrow.to.join("/"))));
    }
    lines
}

#[test]
fn arrows_between_rooms_go_down() {
    for (at, (name, below)) in LAYERS.iter().enumerate() {
        for other in *below {
            assert!(LAYERS[..at].iter().any(|(lower, _)| lower == other), "{name} stands below {other}");
        }
    }
    let files = sources();
    let unknown: BTreeSet<_> = files.iter().map(|file| room(&file.module)).collect();
    let unknown: Vec<_> = unknown.into_iter().filter(|room| LAYERS.iter().all(|(name, _)| name != room)).collect();
    assert!(unknown.is_empty(), "rooms that no layer has: {unknown:?}");
    let arrows = arrows(&files);
    let broken = forbidden(&arrows, LAYERS);
    assert!(broken.is_empty(), "not allowed by the layers:\n{}", broken.join("\n"));
    let used = used(&arrows);
    let idle = |(name, below): &(&str, &[&str])| {
        let used = used.get(name).cloned().unwrap_or_default();
        below
            .iter()
            .filter(|below| !used.contains(**below))
            .map(|below| format!("{name} -> {below}"))
            .collect::<Vec<_>>()
    };
    let idle: Vec<_> = LAYERS.iter().flat_map(idle).collect();
    assert!(idle.is_empty(), "allowed, but nothing uses it: {idle:?}");
}

#[test]
fn files_of_a_room_form_no_circle() {
    let broken = circular(&arrows(&sources()));
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// `DOORBUSTER_UPDATE=1 cargo test --test tidy` writes it.
#[test]
fn architecture_shows_the_layers() {
    let arrows = arrows(&sources());
    let used = used(&arrows);
    let mut picture = String::from("\n```text\n");
    for (name, _) in LAYERS.iter().rev() {
        let below: Vec<_> = LAYERS
            .iter()
            .rev()
            .map(|(below, _)| *below)
            .filter(|below| used.get(name).is_some_and(|used| used.contains(below)))
            .collect();
        let _ = writeln!(picture, "{name:<12} → {}", below.join(" "));
    }
    picture.push_str("```\n\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).expect("readable");
    let (before, rest) = text.split_once(BEGIN).expect("the place of the layers");
    let (shown, after) = rest.split_once(END).expect("the end of the layers");
    if std::env::var_os("DOORBUSTER_UPDATE").is_some() && shown != picture {
        fs::write(&path, format!("{before}{BEGIN}{picture}{END}{after}")).expect("writable");
    } else {
        assert_eq!(shown, picture, "run `DOORBUSTER_UPDATE=1 cargo test --test tidy`");
    }
}

/// Paths of Rust files in ARCHITECTURE.md, as they stand or under `src/`.
#[test]
fn architecture_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("readable");
    let is_path = |code: &&str| code.ends_with(".rs") && code.contains('/') && !code.contains('<');
    let named = text.split('`').skip(1).step_by(2).filter(is_path);
    let roots = ["", "src", "src/api/graphql"];
    let exists = |path: &&str| roots.iter().any(|folder| root.join(folder).join(path).exists());
    let missing: Vec<_> = named.filter(|path| !exists(path)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:?}");
}

mod the_checks_notice {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        let module = name.split('/').map(str::to_owned).collect();
        File { name: format!("src/{name}.rs"), module, text: text.to_owned() }
    }

    const TWO: &[(&str, &[&str])] = &[("below", &[]), ("above", &["below"])];

    #[test]
    fn an_arrow_up_with_its_file_and_line() {
        for text in [
            "use crate::above::Thing;",
            "use crate::{\n above::Thing, kernel};",
            "fn f(x: crate::above::Thing) {}",
            "macro_rules! m { () => { $crate::above::f() }; }",
            "fn f() { log!(\"{}\", crate::above::f()); }",
            "mod inner { fn f() { crate::above::f() } }",
        ] {
            let files = [file("below", text), file("above", "pub struct Thing;")];
            let broken = forbidden(&arrows(&files), TWO);
            assert!(broken.len() == 1 && broken[0].starts_with("src/below.rs:1: crate::above"), "{text}: {broken:?}");
        }
    }

    #[test]
    fn neither_arrows_down_nor_tests() {
        let up = "#[cfg(test)]\nmod tests { use crate::above::Thing; }\n#[cfg(test)]\nuse crate::above::Thing;";
        let files = [file("below", up), file("above", "use crate::below::Other;")];
        assert_eq!(forbidden(&arrows(&files), TWO), Vec::<String>::new());
    }

    #[test]
    fn a_circle_of_files_also_through_what_a_module_passes_on() {
        let files = [
            file("room", "mod a;\nmod b;\npub use a::A;"),
            file("room/a", "use super::b::B;\npub struct A;"),
            file("room/b", "use super::A;\npub struct B;"),
        ];
        let lines = circular(&arrows(&files));
        assert_eq!(lines[0], "a circle of 2 files:");
        assert!(lines.iter().any(|line| line.contains("src/room/b.rs:1: super::A -> room/a")), "{lines:?}");
        let files = [file("room/a", "use super::b::B;"), file("room/b", "pub struct B;")];
        assert_eq!(circular(&arrows(&files)), Vec::<String>::new());
    }
}
