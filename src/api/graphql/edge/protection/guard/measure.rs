//! One walk over a parsed document.

use std::collections::HashMap;

use apollo_compiler::Node;
use apollo_compiler::ast::{Definition, Document, Field, FragmentDefinition, OperationDefinition, Selection, Value};
use async_graphql::{Value as Given, Variables};

use super::{Exceeded, Limits};

/// Selection sets within selection sets, through fragments too, that the walk follows.
const RECURSION_MAX: usize = 256;

/// The validator walks every definition of a document, its fragments expanded, whether it is used or not. All together
/// may have this many times the fields of one operation.
const WALK_FACTOR: usize = 4;

/// The size of an operation, fragments expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Fields.
    pub fields: usize,
    /// Fields within fields; a field at the root has depth 1.
    pub depth: usize,
    /// Lists within lists.
    pub lists: usize,
    /// Fields, those on a page counted as often as the page is long.
    pub cost: usize,
    /// Fields at the root.
    pub root_fields: usize,
    /// Fields at the root that are in [`Limits::once`].
    pub once: usize,
    /// Whether it has `edges` or `nodes` at its root, as a connection has.
    pub paged: bool,
    /// Whether the cost depends on variables.
    pub varies: bool,
    /// Whether `__schema` or `__type` is at the root.
    pub introspects: bool,
}

/// Why an operation may not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is over a limit.
    Exceeded(Exceeded),
    /// This fragment spreads itself.
    Cycle(String),
}

impl From<Exceeded> for Unfit {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Measures the operations of one document; what a fragment adds is worked out once.
pub struct Measurer<'a> {
    document: &'a Document,
    variables: Option<&'a Variables>,
    limits: &'a Limits,
    definitions: HashMap<&'a str, &'a FragmentDefinition>,
    /// `None` while the fragment is being measured.
    fragments: HashMap<&'a str, Option<Measure>>,
    /// Fields of all operations measured so far.
    walked: usize,
}

impl<'a> Measurer<'a> {
    /// For a document and the variables it is to run with. Without variables, the cost of an operation that depends
    /// on them is not held against the limit.
    pub fn new(document: &'a Document, variables: Option<&'a Variables>, limits: &'a Limits) -> Self {
        let mut definitions: HashMap<&str, &FragmentDefinition> = HashMap::new();
        for fragment in document.definitions.iter().filter_map(Definition::as_fragment_definition) {
            definitions.entry(&fragment.name).or_insert(fragment);
        }
        Self { document, variables, limits, definitions, fragments: HashMap::new(), walked: 0 }
    }

    /// The size of one operation, if it is within the limits.
    pub fn measure(&mut self, operation: &'a OperationDefinition) -> Result<Measure, Unfit> {
        let measure = self.selections(&operation.selection_set, 0)?;
        self.walked = self.walked.saturating_add(measure.fields);
        let limits = self.limits;
        let cost_is_known = self.variables.is_some() || !measure.varies;
        for (exceeded, over) in [
            (Exceeded::RootFields(limits.root_fields), measure.root_fields > limits.root_fields),
            (Exceeded::Fields(limits.fields), measure.fields > limits.fields),
            (Exceeded::Depth(limits.depth), measure.depth > limits.depth),
            (Exceeded::Lists(limits.lists), measure.lists > limits.lists),
            (Exceeded::Once(limits.once), measure.once > 1),
            (Exceeded::Cost(limits.cost), cost_is_known && measure.cost > limits.cost),
        ] {
            if over {
                return Err(exceeded.into());
            }
        }
        Ok(measure)
    }

    /// Whether the validator can walk the whole document, once all its operations were measured.
    pub fn check_walk(mut self) -> Result<(), Unfit> {
        let names: Vec<&str> = self.definitions.keys().copied().collect();
        for name in names {
            let measure = self.fragment(name, 0)?;
            self.walked = self.walked.saturating_add(measure.fields);
        }
        let limit = self.limits.fields.saturating_mul(WALK_FACTOR);
        if self.walked > limit { Err(Exceeded::Walk(limit).into()) } else { Ok(()) }
    }

