//! What resolvers are given and what clients are answered, for documents that the executor reads in its own way.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Interface, MaybeUndefined, Object, Result, Schema, SimpleObject};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::Places;
use crate::api::graphql::edge::documents::cache::{Documents, SharedFields};
use crate::api::graphql::edge::documents::trusted::Manifest;
use crate::api::graphql::edge::execution::engine::Engine;
use crate::api::graphql::edge::request::params::{Params, Source};
use crate::api::graphql::edge::response::answer::Answer;
use crate::api::graphql::edge::testing::limits;
use crate::api::graphql::error::Code;
use crate::config::Config;

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Red,
    Green,
}

#[derive(InputObject, Debug)]
struct Edit {
    id: ID,
    #[graphql(default = 7)]
    n: i32,
    note: MaybeUndefined<String>,
    colours: Option<Vec<Colour>>,
    inner: Option<Inner>,
    list: Option<Vec<Inner>>,
}

#[derive(InputObject, Debug)]
struct Inner {
    #[graphql(default = true)]
    on: bool,
    note: MaybeUndefined<String>,
}

#[derive(SimpleObject)]
struct Lamp {
    id: ID,
    watts: i32,
}

#[derive(Interface)]
#[graphql(field(name = "id", ty = "&ID"))]
enum Thing {
    Lamp(Lamp),
    Room(Room),
}

struct Room(ID);

#[Object]
impl Room {
    async fn id(&self) -> &ID {
        &self.0
    }

    /// Can't be null, and is not there.
    async fn size(&self) -> Result<i32> {
        Err(Code::Unavailable.error("Nobody knows."))
    }

    async fn lamps(&self) -> Vec<Lamp> {
        vec![Lamp { id: ID::from("l1"), watts: 1 }, Lamp { id: ID::from("l2"), watts: 2 }]
    }
}

struct Query;

#[Object]
impl Query {
    async fn edit(&self, input: Edit) -> String {
        format!("{input:?}")
    }

    async fn ask(
        &self,
        #[graphql(default = 3)] n: i32,
        note: MaybeUndefined<String>,
        colours: Option<Vec<Colour>>,
    ) -> String {
        format!("{n} {note:?} {colours:?}")
    }

    async fn text(&self, text: String) -> String {
        text
    }

    async fn thing(&self, lamp: bool) -> Option<Thing> {
        Some(if lamp { Thing::Lamp(Lamp { id: ID::from("l"), watts: 3 }) } else { Thing::Room(Room(ID::from("r"))) })
    }

    async fn room(&self) -> Option<Room> {
        Some(Room(ID::from("r")))
    }

    async fn rooms(&self) -> Vec<Option<Room>> {
        vec![None, Some(Room(ID::from("r")))]
    }

    async fn must(&self) -> Room {
        Room(ID::from("r"))
    }

    /// Is ready after everything else.
    async fn slow(&self) -> i32 {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        1
    }
}

/// What was done, in order.
type Done = Arc<Mutex<Vec<i32>>>;

struct Mutation;

#[Object]
impl Mutation {
    async fn act(&self, ctx: &Context<'_>, n: i32) -> Lamp {
        ctx.data_unchecked::<Done>().lock().push(n);
        Lamp { id: ID::from("l"), watts: n }
    }
}

/// The answer's text, and what was done.
fn body(document: &str, variables: &Value) -> (String, Vec<i32>) {
    let done = Done::default();
    let schema = Schema::build(Query, Mutation, async_graphql::EmptySubscription).data(done.clone()).finish();
    let engine: &dyn Engine = &schema;
    let config = Config::default_embedded().graphql;
    let documents = Documents::new(engine, limits(), SharedFields::default(), None, &Manifest::new(), &config);
    let params = Params {
        document: Source::Text(document.into()),
        variables: Some(to_raw_value(variables).unwrap()),
        ..Params::default()
    };
    let answer = documents.prepare(params, true).and_then(|prepared| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Answer::new(runtime.block_on(engine.execute(prepared.executable())), "r")
    });
    let body = answer.map_or_else(|refusal| refusal.body(), |answer| answer.body);
    let done = done.lock().clone();
    (String::from_utf8(body.to_vec()).unwrap(), done)
}

/// The answer, and what was done.
fn run(document: &str, variables: Value) -> (Value, Vec<i32>) {
    let (body, done) = body(document, &variables);
    (serde_json::from_str(&body).unwrap(), done)
}

/// The answer as it leaves, so that the order of its keys counts.
fn text(document: &str) -> String {
    body(document, &json!({})).0
}

fn data(document: &str, variables: Value) -> Value {
    let (answer, _) = run(document, variables);
    assert!(answer.get("errors").is_none(), "{document}: {answer}");
    answer["data"].clone()
}

fn code(document: &str, variables: Value) -> Value {
    let (answer, done) = run(document, variables);
    assert!(done.is_empty(), "{document} did something");
    answer["errors"][0]["extensions"]["code"].clone()
}

