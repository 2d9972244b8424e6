//! Who may use which root field. The fields are those of the schema: a new one fails until it is decided here who may use it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{Request, Response};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;

use super::context::{RequestInfo, TokenIn};
use super::schema::{self, ShopSchema};
use crate::app::App;
use crate::config::{Config, Secret, Size};
use crate::kernel::{ManualClock, Rng, Timestamp};
use crate::model::accounts::{Role, Viewer};

/// Who may use a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Everybody, signed in or not.
    Everybody,
    /// Who is signed in, whatever the role: their own matters. Nobody else's can be reached.
    Own,
    /// Like [`Self::Own`], but null instead of an error for a client that is not signed in.
    OwnOrNull,
    /// All of the staff: what helps buyers.
    Staff,
    /// Observers and operators: what there is to see of the shop.
    Lookers,
    /// Support, up to a limit, and operators.
    Refunders,
    /// Operators.
    Operators,
}

/// The decision about each root field.
const DECISIONS: &[(&str, For)] = &[
    ("Query.auditEntries", For::Lookers),
    ("Query.billDifferences", For::Lookers),
    ("Query.booksAudit", For::Lookers),
    ("Query.catalogEdits", For::Lookers),
    ("Query.failures", For::Lookers),
    ("Query.jobs", For::Lookers),
    ("Query.node", For::Everybody),
    ("Query.nodes", For::Everybody),
    ("Query.order", For::OwnOrNull),
    ("Query.orders", For::Staff),
    ("Query.paymentLookup", For::Staff),
    ("Query.payments", For::Staff),
    ("Query.products", For::Lookers),
    ("Query.purchaseTicket", For::OwnOrNull),
    ("Query.queues", For::Lookers),
    ("Query.refundLookup", For::Staff),
    ("Query.refunds", For::Staff),
    ("Query.sale", For::Everybody),
    ("Query.saleReport", For::Lookers),
    ("Query.saleSessions", For::Everybody),
    ("Query.sales", For::Everybody),
    ("Query.serverNodes", For::Lookers),
    ("Query.serverTime", For::Everybody),
    ("Query.setting", For::Lookers),
    ("Query.settingChanges", For::Lookers),
    ("Query.settings", For::Lookers),
    ("Query.shop", For::Everybody),
    ("Query.shopPulses", For::Lookers),
    ("Query.signInAttempts", For::Staff),
    ("Query.stuckPayments", For::Staff),
    ("Query.users", For::Staff),
    ("Query.viewer", For::OwnOrNull),
    ("Mutation.billDifferenceBook", For::Operators),
    ("Mutation.billDifferenceClose", For::Operators),
    ("Mutation.failureDismiss", For::Operators),
    ("Mutation.failureReplay", For::Operators),
    ("Mutation.orderCancel", For::Own),
    ("Mutation.orderPay", For::Own),
    ("Mutation.orderRefund", For::Own),
    ("Mutation.paymentFlagClear", For::Operators),
    ("Mutation.paymentRefund", For::Refunders),
    ("Mutation.pointsGrant", For::Operators),
    ("Mutation.productCreate", For::Operators),
    ("Mutation.productUpdate", For::Operators),
    ("Mutation.saleCreate", For::Operators),
    ("Mutation.saleEnd", For::Operators),
    ("Mutation.salePause", For::Operators),
    ("Mutation.salePublish", For::Operators),
    ("Mutation.salePurchase", For::Own),
    ("Mutation.saleResume", For::Operators),
    ("Mutation.saleSessionCreate", For::Operators),
    ("Mutation.saleStockAdd", For::Operators),
    ("Mutation.saleUpdate", For::Operators),
    ("Mutation.settingConfirm", For::Operators),
    ("Mutation.settingPromote", For::Operators),
    ("Mutation.settingRollback", For::Operators),
    ("Mutation.settingSet", For::Operators),
    ("Mutation.settingUnset", For::Operators),
    ("Mutation.shopPause", For::Operators),
    ("Mutation.shopResume", For::Operators),
    ("Mutation.userPasswordChange", For::Own),
    ("Mutation.userRecoveryCodesRenew", For::Staff),
    ("Mutation.userSecondFactorBegin", For::Staff),
    ("Mutation.userSecondFactorConfirm", For::Staff),
    ("Mutation.userSecondFactorDisable", For::Staff),
    ("Mutation.userSignIn", For::Everybody),
    ("Mutation.userSignOut", For::Own),
    ("Mutation.userSignOutEverywhere", For::Own),
    ("Mutation.userSignUp", For::Everybody),
    ("Subscription.orderUpdated", For::Own),
    ("Subscription.purchaseTicketUpdated", For::Own),
    ("Subscription.salePulse", For::Lookers),
    ("Subscription.saleStockChanged", For::Everybody),
    ("Subscription.settingChanged", For::Lookers),
    ("Subscription.shopPulse", For::Lookers),
    ("Subscription.viewerOrderUpdated", For::Own),
];

