//! Who uses whom: an arrow for each path that a file names, from the whole of the file, macros included.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::Visit;

/// A module by its path from the crate's root, `["orders", "pay"]`.
pub type Module = Vec<String>;

/// A file of the crate.
pub struct File {
    /// Where it is, for messages.
    pub name: String,
    pub module: Module,
    pub text: String,
}

/// A path in a file that leads to another file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: Module,
    pub to: Module,
    /// `file:line: path`, for messages.
    pub place: String,
}

/// The arrows between the files. Code for tests is passed over, and so is what a module only passes on (`pub use`): whoever
/// takes a name there is taken to use the file that defines it.
pub fn arrows(files: &[File]) -> Vec<Arrow> {
    let parsed: Vec<_> = files.iter().map(|file| (file, syn::parse_file(&file.text).expect("valid Rust"))).collect();
    let mut modules = Modules::default();
    for (file, _) in &parsed {
        modules.names.insert(file.module.clone());
    }
    for (file, syntax) in &parsed {
        modules.note_exports(&file.module, &syntax.items);
    }
    let mut arrows = Vec::new();
    for (file, syntax) in &parsed {
        let mut paths = Paths { inside: 0, found: Vec::new() };
        paths.visit_file(syntax);
        for Found { path, line, inside } in paths.found {
            let Some(to) = modules.target(&file.module, &path, inside) else { continue };
            if to != file.module {
                let place = format!("{}:{line}: {}", file.name, path.join("::"));
                arrows.push(Arrow { from: file.module.clone(), to, place });
            }
        }
    }
    arrows.sort();
    arrows
}

/// Groups of nodes that can all be reached from each other.
pub fn circles<N: Ord + Clone>(edges: &BTreeMap<N, BTreeSet<N>>) -> Vec<BTreeSet<N>> {
    let reach = |start: &N| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![start.clone()]);
        while let Some(node) = todo.pop() {
            for next in edges.get(&node).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    todo.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|node| (node.clone(), reach(node))).collect();
    let mut found = BTreeSet::new();
    for (node, others) in reached.iter().filter(|(node, others)| others.contains(*node)) {
        let back = |other: &&N| reached.get(*other).is_some_and(|from_there| from_there.contains(node));
        found.insert(others.iter().filter(back).cloned().collect::<BTreeSet<_>>());
    }
    found.into_iter().collect()
}

#[derive(Default)]
struct Modules {
    names: BTreeSet<Module>,
    /// What a module passes on, by the name that it has there.
    exports: BTreeMap<(Module, String), Module>,
}

impl Modules {
    fn note_exports(&mut self, module: &Module, items: &[syn::Item]) {
        for item in items {
            let syn::Item::Use(item) = item else { continue };
            if matches!(item.vis, syn::Visibility::Inherited) {
                continue;
            }
            let mut leaves = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut leaves);
            for (path, name) in leaves {
                if let Some(path) = self.absolute(module, &path, 0) {
                    self.exports.insert((module.clone(), name), path);
                }
            }
        }
    }

    /// The path from the crate's root, if it is one of this crate. `inside`: how many modules of the same file surround it.
    fn absolute(&self, module: &Module, path: &[String], inside: usize) -> Option<Module> {
        let first = path.first()?;
        if first == "crate" {
            return Some(path[1..].to_vec());
        }
        let mut base = module.clone();
        base.extend(std::iter::repeat_n(String::new(), inside));
        let mut rest = path;
        if first == "self" {
            rest = &rest[1..];
        }
        while rest.first().is_some_and(|part| part == "super") {
            base.pop()?;
            rest = &rest[1..];
        }
        if rest.len() == path.len() {
            // A path that begins with a child of this module.
            let child: Module = module.iter().cloned().chain([first.clone()]).collect();
            return (inside == 0 && self.names.contains(&child)).then(|| [module.as_slice(), path].concat());
        }
        base.retain(|part| !part.is_empty());
        base.extend_from_slice(rest);
        Some(base)
    }

    fn target(&self, module: &Module, path: &[String], inside: usize) -> Option<Module> {
        let path = self.absolute(module, path, inside)?;
        self.defining(&path, 0)
    }

    /// The file that defines what the path names.
    fn defining(&self, path: &[String], depth: usize) -> Option<Module> {
        let len = (1..=path.len()).rev().find(|len| self.names.contains(&path[..*len]))?;
        let (module, rest) = path.split_at(len);
        if let Some(exported) = rest.first().and_then(|name| self.exports.get(&(module.to_vec(), name.clone()))) {
            let there: Module = exported.iter().chain(&rest[1..]).cloned().collect();
            // Longer chains of passing on would be a circle.
            return if depth < 8 { self.defining(&there, depth + 1) } else { None };
        }
        Some(module.to_vec())
    }
}

struct Found {
    path: Vec<String>,
    line: usize,
    inside: usize,
}

struct Paths {
    inside: usize,
    found: Vec<Found>,
}

impl Paths {
    fn note(&mut self, path: Vec<String>, line: usize) {
        self.found.push(Found { path, line, inside: self.inside });
    }

    /// Paths in what a macro is given or made of: `crate :: a :: b`.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) if ident == "crate" || ident == "super" => {
                    let (line, mut path) = (ident.span().start().line, vec![ident.to_string()]);
                    while let Some([TokenTree::Punct(a), TokenTree::Punct(b), TokenTree::Ident(next)]) =
                        tokens.get(at + 1..at + 4).map(|next| <&[_; 3]>::try_from(next).expect("three"))
                    {
                        if a.as_char() != ':' || b.as_char() != ':' {
                            break;
                        }
                        path.push(next.to_string());
                        at += 3;
                    }
                    self.note(path, line);
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.inside += 1;
        syn::visit::visit_item_mod(self, module);
        self.inside -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if matches!(item.vis, syn::Visibility::Inherited) {
            let mut leaves = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut leaves);
            for (path, _) in leaves {
                self.note(path, item.span().start().line);
            }
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A module may call its own children by their names; only what is imported or leads out of the module is an arrow.
        if ["crate", "super", "self"].contains(&names[0].as_str()) && names.len() > 1 {
            self.note(names, path.span().start().line);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }
}

/// The leaves of a `use`: the path of each, and the name that it has from then on.
fn flatten(tree: &syn::UseTree, prefix: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, leaves);
            prefix.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            leaves.push((prefix.clone(), prefix.last().cloned().unwrap_or_default()));
        }
        syn::UseTree::Name(name) => {
            let name = name.ident.to_string();
            leaves.push(([prefix.as_slice(), std::slice::from_ref(&name)].concat(), name));
        }
        syn::UseTree::Rename(rename) => {
            let mut path = prefix.clone();
            if rename.ident != "self" {
                path.push(rename.ident.to_string());
            }
            leaves.push((path, rename.rename.to_string()));
        }
        syn::UseTree::Glob(_) => leaves.push((prefix.clone(), "*".to_owned())),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, leaves)),
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}
