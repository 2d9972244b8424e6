//! Whatever the shortcut answers, the executor would have answered in the same bytes; whatever it buys, the executor would
//! have bought.

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::{Context, Object, Request, Schema, Variables};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;

use super::super::orders::{SalePurchaseErrorCode, SalePurchaseInput};
use super::*;
use crate::api::graphql::edge::response::answer::Answer;
use crate::api::graphql::error::Code;
use crate::kernel::{Currency, Money, SaleId, TicketId, Timestamp, UserId};
use crate::model::orders::{Order, OrderState, Ticket};

/// What the resolver was called with: the sale's id, the quantity, and the key.
type Asked = Arc<Mutex<Option<(String, i32, String)>>>;

/// Answers every purchase with the outcome that is in the request's data, and remembers what it was asked.
struct Mutation;

#[Object]
impl Mutation {
    async fn sale_purchase(&self, ctx: &Context<'_>, input: SalePurchaseInput) -> Result<SalePurchasePayload> {
        let asked = (input.sale_id.to_string(), input.quantity, input.idempotency_key);
        *ctx.data_unchecked::<Asked>().lock() = Some(asked);
        ctx.data_unchecked::<Outcome>().result()
    }
}

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone)]
enum Outcome {
    Ticket(Option<OrderState>),
    Refused(Vec<SalePurchaseUserError>),
    Fault,
}

impl Outcome {
    fn result(&self) -> Result<SalePurchasePayload> {
        match self {
            Self::Ticket(decided) => {
                let ticket = Some(PurchaseTicket(ticket(*decided)));
                Ok(SalePurchasePayload { ticket, user_errors: Vec::new() })
            }
            Self::Refused(errors) => Ok(SalePurchasePayload { ticket: None, user_errors: errors.clone() }),
            Self::Fault => Err(Code::Unavailable.retry("Not now.", 2)),
        }
    }
}

fn ticket(decided: Option<OrderState>) -> Ticket {
    let id = TicketId { sale: SaleId::from_bytes([3; 16]), epoch: 2, seq: 77 };
    let (buyer, at) = (UserId::from_bytes([4; 16]), Timestamp::from_millis(1_795_428_000_123));
    let order = |state| Order {
        ticket: id,
        sale_number: 5,
        buyer,
        quantity: 2,
        key: None,
        state,
        product_name: "Lamp".into(),
        unit_price: Money { minor: 990, currency: Currency::Cny },
        points_price: None,
        created_at: at,
        decided_at: at,
        pay_before: at,
        paid_at: None,
        closed_at: None,
        version: 3,
    };
    Ticket { id, buyer, quantity: 2, created_at: at, decision: decided.map(|state| Arc::new(order(state))) }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    use SalePurchaseErrorCode as C;
    let code = prop::sample::select(vec![C::SoldOut, C::SaleNotStarted, C::TryLater, C::IdempotencyKeyReused]);
    let field = prop::option::of(Just(vec!["input".to_owned(), "saleId".to_owned()]));
    let at = prop::option::of((0..4_000_000_000_000_i64).prop_map(|millis| DateTime(Timestamp::from_millis(millis))));
    let retry = (prop::option::of(any::<i32>()), at);
    let error = (code, ".{0,12}", field, retry).prop_map(|(code, message, field, (retry_after_seconds, retry_at))| {
        SalePurchaseUserError { code, message, field, retry_after_seconds, retry_at }
    });
    prop_oneof![
        prop::option::of(prop::sample::select(OrderState::ALL.to_vec())).prop_map(Outcome::Ticket),
        prop::collection::vec(error, 0..3).prop_map(Outcome::Refused),
        Just(Outcome::Fault),
    ]
}

/// Some of the fields, in any order, some of them under another name or twice.
fn selection(fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    let alias = prop::option::weighted(0.2, "[a-c]");
    let field = (alias, prop::sample::select(fields)).prop_map(|(alias, field)| match alias {
        Some(alias) => format!("{alias}: {field}"),
        None => field.to_owned(),
    });
    prop::collection::vec(field, 1..5).prop_map(|fields| format!("{{ {} }}", fields.join(" ")))
}

