use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::accounts::Credentials;
use crate::accounts::shared::testing::FakeShared;
use crate::accounts::testing::{HOME, PASSWORD, Shop};
use crate::config::Span;
use crate::kernel::Timestamp;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn staff(shop: &Shop, role: Role) -> String {
    shop.accounts.create_staff("boss", PASSWORD, "Boss", role).await.unwrap().unwrap();
    shop.accounts.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap().access_token.token
}

/// Uses the token once a minute on each node in turn until it is refused; the time that took.
async fn used_until_it_ends(shop: &Shop, nodes: &[Accounts], token: &str) -> Duration {
    let start = shop.clock.clock().now();
    for node in nodes.iter().cycle() {
        let now = shop.clock.clock().now();
        assert!(now.since(start) < 100 * HOUR, "it never ends");
        if node.viewer(token).await.unwrap().is_none() {
            return now.since(start);
        }
        node.flush().await;
        shop.clock.advance(MINUTE);
    }
    unreachable!("a cycle")
}

#[tokio::test]
async fn sessions_of_staff_end_after_twelve_hours_however_much_they_are_used() {
    for role in [Role::Support, Role::Observer, Role::Operator] {
        let shop = Shop::open().await;
        let token = staff(&shop, role).await;
        let shared = Arc::new(FakeShared::new(&shop.clock));
        let nodes = [shop.accounts.clone(), shop.other_node(), shop.node_sharing(&shared), shop.node_sharing(&shared)];
        assert_eq!(used_until_it_ends(&shop, &nodes, &token).await, 12 * HOUR, "{role:?}");
        for node in &nodes {
            assert_eq!(node.viewer(&token).await.unwrap(), None);
        }
        assert_eq!(shop.other_node().viewer(&token).await.unwrap(), None, "nor after a restart");
        shop.accounts.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap();
    }
}

/// What a node or the shared place remembers is trusted for a minute, but not beyond the end of the session.
#[tokio::test]
async fn a_memory_does_not_outlive_the_session() {
    let shop = Shop::open().await;
    let start = shop.clock.clock().now();
    let token = staff(&shop, Role::Operator).await;
    let shared = Arc::new(FakeShared::new(&shop.clock));
    let (one, other) = (shop.node_sharing(&shared), shop.node_sharing(&shared));
    let end = start.plus(12 * HOUR);
    for moment in [HOUR, 6 * HOUR, 12 * HOUR - Duration::from_secs(1)] {
        shop.clock.set(start.plus(moment));
        for node in [&one, &other] {
            assert!(node.viewer(&token).await.unwrap().is_some());
            node.flush().await;
            assert!(node.signed_in_until(&token).await.unwrap() <= Some(end));
        }
    }
    // Everybody looked a second ago.
    shop.clock.set(end);
    for node in [&one, &other, &shop.node_sharing(&shared)] {
        assert_eq!(node.viewer(&token).await.unwrap(), None);
    }
}

#[tokio::test]
async fn sessions_of_buyers_go_on_while_they_are_used_and_an_unused_one_of_staff_ends_early() {
    let shop = Shop::open().await;
    let buyer = shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap().access_token.token;
    for _ in 0..20 {
        shop.clock.advance(24 * HOUR);
        assert!(shop.accounts.viewer(&buyer).await.unwrap().is_some());
        shop.accounts.flush().await;
    }
    let shop = Shop::with(|config| {
        config.token_lifetime = Span(2 * HOUR);
        config.token_renew_after = Span(MINUTE);
    })
    .await;
    let token = staff(&shop, Role::Operator).await;
    shop.clock.advance(HOUR);
    assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
    shop.accounts.flush().await;
    shop.clock.advance(HOUR + MINUTE);
    assert!(shop.accounts.viewer(&token).await.unwrap().is_some(), "it was used in between");
    shop.accounts.flush().await;
    shop.clock.advance(2 * HOUR);
    assert_eq!(shop.accounts.viewer(&token).await.unwrap(), None);
}

