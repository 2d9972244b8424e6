//! The guard: what a document may be, decided before anything expensive looks at it.
//!
//! [`mod@scan`] reads the raw text once (bytes, tokens, nesting) and runs before the parser; [`measure`] walks the parsed
//! document once (aliases, root fields, expanded fields, depth, cost) with each fragment measured a single time, and
//! runs before the validator. Both are linear in the length of the text.
//!
//! It needs nothing of the rest of the crate, so that the fuzzer (`fuzz/`) can take these files by themselves.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod measure;
mod scan;

pub use measure::{Measure, Measurer, Unfit, operations};
pub use scan::{Scan, scan};

/// A limit that a document is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Too many bytes.
    #[error("The document has more than {0} bytes.")]
    Bytes(usize),
    /// Too many tokens.
    #[error("The document has more than {0} tokens.")]
    Tokens(usize),
    /// Brackets, braces or parentheses too deep in each other.
    #[error("The document nests brackets deeper than {0}.")]
    Nesting(usize),
    /// Too many aliases.
    #[error("The document has more than {0} aliases.")]
    Aliases(usize),
    /// Too many fields at the root of the operation.
    #[error("The operation has more than {0} root fields.")]
    RootFields(usize),
    /// Too many fields once fragments are expanded.
    #[error("The operation has more than {0} fields once its fragments are expanded.")]
    Fields(usize),
    /// Too many fields in all definitions together, fragments expanded in each.
    #[error("The document has more than {0} fields once the fragments in its definitions are expanded.")]
    Walk(usize),
    /// Too deep once fragments are expanded.
    #[error("The operation is nested deeper than {0} fields.")]
    Depth(usize),
    /// Too many lists in each other once fragments are expanded.
    #[error("The operation nests lists deeper than {0}.")]
    Lists(usize),
    /// Too expensive: fields times the sizes of the pages they are on.
    #[error("The operation costs more than {0}. Request fewer fields or smaller pages.")]
    Cost(usize),
    /// More than one root field of those of which a request may have one.
    #[error("A request may contain only one of these fields, and only once: {}.", .0.join(", "))]
    Once(&'static [&'static str]),
}

/// The limits in force; the configuration's `[graphql]` says what each means.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a document.
    pub bytes: usize,
    /// Tokens of a document.
    pub tokens: usize,
    /// Nested brackets.
    pub nesting: usize,
    /// Aliases of a document.
    pub aliases: usize,
    /// Root fields of an operation.
    pub root_fields: usize,
    /// Expanded fields of an operation.
    pub fields: usize,
    /// Expanded depth of an operation.
    pub depth: usize,
    /// Lists within lists of an operation.
    pub lists: usize,
    /// Cost of an operation.
    pub cost: usize,
    /// Page size that counts where none is asked for.
    pub page_default: usize,
    /// Page size that counts at most: resolvers refuse larger ones.
    pub page_max: usize,
    /// Root fields of which an operation may have one, once.
    pub once: &'static [&'static str],
}