fn documents() -> impl Strategy<Value = String> {
    let ticket = selection(&["id", "quantity", "status", "createdAt", "version", "__typename", "decidedAt"]);
    let errors = selection(&["code", "message", "field", "retryAfterSeconds", "retryAt", "__typename"]);
    let parts = (ticket, errors, any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    let payload = parts.prop_map(|(ticket, errors, swap, typename, skip)| {
        let mut parts = [format!("ticket {ticket}"), format!("userErrors {errors}")];
        if swap {
            parts.reverse();
        }
        let typename = if typename { "__typename" } else { "" };
        let skip = if skip { "@include(if: true)" } else { "" };
        format!("{skip} {{ {} {typename} }}", parts.join(" "))
    });
    let root = prop::sample::select(vec!["salePurchase(input: $i)", "x: salePurchase(input: $i)"]);
    let form = prop::sample::select(vec![
        "$i: SalePurchaseInput!",
        "$i: SalePurchaseInput! = { saleId: \"x\", idempotencyKey: \"y\" }",
    ]);
    (form, root, payload).prop_map(|(form, root, payload)| format!("mutation M({form}) {{ {root} {payload} }}"))
}

fn variables() -> impl Strategy<Value = serde_json::Value> {
    let value = || {
        prop_oneof![
            3 => "[a-z]{1,9}".prop_map(serde_json::Value::from),
            3 => any::<i32>().prop_map(serde_json::Value::from),
            1 => any::<i64>().prop_map(serde_json::Value::from),
            1 => prop::sample::select(vec![json!(null), json!(1.0), json!(1.5), json!([1]), json!({}), json!(true)]),
        ]
    };
    let text = || prop_oneof![4 => "[a-z]{1,9}".prop_map(serde_json::Value::from), 1 => value()];
    let name = prop::sample::select(vec!["quantity", "extra"]);
    (text(), text(), prop::collection::vec((name, value()), 0..2), any::<u8>()).prop_map(|(sale, key, more, drop)| {
        let mut input = json!({ "saleId": sale, "idempotencyKey": key });
        for (name, value) in more {
            input[name] = value;
        }
        if drop < 20 {
            input.as_object_mut().unwrap().remove("saleId");
        }
        json!({ "i": input })
    })
}

fn form_of(document: &str) -> Option<Form> {
    let parsed = parse_query(document).unwrap();
    let (_, operation) = parsed.operations.iter().next().unwrap();
    Form::of(&operation.node)
}

/// The executor's answer, and what it asked the resolver.
fn executed(document: &str, variables: &Variables, outcome: &Outcome) -> (String, Option<(String, i32, String)>) {
    let asked = Asked::default();
    let schema = Schema::new(Query, Mutation, async_graphql::EmptySubscription);
    let request = Request::new(document).variables(variables.clone()).data(asked.clone()).data(outcome.clone());
    let response = schema.execute(request).now_or_never().expect("nothing waits");
    let asked = asked.lock().clone();
    (text(response), asked)
}

fn planned(answer: Planned) -> String {
    match answer {
        Planned::Done(body) => String::from_utf8(body.to_vec()).unwrap(),
        Planned::Failed(response) => text(response),
    }
}

fn text(response: Response) -> String {
    let bytes = match Answer::new(response, "r") {
        Ok(answer) => answer.body,
        Err(refusal) => refusal.body(),
    };
    String::from_utf8(bytes.to_vec()).unwrap()
}

const CANONICAL: &str = "mutation Buy($input: SalePurchaseInput!) { salePurchase(input: $input) { \
    ticket { id status } userErrors { code message } } }";

proptest! {
    #[test]
    fn the_answer_is_the_executors(document in documents(), outcome in outcomes()) {
        let variables = Variables::from_json(json!({ "i": { "saleId": "x", "idempotencyKey": "key-00001" } }));
        if let Some(form) = form_of(&document) {
            let (expected, asked) = executed(&document, &variables, &outcome);
            prop_assert!(asked.is_some(), "{document}: {expected}");
            prop_assert_eq!(planned(form.answer(outcome.result())), expected, "{}", document);
        }
    }

    #[test]
    fn what_is_asked_is_what_the_executor_would_ask(variables in variables()) {
        let document = CANONICAL.replace("$input", "$i");
        let request = form_of(&document).unwrap().request(&variables.to_string());
        let variables = Variables::from_json(variables);
        if let Some(request) = request {
            let (answer, asked) = executed(&document, &variables, &Outcome::Fault);
            let asked = asked.unwrap_or_else(|| panic!("the executor refuses: {answer}"));
            prop_assert_eq!((request.sale, request.quantity, request.key), (asked.0.parse().ok(), asked.1, asked.2));
        }
    }
}

#[test]
fn the_form_that_clients_send_fits_and_others_do_not() {
    assert!(form_of(CANONICAL).is_some());
    let good = r#"{"input": {"saleId": "s", "quantity": 2, "idempotencyKey": "k\u0021"}}"#;
    let request = form_of(CANONICAL).unwrap().request(good).unwrap();
    assert_eq!((request.sale, request.quantity, request.key.as_str()), (None, 2, "k!"));
    for unclear in [
        "null",
        "[]",
        "{}",
        r#"{"other": {"saleId": "s", "idempotencyKey": "k"}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k"}, "other": 1}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k"}, "input": {"saleId": "s", "idempotencyKey": "k"}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k", "idempotencyKey": "l"}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k", "quantity": null}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k", "quantity": 1.5}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k", "quantity": 3000000000}}"#,
        r#"{"input": {"saleId": 7, "idempotencyKey": "k"}}"#,
        r#"{"input": {"saleId": "s"}}"#,
        r#"{"input": {"saleId": "s", "idempotencyKey": "k", "more": 1}}"#,
    ] {
        assert!(form_of(CANONICAL).unwrap().request(unclear).is_none(), "{unclear}");
    }
    for other in [
        "mutation($i: SalePurchaseInput!) { a: salePurchase(input: $i) { ticket { id } } b: salePurchase(input: $i) { ticket { id } } }",
        "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { ticket { order { id } } } }",
        "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { ... on SalePurchasePayload { ticket { id } } } }",
        "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { ticket { id id } } }",
        "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { ticket { id @skip(if: true) } } }",
        "mutation($i: SalePurchaseInput!, $x: Int) { salePurchase(input: $i) { ticket { id } } }",
        "mutation($i: ID!) { salePurchase(input: { saleId: $i, idempotencyKey: \"key-00001\" }) { ticket { id } } }",
        "mutation($i: SalePurchaseInput!) @x { salePurchase(input: $i) { ticket { id } } }",
        "query($i: SalePurchaseInput!) { salePurchase(input: $i) { ticket { id } } }",
        "mutation($i: OrderCancelInput!) { orderCancel(input: $i) { order { id } } }",
    ] {
        assert!(form_of(other).is_none(), "{other}");
    }
}
