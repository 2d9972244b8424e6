use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Config, Flag, Scope, SettingAct, SettingChange, Sources};
use crate::kernel::{Rng, Wanted};
use crate::model::nodes::NodeRow;
use crate::sales::testing::Stall;
use crate::store;

/// A node with this in its file, and these flags.
async fn node_with(stall: &Stall, name: &str, text: &str, flags: &[&str]) -> HotSettings {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let flag = |assignment: &&str| Flag { name: "--set", assignment: (*assignment).to_owned() };
    let flags = flags.iter().map(flag).collect();
    let sources = Sources { file: Some(file.path().to_owned()), environment: Vec::new(), flags };
    let parts = Parts {
        db: stall.db.clone(),
        live: Live::from(Arc::new(Config::load(&sources).unwrap())),
        node: name.to_owned(),
        clock: stall.clock.clock(),
        rng: Rng::seeded(1),
        metrics: Metrics::new(),
    };
    let settings = HotSettings::of_node(parts).await.unwrap();
    beat(stall, &settings, name).await;
    settings
}

async fn node(stall: &Stall, name: &str) -> HotSettings {
    node_with(stall, name, "", &[]).await
}

/// Says that the node runs.
async fn beat(stall: &Stall, settings: &HotSettings, name: &str) {
    let now = stall.clock.clock().now();
    let row = NodeRow {
        name: name.to_owned(),
        roles: "api,writer,relay,timeouts,jobs".to_owned(),
        address: String::new(),
        version: String::new(),
        started_at: now,
        seen_at: now,
        settings: settings.told(),
        data_version: 1,
        vitals: None,
    };
    store::write!(&stall.db, |conn| sql::nodes::beat(conn, &row).await).unwrap();
}

fn by(stall: &Stall) -> By {
    By {
        operator: stall.operator,
        username: "boss".into(),
        via: "graphql",
        reason: "rush".into(),
        expect: None,
        dry_run: false,
        force: false,
    }
}

fn value(key: &str, scope: &str, text: &str) -> Wish {
    Wish::Set { values: vec![(key.into(), Scope::parse(scope).unwrap(), text.into())], confirm_within: None }
}

async fn set(stall: &Stall, on: &HotSettings, key: &str, scope: &str, text: &str) -> Changed {
    on.act(value(key, scope, text), by(stall)).await.unwrap().unwrap()
}

async fn refused(on: &HotSettings, wish: Wish, by: By) -> Refusal {
    on.act(wish, by).await.unwrap().unwrap_err()
}

async fn history(on: &HotSettings) -> Vec<SettingChange> {
    let wanted = Wanted { after: None, before: None, limit: 1_000, from_end: false, count: false };
    on.history(None, wanted).await.unwrap().items
}

fn welcome(on: &HotSettings) -> i64 {
    on.live().now().points.welcome
}

#[tokio::test]
async fn what_is_set_on_one_node_is_in_force_there_at_once_and_on_others_when_they_look() {
    let stall = Stall::open().await;
    let (one, two) = (node(&stall, "one").await, node(&stall, "two").await);
    let before = welcome(&two);
    let changed = set(&stall, &one, "points.welcome", "*", "77").await;
    assert!(changed.stored);
    assert_eq!((welcome(&one), welcome(&two)), (77, before));
    two.refresh().await.unwrap();
    assert_eq!(welcome(&two), 77);
    let config = two.live().owned();
    let shown = config.settings.iter().find(|setting| setting.key == "points.welcome").unwrap();
    assert!(
        shown.source.starts_with("settings #1 (operator") || shown.source.starts_with("settings #1 ("),
        "{shown:?}"
    );
    assert!(shown.source.ends_with("\"rush\")"), "{shown:?}");
    assert_eq!(welcome(&node(&stall, "late").await), 77, "a node that starts later");
    one.act(Wish::Unset { key: "points.welcome".into(), scope: Scope::All }, by(&stall)).await.unwrap().unwrap();
    two.refresh().await.unwrap();
    assert_eq!((welcome(&one), welcome(&two)), (before, before));
}