/// The five who ask.
const ASKERS: [Option<Role>; 5] =
    [None, Some(Role::Buyer), Some(Role::Support), Some(Role::Observer), Some(Role::Operator)];

impl For {
    /// The code that a request is refused with.
    fn refusal(self, role: Option<Role>) -> Option<&'static str> {
        let allowed: &[Role] = match self {
            Self::Everybody | Self::OwnOrNull => return None,
            Self::Own => &Role::ALL,
            Self::Staff => &[Role::Support, Role::Observer, Role::Operator],
            Self::Lookers => &[Role::Observer, Role::Operator],
            Self::Refunders => &[Role::Support, Role::Operator],
            Self::Operators => &[Role::Operator],
        };
        match role {
            None => Some("UNAUTHENTICATED"),
            Some(role) if allowed.contains(&role) => None,
            Some(_) => Some("FORBIDDEN"),
        }
    }
}

const INTROSPECTION: &str = "{ __schema { types { name kind enumValues { name } \
     inputFields { name defaultValue type { ...t } } \
     fields { name args { name defaultValue type { ...t } } type { ...t } } } } } \
     fragment t on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The types of the schema by name.
struct Types(BTreeMap<String, Value>);

impl Types {
    /// What stands for a value of this type; inputs have only what they must have.
    fn literal(&self, kind: &Value) -> String {
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.literal(&kind["ofType"]),
            "LIST" => "[]".into(),
            "ENUM" => self.0[kind["name"].as_str().unwrap()]["enumValues"][0]["name"].as_str().unwrap().into(),
            "INPUT_OBJECT" => {
                let fields = self.0[kind["name"].as_str().unwrap()]["inputFields"].as_array().unwrap();
                format!("{{ {} }}", self.required(fields))
            }
            _ => match kind["name"].as_str().unwrap() {
                "Int" => "1".into(),
                "Boolean" => "true".into(),
                "DateTime" => "\"2026-12-01T10:00:00Z\"".into(),
                "Date" => "\"2026-12-01\"".into(),
                "Decimal" => "\"1.00\"".into(),
                _ => "\"aaaaaaaa\"".into(),
            },
        }
    }

    fn required(&self, inputs: &[Value]) -> String {
        let needed = |input: &&Value| input["type"]["kind"] == "NON_NULL" && input["defaultValue"].is_null();
        let given = inputs
            .iter()
            .filter(needed)
            .map(|input| format!("{}: {}", input["name"].as_str().unwrap(), self.literal(&input["type"])));
        given.collect::<Vec<_>>().join(", ")
    }

    /// A document with this root field alone.
    fn document(&self, root: &str, field: &Value) -> String {
        let mut kind = &field["type"];
        while !kind["ofType"].is_null() {
            kind = &kind["ofType"];
        }
        let arguments = self.required(field["args"].as_array().unwrap());
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        let inside = if ["SCALAR", "ENUM"].contains(&kind["kind"].as_str().unwrap()) { "" } else { "{ __typename }" };
        format!("{} {{ {}{arguments} {inside} }}", root.to_lowercase(), field["name"].as_str().unwrap())
    }

    /// Each root field with such a document.
    fn documents(&self) -> BTreeMap<String, String> {
        let fields = ["Query", "Mutation", "Subscription"].into_iter().flat_map(|root| {
            let fields = self.0[root]["fields"].as_array().unwrap().iter();
            fields.map(move |field| (format!("{root}.{}", field["name"].as_str().unwrap()), (root, field)))
        });
        fields.map(|(name, (root, field))| (name, self.document(root, field))).collect()
    }
}