#[test]
fn a_variable_without_a_value_is_as_if_nothing_stood_there() {
    let document = "query($id: ID!, $n: Int, $note: String, $on: Boolean, $c: [Colour!], $in: Inner) {
        edit(input: { id: $id, n: $n, note: $note, colours: $c, inner: { on: $on, note: $note }, list: [{ on: $on }, $in] }) }";
    let refused = code(document, json!({ "id": "x" }));
    assert_eq!(refused, "GRAPHQL_VALIDATION_FAILED", "an item of the list can't be null");

    let document = document.replace(", $in] }", "] }").replace(", $in: Inner", "");
    let edit = |note, inner: &str, list: &str| {
        format!(
            "Edit {{ id: ID(\"x\"), n: 7, note: {note}, colours: None, inner: Some({inner}), list: Some([{list}]) }}"
        )
    };
    let absent = "Inner { on: true, note: Undefined }";
    assert_eq!(data(&document, json!({ "id": "x" }))["edit"], edit("Undefined", absent, absent));
    let null = "Inner { on: true, note: Null }";
    assert_eq!(data(&document, json!({ "id": "x", "note": null }))["edit"], edit("Null", null, absent));
    let given = "Inner { on: true, note: Value(\"n\") }";
    assert_eq!(data(&document, json!({ "id": "x", "note": "n" }))["edit"], edit("Value(\"n\")", given, absent));

    let document = "query($n: Int, $note: String, $c: [Colour!]) { ask(n: $n, note: $note, colours: $c) }";
    assert_eq!(data(document, json!({}))["ask"], "3 Undefined None");
    assert_eq!(data(document, json!({ "note": null, "c": null }))["ask"], "3 Null None");
    assert_eq!(data(document, json!({ "n": 1, "note": "x", "c": "RED" }))["ask"], "1 Value(\"x\") Some([Red])");
    assert_eq!(code(document, json!({ "n": null })), "BAD_USER_INPUT");
    let document = "query($n: Int = 5, $note: String = \"d\") { ask(n: $n, note: $note) }";
    assert_eq!(data(document, json!({}))["ask"], "5 Value(\"d\") None");
    assert_eq!(data(document, json!({ "note": null }))["ask"], "5 Null None");
}

#[test]
fn the_values_of_variables_are_coerced_or_refused() {
    let document = "query($input: Edit!) { edit(input: $input) }";
    let edit = |input: Value| run(document, json!({ "input": input })).0;
    let full = json!({ "id": 5, "n": 2.0, "colours": "GREEN", "list": { "note": "x" } });
    let inner = "Inner { on: true, note: Value(\"x\") }";
    let shown = format!(
        "Edit {{ id: ID(\"5\"), n: 2, note: Undefined, colours: Some([Green]), inner: None, list: Some([{inner}]) }}"
    );
    assert_eq!(edit(full)["data"]["edit"], shown);
    for (input, place) in [
        (json!({}), "\"$input.id\" of type ID! needs a value"),
        (json!(null), "\"$input\" of type Edit! needs a value"),
        (json!("x"), "\"$input\" must be an object"),
        (json!([]), "\"$input\" must be an object"),
        (json!({ "id": 1.5 }), "\"$input.id\" must be a string or a whole number"),
        (json!({ "id": "x", "n": null }), "\"$input.n\" of type Int! needs a value"),
        (json!({ "id": "x", "n": 3_000_000_000_u32 }), "\"$input.n\" must be a whole number"),
        (json!({ "id": "x", "n": "1" }), "\"$input.n\" must be a whole number"),
        (json!({ "id": "x", "note": 1 }), "\"$input.note\" must be a string"),
        (json!({ "id": "x", "colours": ["RED", "BLUE"] }), "\"$input.colours[1]\" must be one of the values of Colour"),
        (json!({ "id": "x", "colours": [1] }), "\"$input.colours[0]\" must be one of the values of Colour"),
        (json!({ "id": "x", "inner": { "on": 1 } }), "\"$input.inner.on\" must be true or false"),
        (json!({ "id": "x", "list": [{}, { "no": 1 }] }), "\"$input.list[1]\" of type Inner has no field \"no\""),
    ] {
        let answer = edit(input);
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        assert!(error["message"].as_str().unwrap().starts_with(&format!("Variable {place}")), "{place}: {answer}");
        assert_eq!(error["locations"], json!([{ "line": 1, "column": 7 }]));
        assert!(answer.get("data").is_none(), "{answer}");
    }
}

#[test]
fn what_is_skipped_is_not_done() {
    let document = "mutation($dry: Boolean! = true) { act(n: 1) @skip(if: $dry) { id } }";
    assert_eq!(run(document, json!({})), (json!({ "data": {} }), vec![]));
    assert_eq!(run(document, json!({ "dry": true })), (json!({ "data": {} }), vec![]));
    assert_eq!(run(document, json!({ "dry": false })).1, vec![1]);
    assert_eq!(code(document, json!({ "dry": null })), "BAD_USER_INPUT");
    for place in [
        "act(n: 1) @include(if: $go) { id }",
        "... @include(if: $go) { act(n: 1) { id } }",
        "...F @include(if: $go)",
        "... on Mutation { ...F @include(if: $go) }",
    ] {
        let fragment = if place.contains("...F") { "fragment F on Mutation { act(n: 1) { id } }" } else { "" };
        let document = format!("mutation($go: Boolean = false) {{ {place} }} {fragment}");
        assert_eq!(run(&document, json!({})), (json!({ "data": {} }), vec![]), "{document}");
        assert_eq!(run(&document, json!({ "go": true })).1, vec![1], "{document}");
        assert_eq!(code(&document, json!({ "go": null })), "BAD_USER_INPUT", "{document}");
    }
}