#[tokio::test]
async fn the_narrowest_scope_wins_over_the_file_and_under_flags() {
    let stall = Stall::open().await;
    let file = "[points]\nwelcome = 1\n";
    let one = node_with(&stall, "one", file, &[]).await;
    let two = node_with(&stall, "two", file, &[]).await;
    let three = node_with(&stall, "three", file, &["points.welcome=9"]).await;
    assert_eq!((welcome(&one), welcome(&three)), (1, 9));
    set(&stall, &one, "points.welcome", "node:two", "4").await;
    set(&stall, &one, "points.welcome", "role:api", "3").await;
    let changed = set(&stall, &one, "points.welcome", "*", "2").await;
    assert_eq!(changed.shadows, [Shadow { node: "three".into(), key: "points.welcome".into() }], "told at once");
    for node in [&one, &two, &three] {
        node.refresh().await.unwrap();
    }
    assert_eq!((welcome(&one), welcome(&two), welcome(&three)), (3, 4, 9));
    let (_, _, views) = one.status().await.unwrap();
    let view = views.iter().find(|view| view.name == "three").unwrap();
    assert_eq!(view.shadowed, ["points.welcome"]);
}

#[tokio::test]
async fn what_can_not_be_stored_is_refused_and_changes_nothing() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    let _two = node_with(
        &stall,
        "two",
        "[broker]\npublish_timeout = \"4800ms\"\n[graphql]\nexecution_timeout = \"9s\"\n",
        &[],
    )
    .await;
    let long = "x".repeat(10_240);
    use RefusalCode::{
        ConfigurationInvalid, ConfirmationRequired, ReasonRequired, SettingNotHot, SettingUnknown, ValueInvalid,
        VersionConflict,
    };
    for (key, scope, text, code, said) in [
        ("orders.sweep_evry", "*", "1s", SettingUnknown, "orders.sweep_every"),
        ("nonsense", "*", "1", SettingUnknown, "no setting"),
        ("server.listen", "*", "1.1.1.1:1", SettingNotHot, "at a start only"),
        ("node.name", "*", "x", SettingNotHot, "at a start only"),
        ("store.url", "*", "sqlite://x", SettingNotHot, "secret"),
        ("orders.sweep_every", "*", "1", ValueInvalid, "no unit"),
        ("orders.sweep_every", "*", "2h", ValueInvalid, "between 10ms and 1h"),
        ("orders.writer_batch", "*", "many", ValueInvalid, "whole number"),
        ("graphql.introspection", "*", "perhaps", ValueInvalid, "true"),
        ("log.filter", "*", &long, ValueInvalid, "4096"),
        ("points.welcome", "node:nobody", "1", ValueInvalid, "two, one"),
        ("limits.concurrency_min", "*", "1000000", ConfigurationInvalid, "limits.concurrency_max"),
        ("log.filter", "*", "loud", ConfigurationInvalid, "log.filter"),
        ("graphql.execution_timeout", "*", "4500ms", ConfigurationInvalid, "`two`"),
        ("access.trusted_proxies", "*", "10.0.0.0/8", ConfirmationRequired, "confirm"),
    ] {
        let refusal = refused(&one, value(key, scope, text), by(&stall)).await;
        assert_eq!(refusal.code, code, "{key} = {text:.20}: {}", refusal.message);
        assert!(refusal.message.contains(said), "{}", refusal.message);
        let input = match (code, scope) {
            (ValueInvalid, "*") => Some("value"),
            (ValueInvalid, _) => Some("scope"),
            (ConfirmationRequired, _) => Some("confirmWithinSeconds"),
            _ => None,
        };
        assert_eq!(refusal.input, input, "{key} = {text:.20}");
    }
    for reason in ["", "  ", "two\nlines", &long] {
        let by = By { reason: reason.into(), ..by(&stall) };
        assert_eq!(refused(&one, value("points.welcome", "*", "1"), by).await.code, ReasonRequired);
    }
    let stale = By { expect: Some(7), ..by(&stall) };
    assert_eq!(refused(&one, value("points.welcome", "*", "1"), stale).await.code, VersionConflict);
    let dry = By { dry_run: true, ..by(&stall) };
    let checked = one.act(value("points.welcome", "*", "1"), dry).await.unwrap().unwrap();
    assert!(!checked.stored && checked.changes.len() == 1);
    assert_eq!((history(&one).await.len(), one.stored().await.unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_value_that_is_in_force_already_is_no_change() {
    let stall = Stall::open().await;
    let one = node_with(&stall, "one", "[points]\nwelcome = 5\n", &[]).await;
    assert!(set(&stall, &one, "points.welcome", "*", "5").await.changes.is_empty());
    set(&stall, &one, "hub.stock_tick", "*", "\"70ms\"").await;
    assert!(set(&stall, &one, "hub.stock_tick", "*", "70ms").await.changes.is_empty());
    assert_eq!(history(&one).await.len(), 1);
}

#[tokio::test]
async fn rolling_back_the_first_change_unsets_and_a_later_change_stands_in_the_way() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    let before = welcome(&one);
    set(&stall, &one, "points.welcome", "*", "10").await;
    set(&stall, &one, "points.welcome", "*", "20").await;
    set(&stall, &one, "hub.stock_tick", "*", "70ms").await;
    let refusal = refused(&one, Wish::Rollback(1), by(&stall)).await;
    assert_eq!(refusal.code, RefusalCode::VersionConflict, "{}", refusal.message);
    assert!(refusal.message.contains("Change 2"), "{}", refusal.message);
    assert_eq!(refused(&one, Wish::Rollback(99), by(&stall)).await.code, RefusalCode::RevisionInvalid);
    one.act(Wish::Rollback(2), by(&stall)).await.unwrap().unwrap();
    assert_eq!(welcome(&one), 10);
    one.act(Wish::RollbackTo(3), by(&stall)).await.unwrap().unwrap();
    assert_eq!(welcome(&one), 20);
    one.act(Wish::RollbackTo(0), by(&stall)).await.unwrap().unwrap();
    assert_eq!(welcome(&one), before);
    assert!(one.stored().await.unwrap().is_empty());
    set(&stall, &one, "points.welcome", "*", "30").await;
    let first = history(&one).await[0].revision;
    one.act(Wish::Rollback(first), by(&stall)).await.unwrap().unwrap();
    let undone = &history(&one).await[0];
    assert_eq!((undone.act, undone.new.as_deref(), undone.undoes), (SettingAct::Rollback, None, Some(first)));
}

#[tokio::test]
async fn what_was_tried_on_one_node_becomes_everybodys_and_ends_there() {
    let stall = Stall::open().await;
    let (one, two) = (node(&stall, "one").await, node(&stall, "two").await);
    set(&stall, &one, "points.welcome", "node:two", "8").await;
    one.act(Wish::Promote(1), by(&stall)).await.unwrap().unwrap();
    two.refresh().await.unwrap();
    assert_eq!((welcome(&one), welcome(&two)), (8, 8));
    let stored = one.stored().await.unwrap();
    assert_eq!(stored.iter().map(|value| value.scope.as_str()).collect::<Vec<_>>(), ["*"]);
    set(&stall, &one, "points.welcome", "*", "9").await;
    two.refresh().await.unwrap();
    assert_eq!(welcome(&two), 9, "it does not stay on the value that was tried");
}

#[tokio::test]
async fn a_change_that_nobody_confirms_ends_by_another_nodes_hand() {
    let stall = Stall::open().await;
    let (one, two) = (node(&stall, "one").await, node(&stall, "two").await);
    let before = welcome(&one);
    let within = |seconds| Wish::Set {
        values: vec![("points.welcome".into(), Scope::All, "50".into())],
        confirm_within: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(refused(&one, within(0), by(&stall)).await.code, RefusalCode::ValueInvalid);
    one.act(within(60), by(&stall)).await.unwrap().unwrap();
    two.expire_once().await.unwrap();
    assert_eq!((welcome(&one), history(&one).await.len()), (50, 1), "it is not time yet");
    stall.clock.advance(Duration::from_secs(61));
    two.expire_once().await.unwrap();
    two.expire_once().await.unwrap();
    one.refresh().await.unwrap();
    assert_eq!((welcome(&one), welcome(&two)), (before, before));
    let ended = &history(&one).await[0];
    assert_eq!((ended.act, ended.undoes, ended.operator), (SettingAct::Expire, Some(1), None));
    one.act(within(60), by(&stall)).await.unwrap().unwrap();
    let revision = history(&one).await[0].revision;
    one.act(Wish::Confirm(revision), by(&stall)).await.unwrap().unwrap();
    stall.clock.advance(Duration::from_secs(61));
    two.expire_once().await.unwrap();
    two.refresh().await.unwrap();
    assert_eq!(welcome(&two), 50);
    assert_eq!(refused(&one, Wish::Confirm(revision), by(&stall)).await.code, RefusalCode::RevisionInvalid);
    one.act(Wish::Rollback(revision), by(&stall)).await.unwrap().unwrap();
    assert_eq!(welcome(&one), before, "what was confirmed can be rolled back");
}

#[tokio::test]
async fn an_operator_makes_sixty_changes_in_a_minute() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    for number in 0..60 {
        set(&stall, &one, "points.welcome", "*", &(1_000 + number).to_string()).await;
    }
    let refusal = refused(&one, value("points.welcome", "*", "1"), by(&stall)).await;
    assert_eq!(refusal.code, RefusalCode::TooManyChanges);
    stall.clock.advance(Duration::from_secs(61));
    set(&stall, &one, "points.welcome", "*", "1").await;
}

#[tokio::test]
async fn a_node_that_can_not_take_a_value_keeps_its_last_whole_configuration_and_says_so() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    let local = "[broker]\npublish_timeout = \"4800ms\"\n[graphql]\nexecution_timeout = \"9s\"\n";
    let two = node_with(&stall, "two", local, &[]).await;
    set(&stall, &one, "points.welcome", "*", "6").await;
    two.refresh().await.unwrap();
    let forced = By { force: true, ..by(&stall) };
    one.act(value("graphql.execution_timeout", "*", "4s"), forced).await.unwrap().unwrap();
    two.refresh().await.unwrap();
    assert_eq!(one.live().now().graphql.execution_timeout.as_secs(), 4);
    assert_eq!((two.live().now().graphql.execution_timeout.as_secs(), welcome(&two)), (9, 6));
    let rejected = two.rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].key.as_str(), rejected[0].revision), ("graphql.execution_timeout", 2));
    set(&stall, &one, "points.grant_max", "*", "11").await;
    let late = node_with(&stall, "late", local, &[]).await;
    assert_eq!(
        (late.live().now().graphql.execution_timeout.as_secs(), welcome(&late)),
        (9, 6),
        "it starts all the same"
    );
    assert_eq!(late.rejected().len(), 1);
}