/// A shop with one of each role.
struct Place {
    app: App,
    schema: ShopSchema,
    viewers: BTreeMap<Role, Viewer>,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(format!("sqlite://{}/shop.db", folder.path().display()));
        config.accounts.hash_memory = Size(8 * 1024);
        config.accounts.hash_passes = 1;
        let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_000)).clock();
        let app = App::build(config, clock, Rng::system()).await.unwrap();
        let mut viewers = BTreeMap::new();
        for role in Role::ALL {
            let name = role.as_str().to_lowercase();
            let user = app.accounts().create_staff(&name, "password123", "Somebody", role).await.unwrap().unwrap();
            viewers.insert(role, Viewer::new(user.id, role));
        }
        let schema = schema::build(Arc::new(app.services()));
        Self { app, schema, viewers, _folder: folder }
    }

    async fn types(&self) -> Types {
        let answer = self.schema.execute(self.request(None, INTROSPECTION)).await;
        let answer = serde_json::to_value(answer).unwrap();
        let types = answer["data"]["__schema"]["types"].as_array().unwrap().iter();
        Types(types.map(|kind| (kind["name"].as_str().unwrap().to_owned(), kind.clone())).collect())
    }

    fn request(&self, role: Option<Role>, document: &str) -> Request {
        Request::new(document).data(RequestInfo {
            viewer: role.map(|role| self.viewers[&role]),
            token: None,
            address: IpAddr::from([192, 0, 2, 7]),
            request_id: "test".into(),
            known_version: None,
            device: None,
            token_in: TokenIn::Answer,
        })
    }

    /// The first code of the answer, or nothing if the field was carried out, whatever came of it. A subscription that does not refuse at
    /// once does not.
    async fn refusal(&self, role: Option<Role>, document: &str) -> Option<String> {
        let request = self.request(role, document);
        let answer: Response = if document.starts_with("subscription") {
            let mut stream = self.schema.execute_stream(request);
            match stream.next().now_or_never().flatten() {
                Some(answer) => answer,
                None => return None,
            }
        } else {
            self.schema.execute(request).await
        };
        let answer = serde_json::to_value(answer).unwrap();
        let code = answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned);
        code.filter(|code| ["UNAUTHENTICATED", "FORBIDDEN"].contains(&code.as_str()))
    }

    /// What the audit log has of everybody's acts.
    async fn acts(&self) -> String {
        let document = "{ auditEntries(first: 100) { totalCount nodes { act operator { username } } } }";
        let answer = self.schema.execute(self.request(Some(Role::Operator), document)).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        answer.data.to_string()
    }
}

#[tokio::test]
async fn every_root_field_is_decided() {
    let place = Place::open().await;
    let documents = place.types().await.documents();
    let fields: BTreeSet<&str> = documents.keys().map(String::as_str).collect();
    let decided: BTreeSet<&str> = DECISIONS.iter().map(|(field, _)| *field).collect();
    let undecided: Vec<_> = fields.difference(&decided).collect();
    assert!(undecided.is_empty(), "decide in DECISIONS who may use {undecided:?}");
    let gone: Vec<_> = decided.difference(&fields).collect();
    assert!(gone.is_empty(), "there are no such fields: {gone:?}");
    assert_eq!(decided.len(), DECISIONS.len(), "a field is decided twice");
    place.app.close().await;
}

#[tokio::test]
async fn each_root_field_is_for_those_whom_it_was_decided_for() {
    let place = Place::open().await;
    let documents = place.types().await.documents();
    let before = place.acts().await;
    let refused = DECISIONS.iter().flat_map(|(field, decision)| {
        ASKERS.into_iter().filter_map(|role| decision.refusal(role).map(|code| (*field, role, code)))
    });
    let mut wrong = Vec::new();
    for (field, role, code) in refused {
        let told = place.refusal(role, &documents[field]).await;
        if told.as_deref() != Some(code) {
            wrong.push(format!("{field} as {role:?}: {told:?} instead of {code}"));
        }
    }
    assert_eq!(place.acts().await, before, "what was refused was not done");
    for (field, decision) in DECISIONS {
        for role in ASKERS.into_iter().filter(|role| decision.refusal(*role).is_none()) {
            let told = place.refusal(role, &documents[*field]).await;
            // Nobody has a token here: to sign out is to be told so.
            if told.is_some() && !field.starts_with("Mutation.userSignOut") {
                wrong.push(format!("{field} as {role:?}: {told:?} instead of an answer"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    place.app.close().await;
}

/// Staff that has not set up the second factor which the shop requires sees what a buyer sees.
#[tokio::test]
async fn who_still_has_to_set_up_a_second_factor_has_the_rights_of_a_buyer() {
    use crate::model::accounts::Proof;

    let mut place = Place::open().await;
    for viewer in place.viewers.values_mut() {
        viewer.proof = Proof::Wanting;
    }
    let documents = place.types().await.documents();
    let mut wrong = Vec::new();
    for (field, decision) in DECISIONS {
        let own = field.starts_with("Mutation.user");
        for role in [Role::Support, Role::Observer, Role::Operator].into_iter().filter(|_| !own) {
            let expected = decision.refusal(Some(Role::Buyer));
            let told = place.refusal(Some(role), &documents[*field]).await;
            if told.as_deref() != expected {
                wrong.push(format!("{field} as {role:?}: {told:?} instead of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    place.app.close().await;
}
