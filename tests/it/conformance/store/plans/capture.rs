//! Every statement as it was executed, with the lines of the store that it came from; and all lines from which one can come.

use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::binds::{self, Bind};

/// A line of a file below `src/store/`.
type Line = (String, usize);

/// An executed statement.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    pub binds: Vec<Bind>,
    /// Innermost first.
    pub lines: Vec<Line>,
}

/// Writes down what the connections execute that it was given to.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Statement>>>);

impl Recorder {
    pub fn instrumentation(&self) -> impl Instrumentation + use<> {
        let statements = self.0.clone();
        move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let (sql, binds) = binds::split(&query.to_string());
                let lines = lines_of(&Backtrace::force_capture().to_string());
                statements.lock().unwrap().push(Statement { sql, binds, lines });
            }
        }
    }

    pub fn statements(&self) -> Vec<Statement> {
        self.0.lock().unwrap().clone()
    }
}

/// The lines below `src/store/` that a backtrace names.
fn lines_of(backtrace: &str) -> Vec<Line> {
    let line = |text: &str| {
        let (_, place) = text.trim().strip_prefix("at ")?.split_once("src/store/")?;
        let mut parts = place.split(':');
        Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?))
    };
    backtrace.lines().filter_map(line).collect()
}

/// Where a statement is executed: a file below `src/store/`, the lines, and the function.
#[derive(Debug)]
pub struct Site {
    pub file: String,
    pub first: usize,
    pub last: usize,
    pub function: String,
}

impl Site {
    pub fn is_seen_in(&self, statements: &[Statement]) -> bool {
        let here = |(file, line): &Line| *file == self.file && (self.first..=self.last).contains(line);
        statements.iter().any(|statement| statement.lines.iter().any(here))
    }
}

/// Every place of these files (below `src/store/`) that executes a statement.
pub fn sites(files: &[&str]) -> Vec<Site> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut names: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    for entry in std::fs::read_dir(root.join("sql")).unwrap() {
        names.push(format!("sql/{}", entry.unwrap().file_name().to_string_lossy()));
    }
    names.sort();
    let mut sites = Vec::new();
    for file in names {
        let parsed = syn::parse_file(&std::fs::read_to_string(root.join(&file)).unwrap()).unwrap();
        let mut finder = Finder { file, function: String::new(), sites: BTreeMap::new() };
        finder.visit_file(&parsed);
        sites.extend(finder.sites.into_values());
    }
    sites
}

struct Finder {
    file: String,
    function: String,
    /// By the line and column at which the call begins: an awaited one spans more than the call in it.
    sites: BTreeMap<(usize, usize), Site>,
}

impl Finder {
    fn add(&mut self, span: proc_macro2::Span) {
        let (file, function) = (self.file.clone(), self.function.clone());
        let (start, last) = (span.start(), span.end().line);
        let site = Site { file, first: start.line, last, function };
        self.sites.entry((start.line, start.column)).or_insert(site);
    }
}

/// Whether it is `query.load(conn)` or `RunQueryDsl::load(query, conn)`, or alike.
fn executes(expression: &syn::Expr) -> bool {
    let (name, arguments, is_local) = match expression {
        syn::Expr::MethodCall(call) => (call.method.to_string(), &call.args, false),
        syn::Expr::Call(call) => match &*call.func {
            // `load(conn, …)` is a function of the same file.
            syn::Expr::Path(syn::ExprPath { path, .. }) => {
                (path.segments.last().unwrap().ident.to_string(), &call.args, path.segments.len() == 1)
            }
            _ => return false,
        },
        _ => return false,
    };
    ["load", "first", "get_result", "get_results", "execute"].contains(&name.as_str())
        && arguments.iter().any(|argument| matches!(argument, syn::Expr::Path(path) if path.path.is_ident("conn")))
        && !is_local
}

impl Visit<'_> for Finder {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        let is_test = |attribute: &syn::Attribute| attribute.path().is_ident("cfg");
        if !item.attrs.iter().any(is_test) {
            self.function = item.sig.ident.to_string();
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_expr_await(&mut self, awaited: &syn::ExprAwait) {
        if executes(&awaited.base) {
            self.add(awaited.span());
        }
        visit::visit_expr_await(self, awaited);
    }

    fn visit_expr(&mut self, expression: &syn::Expr) {
        if executes(expression) {
            self.add(expression.span());
        }
        visit::visit_expr(self, expression);
    }
}