#[tokio::test]
async fn stored_values_that_this_version_does_not_accept_are_listed_and_ignored() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    set(&stall, &one, "points.welcome", "*", "6").await;
    let change = history(&one).await[0].clone();
    let foreign = |revision, key: &str, new: &str| SettingChange {
        revision,
        key: key.to_owned(),
        new: Some(new.to_owned()),
        ..change.clone()
    };
    let changes = [
        foreign(2, "orders.of_tomorrow", "1"),
        foreign(3, "hub.stock_tick", "\"9h\""),
        foreign(4, "limits.unlimited", "7"),
    ];
    store::write!(&stall.db, |conn| sql::settings::record(conn, &changes).await).unwrap();
    one.refresh().await.unwrap();
    let keys: Vec<_> = one.rejected().into_iter().map(|ignored| ignored.key).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(welcome(&one), 6);
    let late = node(&stall, "late").await;
    assert_eq!((welcome(&late), late.rejected().len()), (6, 3));
    let unset = Wish::Unset { key: "orders.of_tomorrow".into(), scope: Scope::All };
    one.act(unset, by(&stall)).await.unwrap().unwrap();
    assert_eq!(one.rejected().len(), 2);
}

#[tokio::test]
async fn a_node_can_start_without_what_is_stored() {
    let stall = Stall::open().await;
    let one = node(&stall, "one").await;
    let before = welcome(&one);
    set(&stall, &one, "points.welcome", "*", "6").await;
    let live = Live::from(Arc::new(Config { without_stored: true, ..Config::default_embedded() }));
    let (db, clock) = (stall.db.clone(), stall.clock.clock());
    let parts = Parts { db, live, node: "two".into(), clock, rng: Rng::seeded(1), metrics: Metrics::new() };
    let two = HotSettings::of_node(parts).await.unwrap();
    assert_eq!((welcome(&two), two.rejected().len()), (before, 1));
}