#[test]
fn fields_that_are_one_are_done_once_and_in_order() {
    let once = "mutation { act(n: 1) { id } ...F } fragment F on Mutation { act(n: 1) { watts } b: act(n: 2) { id } }";
    let (answer, done) = run(once, json!({}));
    assert_eq!(done, vec![1, 2]);
    assert_eq!(answer, json!({ "data": { "act": { "id": "l", "watts": 1 }, "b": { "id": "l" } } }));
    let ordered = text("{ slow a: ask ...F } fragment F on Query { b: text(text: \"\") slow }");
    assert_eq!(ordered, r#"{"data":{"slow":1,"a":"3 Undefined None","b":""}}"#);
    let lists = "{ room { lamps { id } ...F } } fragment F on Room { lamps { watts } }";
    assert_eq!(data(lists, json!({}))["room"]["lamps"][1], json!({ "id": "l2", "watts": 2 }));
}

#[test]
fn a_selection_that_leaves_nothing_is_an_empty_object() {
    assert_eq!(text("{ ask @skip(if: true) }"), r#"{"data":{}}"#);
    assert_eq!(text("{ room { id @skip(if: true) } }"), r#"{"data":{"room":{}}}"#);
    assert_eq!(text("{ rooms { id @skip(if: true) } }"), r#"{"data":{"rooms":[null,{}]}}"#);
    assert_eq!(text("{ thing(lamp: true) { ... on Room { id } } }"), r#"{"data":{"thing":{}}}"#);
    assert_eq!(text("{ thing(lamp: false) { ... on Room { id } } }"), r#"{"data":{"thing":{"id":"r"}}}"#);
    let both =
        "query($l: Boolean!) { thing(lamp: $l) { __typename ... on Lamp { watts } ... on Room { lamps { id } } id } }";
    assert_eq!(data(both, json!({ "l": true }))["thing"], json!({ "__typename": "Lamp", "watts": 3, "id": "l" }));
    assert_eq!(data(both, json!({ "l": false }))["thing"]["__typename"], "Room");
}

#[test]
fn what_can_not_be_null_makes_its_parent_null() {
    let told = |document: &str| {
        let (answer, _) = run(document, json!({}));
        assert_eq!(answer["errors"][0]["message"], "Nobody knows.", "{document}: {answer}");
        answer["data"].to_string()
    };
    assert_eq!(told("{ room { id size } }"), r#"{"room":null}"#);
    assert_eq!(told("{ ask rooms { size } }"), r#"{"ask":"3 Undefined None","rooms":[null,null]}"#);
    assert_eq!(told("{ thing(lamp: false) { id ... on Room { size } } }"), r#"{"thing":null}"#);
    assert_eq!(told("{ ask must { id size } }"), "null");
    assert!(text("{ ask thing(lamp: true) { id } must { size } }").contains(r#""data":null"#));
    let (answer, _) = run("{ room { size } }", json!({}));
    assert_eq!(answer["errors"][0]["path"], json!(["room", "size"]));
}

#[test]
fn strings_mean_what_they_say() {
    let said = |literal: &str| data(&format!("{{ text(text: {literal}) }}"), json!({}))["text"].clone();
    assert_eq!(
        said(r#""\u{1F600} \uD83D\uDE00 \u0041\"\\\/\b\f\n\r\t""#),
        "\u{1F600} \u{1F600} A\"\\/\u{8}\u{c}\n\r\t"
    );
    assert_eq!(said("\"\"\"\n    a\n      \\\"\"\" b \\n\n\n    c\n\"\"\""), "a\n  \"\"\" b \\n\n\nc");
    for broken in [r#""\u{110000}""#, r#""\uD83D""#, r#""\u{D83D}""#, r#""\x""#] {
        assert_eq!(code(&format!("{{ text(text: {broken}) }}"), json!({})), "GRAPHQL_PARSE_FAILED", "{broken}");
    }
}

#[test]
fn long_integers_are_ids() {
    let long = "{ edit(input: { id: 123456789012345678901234567890 }) }";
    assert!(data(long, json!({})).to_string().contains("123456789012345678901234567890"));
}

proptest! {
    #[test]
    fn places_are_lines_and_characters(text in "[a\né\u{1F600}\r]{0,40}", at in 0_usize..40) {
        let places = Places::new(&text);
        let offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
        if let Some(&offset) = offsets.get(at) {
            let before = &text[..offset];
            let line = before.rsplit('\n').next().unwrap_or_default();
            let found = places.of(offset);
            prop_assert_eq!((found.line, found.column), (before.matches('\n').count() + 1, line.chars().count() + 1));
        }
    }
}