/// A session from before there was a limit, and one of a node with another setting.
#[tokio::test]
async fn the_limit_holds_for_sessions_that_were_stored_with_a_later_end() {
    let shop = Shop::with(|config| config.staff_session = Span(48 * HOUR)).await;
    let token = staff(&shop, Role::Operator).await;
    let strict = shop.other_node_with(|config| config.staff_session = Span(12 * HOUR));
    shop.clock.advance(12 * HOUR - MINUTE);
    assert!(strict.viewer(&token).await.unwrap().is_some());
    shop.clock.advance(MINUTE);
    assert_eq!(strict.viewer(&token).await.unwrap(), None);
    assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_change_of_role_ends_all_sessions_and_is_audited() {
    let shop = Shop::open().await;
    let boss = shop.accounts.create_operator("boss", PASSWORD, "Boss").await.unwrap().unwrap();
    let alice = shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
    let token = alice.access_token.token;
    let shared = Arc::new(FakeShared::new(&shop.clock));
    let (one, other) = (shop.node_sharing(&shared), shop.node_sharing(&shared));
    for node in [&one, &other] {
        assert!(node.viewer(&token).await.unwrap().is_some());
        node.flush().await;
    }
    let change = one.change_role("Alice", Role::Observer, Some("boss")).await.unwrap().unwrap();
    assert_eq!((change.old, change.user.role, change.ended), (Role::Buyer, Role::Observer, 1));
    one.flush().await;
    // It heard nothing, and remembers her until it asks the shared place.
    shop.clock.advance(MINUTE);
    for node in [&one, &other, &shop.other_node()] {
        assert_eq!(node.viewer(&token).await.unwrap(), None);
    }
    let signed_in = other.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap();
    assert_eq!(other.viewer(&signed_in.access_token.token).await.unwrap().unwrap().role, Role::Observer);

    let id = alice.user.id.to_string();
    let acts = store::read!(&shop.db, |conn| sql::catalog::acts_on(conn, &id, 9).await).unwrap();
    let [(by, act, detail)] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((*by, act.as_str()), (boss.id, "operator.role"));
    let detail: serde_json::Value = serde_json::from_str(detail).unwrap();
    assert_eq!(detail, serde_json::json!({ "from": "BUYER", "to": "OBSERVER", "via": "cli" }));
    for (name, role, by, refusal) in [
        ("alice", Role::Observer, None, StaffRefusal::SameRole),
        ("nobody", Role::Observer, None, StaffRefusal::NoSuchUser),
        ("alice", Role::Support, Some("alice"), StaffRefusal::NoSuchOperator),
    ] {
        assert_eq!(one.change_role(name, role, by).await.unwrap().unwrap_err(), refusal);
    }
}

#[tokio::test]
async fn a_lost_phone_is_replaced_from_the_command_line() {
    let shop = Shop::open().await;
    let token = staff(&shop, Role::Operator).await;
    assert_eq!(shop.accounts.reset_second_factor("boss", None).await.unwrap(), Err(StaffRefusal::NoSecondFactor));
    let viewer = shop.accounts.viewer(&token).await.unwrap().unwrap();
    let begun =
        shop.accounts.begin_second_factor(viewer, PASSWORD, "Shop", HOME.into()).await.unwrap().unwrap().unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(begun.secret.as_bytes()).unwrap();
    let code = |now: Timestamp| crate::accounts::totp::code(&secret, crate::accounts::totp::step_of(now));
    let first = code(shop.clock.clock().now());
    let confirmed = shop.accounts.confirm_second_factor(viewer, &first, HOME.into()).await.unwrap().unwrap().unwrap();
    shop.accounts.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap_err();
    let user = shop.accounts.reset_second_factor("boss", None).await.unwrap().unwrap();
    assert_eq!(shop.accounts.viewer(&confirmed.signed_in.access_token.token).await.unwrap(), None);
    shop.accounts.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap();
    let given = Credentials { username: "boss", password: PASSWORD, code: Some("nonsense") };
    shop.accounts.sign_in_with(given, HOME).await.unwrap().expect("a code that nobody asks for is ignored");
    let id = user.id.to_string();
    let acts = store::read!(&shop.db, |conn| sql::catalog::acts_on(conn, &id, 9).await).unwrap();
    let mut acts: Vec<&str> = acts.iter().map(|(_, act, _)| act.as_str()).collect();
    acts.sort_unstable();
    assert_eq!(acts, ["second_factor.enable", "second_factor.reset"]);
}

#[tokio::test]
async fn a_role_that_the_previous_version_does_not_know_waits_for_the_upgrade_to_be_finalised() {
    let shop = Shop::open().await;
    store::write!(&shop.db, |conn| sql::upgrade::finalise(conn, Feature::StaffRoles.since() - 1).await).unwrap();
    staff(&shop, Role::Operator).await;
    let change =
        async |role| shop.accounts.change_role("boss", role, None).await.unwrap().map(|change| change.user.role);
    assert_eq!(change(Role::Observer).await, Err(StaffRefusal::NotFinalised));
    assert_eq!(change(Role::Buyer).await, Ok(Role::Buyer));
    assert!(!shop.accounts.knows(Role::Support).await.unwrap());
    store::write!(&shop.db, |conn| sql::upgrade::finalise(conn, Feature::StaffRoles.since()).await).unwrap();
    assert_eq!(change(Role::Observer).await, Ok(Role::Observer));
}