    /// The aliases in the whole document, if they are within the limit.
    pub fn aliases(&self) -> Result<usize, Unfit> {
        let sets = self.document.definitions.iter().map(|definition| match definition {
            Definition::OperationDefinition(operation) => operation.selection_set.as_slice(),
            Definition::FragmentDefinition(fragment) => fragment.selection_set.as_slice(),
            _ => &[],
        });
        let count = sets.map(aliases).sum();
        if count > self.limits.aliases { Err(Exceeded::Aliases(self.limits.aliases).into()) } else { Ok(count) }
    }

    fn selections(&mut self, set: &'a [Selection], level: usize) -> Result<Measure, Unfit> {
        if level > RECURSION_MAX {
            return Err(Exceeded::Depth(self.limits.depth).into());
        }
        let mut total = Measure::default();
        for item in set {
            total.add(match item {
                Selection::Field(field) => self.field(field, level)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, level)?,
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set, level + 1)?,
            });
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &'a str, level: usize) -> Result<Measure, Unfit> {
        match self.fragments.get(name) {
            Some(Some(measure)) => return Ok(*measure),
            Some(None) => return Err(Unfit::Cycle(name.to_owned())),
            None => {}
        }
        // An unknown fragment adds nothing here; the validator names it.
        let Some(&fragment) = self.definitions.get(name) else { return Ok(Measure::default()) };
        self.fragments.insert(name, None);
        let measure = self.selections(&fragment.selection_set, level + 1)?;
        self.fragments.insert(name, Some(measure));
        Ok(measure)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Measure, Unfit> {
        let name = field.name.as_str();
        let set = &field.selection_set;
        let below = if set.is_empty() { Measure::default() } else { self.selections(set, level + 1)? };
        let (times, varies) = self.multiplier(field, below.paged);
        let is_list = times.is_some();
        let times = times.unwrap_or(1);
        Ok(Measure {
            fields: below.fields.saturating_add(1),
            depth: below.depth + 1,
            lists: below.lists + usize::from(is_list),
            cost: below.cost.saturating_mul(times).saturating_add(1),
            root_fields: 1,
            once: usize::from(self.limits.once.contains(&name)),
            paged: matches!(name, "edges" | "nodes"),
            varies: varies || below.varies,
            introspects: matches!(name, "__schema" | "__type"),
        })
    }

    /// How often what is below the field is answered: `first` or `last`, the length of a list of ids, or the default
    /// page where the selection is a connection's, `None` for what is no list; and whether a variable decides.
    fn multiplier(&self, field: &Field, paged: bool) -> (Option<usize>, bool) {
        let (mut times, mut varies) = (None, false);
        for argument in &field.arguments {
            let is_page = match argument.name.as_str() {
                "first" | "last" => true,
                other if other.ends_with("ids") || other.ends_with("Ids") => false,
                _ => continue,
            };
            let count = match &*argument.value {
                Value::Variable(name) => {
                    varies = true;
                    self.variables
                        .and_then(|given| given.get(name.as_str()))
                        .and_then(|value| given_count(value, is_page))
                }
                value => count(value, is_page),
            };
            times = times.max(count);
        }
        let times = times.or_else(|| paged.then_some(self.limits.page_default));
        (times.map(|times| times.min(self.limits.page_max)), varies)
    }
}

impl Measure {
    fn add(&mut self, part: Self) {
        self.fields = self.fields.saturating_add(part.fields);
        self.depth = self.depth.max(part.depth);
        self.lists = self.lists.max(part.lists);
        self.cost = self.cost.saturating_add(part.cost);
        self.root_fields = self.root_fields.saturating_add(part.root_fields);
        self.once = self.once.saturating_add(part.once);
        self.paged |= part.paged;
        self.varies |= part.varies;
        self.introspects |= part.introspects;
    }
}

/// A page's size, or a list's length.
fn count(value: &Value, is_page: bool) -> Option<usize> {
    match value {
        // What is no size is refused later.
        Value::Int(number) if is_page => Some(number.as_str().parse().unwrap_or(0)),
        Value::List(list) if !is_page => Some(list.len()),
        _ => None,
    }
}

fn given_count(value: &Given, is_page: bool) -> Option<usize> {
    match value {
        Given::Number(number) if is_page => Some(number.as_u64().map_or(0, |number| number as usize)),
        Given::List(list) if !is_page => Some(list.len()),
        _ => None,
    }
}

/// The recursion ends: the guard has bounded the nesting.
fn aliases(set: &[Selection]) -> usize {
    let count = |item: &Selection| match item {
        Selection::Field(field) => usize::from(field.alias.is_some()) + aliases(&field.selection_set),
        Selection::InlineFragment(inline) => aliases(&inline.selection_set),
        Selection::FragmentSpread(_) => 0,
    };
    set.iter().map(count).sum()
}

/// The operations of a document.
pub fn operations(document: &Document) -> impl Iterator<Item = &Node<OperationDefinition>> {
    document.definitions.iter().filter_map(Definition::as_operation_definition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::graphql::edge::testing::limits;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn wide() -> Limits {
        let all = usize::MAX;
        let limits = Limits { aliases: all, root_fields: all, fields: all, depth: all, ..limits() };
        Limits { lists: all, cost: all, page_max: 100, ..limits }
    }

    fn measure_within(text: &str, variables: &str, limits: &Limits) -> Result<Measure, Unfit> {
        let document = Document::parse(text, "test").unwrap();
        let variables: Variables = serde_json::from_str(variables).unwrap();
        let mut measurer = Measurer::new(&document, Some(&variables), limits);
        measurer.aliases()?;
        let measure = measurer.measure(operations(&document).next().unwrap())?;
        measurer.check_walk().map(|()| measure)
    }

    fn measure(text: &str, variables: &str) -> Measure {
        measure_within(text, variables, &wide()).unwrap()
    }

    #[test]
    fn pages_multiply_the_cost() {
        let cost = |text, variables| measure(text, variables).cost;
        assert_eq!(cost("{ a { b c } }", "{}"), 3);
        assert_eq!(cost("{ a(first: 10) { nodes { b } } }", "{}"), 1 + 10 * 2);
        assert_eq!(cost("{ a { edges { node { b } } } }", "{}"), 1 + limits().page_default * 3);
        assert_eq!(cost("query($n: Int) { a(first: $n) { nodes { b } } }", r#"{"n":7}"#), 1 + 7 * 2);
        assert_eq!(cost("query($n: Int) { a(last: $n) { nodes { b } } }", "{}"), 1 + limits().page_default * 2);
        assert_eq!(cost("{ a(first: 5000) { nodes { b } } }", "{}"), 1 + 100 * 2);
        assert_eq!(cost("query($l: [ID!]!) { nodes(ids: $l) { id } }", r#"{"l":["a","b"]}"#), 1 + 2);
        assert_eq!(cost("{ a(first: 10) { nodes { b(first: 10) { nodes { c } } } } }", "{}"), 1 + 10 * (2 + 10 * 2));
        let through = "{ a { ...P } } fragment P on C { ... on C { nodes { b } } }";
        assert_eq!(cost(through, "{}"), 1 + limits().page_default * 2, "a fragment hides no page");
        assert!(measure("query($n: Int) { a(first: $n) { b } }", "{}").varies);
        assert!(!measure("query($n: Int) { a(x: $n) { b } }", "{}").varies);
    }

    #[test]
    fn fragments_are_expanded_and_roots_seen_through_them() {
        let seen = measure("{ ...F ... on Q { __schema { x } } } fragment F on Q { a { b } c @skip(if: true) }", "{}");
        assert_eq!((seen.fields, seen.depth, seen.root_fields), (5, 2, 3));
        assert!(seen.introspects && !measure("{ a { b __type } }", "{}").introspects);
    }

    #[test]
    fn every_limit_refuses() {
        let limits = Limits { aliases: 1, root_fields: 2, fields: 4, depth: 3, lists: 1, cost: 50, ..limits() };
        let refused = |text| match measure_within(text, "{}", &limits) {
            Err(Unfit::Exceeded(exceeded)) => Some(exceeded),
            Err(Unfit::Cycle(_)) | Ok(_) => None,
        };
        assert_eq!(refused("{ a: x b: x }"), Some(Exceeded::Aliases(1)));
        assert_eq!(refused("{ a b c }"), Some(Exceeded::RootFields(2)));
        assert_eq!(refused("{ a { b c d e } }"), Some(Exceeded::Fields(4)));
        assert_eq!(refused("{ a { b { c { d } } } }"), Some(Exceeded::Depth(3)));
        assert_eq!(refused("{ a(first: 1) { b(first: 1) { c } } }"), Some(Exceeded::Lists(1)));
        assert_eq!(refused("{ a(first: 50) { b } }"), Some(Exceeded::Cost(50)));
        let twice = "mutation { ...F ...F } fragment F on M { salePurchase { x } }";
        assert_eq!(refused(twice), Some(Exceeded::Once(limits.once)));
        assert_eq!(refused("{ a { b } }"), None);
    }

    #[test]
    fn doubling_fragments_cost_no_more_than_their_text() {
        let mut text = String::from("{ ...F0 } fragment F40 on Q { a }");
        for level in 0..40 {
            write!(text, " fragment F{level} on Q {{ ...F{0} ...F{0} }}", level + 1).unwrap();
        }
        assert_eq!(measure(&text, "{}").fields, 1 << 40);
    }

    #[test]
    fn what_is_not_used_counts_for_the_walk() {
        let limits = Limits { fields: 4, ..wide() };
        let walk = |fields: usize| {
            let text = format!("{{ a }} fragment F on Q {{ {} }}", "b ".repeat(fields));
            measure_within(&text, "{}", &limits).err()
        };
        assert_eq!(walk(15), None);
        assert_eq!(walk(16), Some(Exceeded::Walk(16).into()));
        let cycle = "{ a } fragment A on Q { ...A }";
        assert_eq!(measure_within(cycle, "{}", &limits), Err(Unfit::Cycle("A".into())));
    }

    #[test]
    fn cycles_are_found() {
        let text = "{ ...A } fragment A on Q { a { ...B } } fragment B on Q { ...A }";
        assert_eq!(measure_within(text, "{}", &wide()), Err(Unfit::Cycle("A".into())));
    }

    /// A document whose fragment `n` may spread only later ones, and its expansion done the slow way.
    fn documents() -> impl Strategy<Value = (String, usize, usize)> {
        let part = proptest::collection::vec((0_usize..4, 0_usize..8), 1..5);
        proptest::collection::vec(part, 1..6).prop_map(|fragments| {
            let mut text = String::from("{ ...F0 }");
            for (index, parts) in fragments.iter().enumerate() {
                write!(text, " fragment F{index} on Q {{ a").unwrap();
                for part in parts {
                    text.push_str(&rendered(*part, index, fragments.len()));
                }
                text.push_str(" }");
            }
            let (fields, depth) = slow(&fragments, 0);
            (text, fields, depth)
        })
    }

    fn rendered((kind, target): (usize, usize), index: usize, count: usize) -> String {
        match kind {
            0 => " b { c }".into(),
            1 => " ... on Q { d }".into(),
            _ if index + 1 + target < count => format!(" e {{ ...F{} }}", index + 1 + target),
            _ => " f".into(),
        }
    }

    fn slow(fragments: &[Vec<(usize, usize)>], index: usize) -> (usize, usize) {
        let (mut fields, mut depth) = (1, 1);
        for &(kind, target) in &fragments[index] {
            let (more, deep) = match kind {
                0 => (2, 2),
                1 => (1, 1),
                _ if index + 1 + target < fragments.len() => {
                    let (fields, depth) = slow(fragments, index + 1 + target);
                    (fields + 1, depth + 1)
                }
                _ => (1, 1),
            };
            fields += more;
            depth = depth.max(deep);
        }
        (fields, depth)
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_expansion((text, fields, depth) in documents()) {
            crate::api::graphql::edge::protection::guard::fuzzing::check(&text);
            let measure = measure(&text, "{}");
            prop_assert_eq!((measure.fields, measure.depth), (fields, depth));
        }
    }
}
