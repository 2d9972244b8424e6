use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;

use super::super::testing::{HOME, PASSWORD, Shop};
use super::*;
use crate::config::{Size, Span};
use crate::kernel::Timestamp;
use crate::model::accounts::StoredToken;

const HOUR: Duration = Duration::from_hours(1);
const LIFETIME: Duration = Duration::from_hours(7 * 24);
const TRUST: Duration = Duration::from_mins(1);

impl Shop {
    async fn sign_up(&self, username: &str) -> SignedIn {
        self.accounts.sign_up(username, PASSWORD, username, HOME).await.unwrap().unwrap()
    }

    async fn sign_in(&self, username: &str, password: &str) -> Result<SignedIn, SignInRefusal> {
        self.accounts.sign_in(username, password, HOME).await.unwrap()
    }

    async fn stored(&self, username: &str) -> Option<(User, String)> {
        self.accounts.find(username).await.unwrap()
    }

    async fn stored_expiry(&self, token: &AccessToken) -> Option<Timestamp> {
        let hash = super::super::tokens::hash_of(&token.token).unwrap();
        let found = store::read!(&self.db, |conn| sql::accounts::find_tokens(conn, &[hash]).await);
        found.unwrap().get(&hash).map(|stored| stored.expires_at)
    }

    fn lookups(&self) -> u64 {
        self.accounts.0.metrics.token_lookups.get()
    }
}

fn is_throttled<T: std::fmt::Debug>(result: Result<T, AccountsError>) -> bool {
    matches!(result, Err(AccountsError::Throttled { retry_after }) if retry_after > Duration::ZERO)
}

#[tokio::test]
async fn signing_up_signs_in() {
    let shop = Shop::open().await;
    let signed_in = shop.accounts.sign_up("Alice", PASSWORD, "  Alice L. ", HOME).await.unwrap().unwrap();
    assert_eq!(signed_in.user.username, "alice");
    assert_eq!(signed_in.user.display_name, "Alice L.");
    assert_eq!(signed_in.user.role, Role::Buyer);
    let viewer = shop.accounts.viewer(&signed_in.access_token.token).await.unwrap();
    assert_eq!(viewer, Some(Viewer::new(signed_in.user.id, Role::Buyer)));
    assert_eq!(shop.accounts.user(signed_in.user.id).await.unwrap(), Some(signed_in.user));
}

#[tokio::test]
async fn every_broken_rule_is_reported_at_once_and_nothing_is_changed() {
    use SignUpRefusal::*;
    let shop = Shop::open().await;
    shop.sign_up("alice").await;
    let long = "x".repeat(129);
    let cases: [(&str, &str, &str, &[SignUpRefusal]); 6] = [
        ("al", "short", " ", &[UsernameInvalid, PasswordTooShort, DisplayNameInvalid]),
        ("ALICE", "short", "\u{202E}", &[UsernameTaken, PasswordTooShort, DisplayNameInvalid]),
        ("alice", PASSWORD, "Alice", &[UsernameTaken]),
        ("\u{0430}lice", PASSWORD, "Alice", &[UsernameInvalid]),
        ("bob", &long, "Bob", &[PasswordTooLong]),
        ("bob", PASSWORD, "", &[DisplayNameInvalid]),
    ];
    for (username, password, display_name, expected) in cases {
        let refusals = shop.accounts.sign_up(username, password, display_name, HOME).await.unwrap().unwrap_err();
        assert_eq!(refusals, expected, "{username:?}");
    }
    assert_eq!(shop.stored("bob").await, None);
    assert_eq!(shop.stored("alice").await.unwrap().0.display_name, "alice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_sign_ups_with_one_name_exactly_one_wins() {
    let shop = Shop::open().await;
    let names = ["alice", "ALICE", "Alice", "aLice", "alicE", "alice", "alice", "alice"];
    let results = join_all(names.map(|name| shop.accounts.sign_up(name, PASSWORD, "Alice", HOME))).await;
    let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|loser| loser.as_ref().unwrap_err() == &[SignUpRefusal::UsernameTaken]));
    let winner = winners[0].as_ref().unwrap();
    assert_eq!(shop.stored("alice").await.unwrap().0, winner.user);
}

#[tokio::test]
async fn each_sign_in_has_a_token_of_its_own() {
    let shop = Shop::open().await;
    let first = shop.sign_up("alice").await;
    let second = shop.sign_in("Alice", PASSWORD).await.unwrap();
    assert_eq!(first.user, second.user);
    assert_ne!(first.access_token.token, second.access_token.token);
    for token in [&first.access_token.token, &second.access_token.token] {
        assert!(shop.accounts.viewer(token).await.unwrap().is_some());
        assert!(token.starts_with("doorbuster_"), "{token}");
    }
}

#[tokio::test]
async fn wrong_name_and_wrong_password_are_answered_alike() {
    let shop = Shop::open().await;
    shop.sign_up("alice").await;
    let long = "x".repeat(10_000);
    let attempts = [
        ("alice", "wrong password"),
        ("nobody", PASSWORD),
        ("", ""),
        ("\u{0430}lice", PASSWORD),
        ("alice", &long),
        (&long, &long),
    ];
    for (username, password) in attempts {
        assert_eq!(shop.sign_in(username, password).await, Err(SignInRefusal::InvalidCredentials), "{username:.20}");
    }
}

#[tokio::test]
async fn a_sign_in_strengthens_a_weak_hash() {
    let shop = Shop::open().await;
    shop.sign_up("alice").await;
    let weak = shop.stored("alice").await.unwrap().1;
    assert!(weak.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{weak}");
    let stronger = shop.other_node_with(|config| config.hash_memory = Size(64 * 1024));
    stronger.sign_in("alice", "wrong password", HOME).await.unwrap().unwrap_err();
    assert_eq!(shop.stored("alice").await.unwrap().1, weak);
    stronger.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap();
    let strong = shop.stored("alice").await.unwrap().1;
    assert!(strong.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{strong}");
    stronger.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap();
    shop.sign_in("alice", PASSWORD).await.unwrap();
    assert_eq!(shop.stored("alice").await.unwrap().1, strong);
}

#[tokio::test]
async fn an_account_is_throttled_whether_it_exists_or_not() {
    let shop = Shop::with(|config| config.sign_ins_per_account_per_minute = 3).await;
    shop.sign_up("alice").await;
    for name in ["alice", "nobody"] {
        for spelling in [name, &name.to_uppercase(), name] {
            shop.sign_in(spelling, "wrong password").await.unwrap_err();
        }
        assert!(is_throttled(shop.accounts.sign_in(name, PASSWORD, HOME).await), "{name}");
    }
    shop.sign_up("bob").await;
    shop.sign_in("bob", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn strangers_who_guess_do_not_keep_the_owner_out() {
    let shop = Shop::with(|config| {
        config.sign_ins_per_account_per_minute = 3;
        config.wrong_passwords_per_account_per_minute = 7;
    })
    .await;
    shop.sign_up("alice").await;
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let device = shop.sign_in("alice", PASSWORD).await.unwrap().device.0;
    let at_home = Origin { address: HOME, device: Some(&device) };
    let guess = async |from: &str| shop.accounts.sign_in("alice", "wrong password", address(from)).await;
    for from in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        guess(from).await.unwrap().unwrap_err();
    }
    assert!(is_throttled(guess("192.0.2.4").await), "one network");
    // Elsewhere the right password is taken, as often as it comes, and counts for nothing.
    for _ in 0..20 {
        shop.accounts.sign_in("alice", PASSWORD, address("198.51.100.1")).await.unwrap().unwrap();
    }
    for n in 0..4 {
        guess(&format!("203.0.{n}.1")).await.unwrap().unwrap_err();
    }
    assert!(is_throttled(guess("198.51.100.2").await), "all strangers together");
    assert!(is_throttled(shop.accounts.sign_in("alice", PASSWORD, HOME).await), "and so is who shows no device");
    // The owner's device is no stranger, wherever it is.
    for from in [HOME, address("192.0.2.1")] {
        shop.accounts
            .sign_in("alice", PASSWORD, Origin { address: from, device: Some(&device) })
            .await
            .unwrap()
            .unwrap();
    }
    // A device that was stolen has the same limit; it is known to no other account.
    for _ in 0..3 {
        shop.accounts.sign_in("alice", "wrong password", at_home).await.unwrap().unwrap_err();
    }
    assert!(is_throttled(shop.accounts.sign_in("alice", PASSWORD, at_home).await));
    shop.sign_up("bob").await;
    for _ in 0..3 {
        shop.accounts.sign_in("bob", "wrong password", at_home).await.unwrap().unwrap_err();
    }
    assert!(is_throttled(shop.accounts.sign_in("bob", PASSWORD, HOME).await));
}

#[tokio::test]
async fn an_address_is_throttled_over_sign_ins_and_sign_ups() {
    let shop = Shop::with(|config| config.attempts_per_address_per_minute = 2).await;
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let (one, same_network, other) = (address("2001:db8::1"), address("2001:db8::2"), address("2001:db8:0:1::1"));
    shop.accounts.sign_up("alice", PASSWORD, "Alice", one).await.unwrap().unwrap();
    shop.accounts.sign_in("alice", "wrong password", same_network).await.unwrap().unwrap_err();
    assert!(is_throttled(shop.accounts.sign_in("alice", PASSWORD, one).await));
    assert!(is_throttled(shop.accounts.sign_up("bob", PASSWORD, "Bob", same_network).await));
    assert_eq!(shop.stored("bob").await, None);
    shop.accounts.sign_in("alice", PASSWORD, other).await.unwrap().unwrap();
}

#[tokio::test]
async fn use_renews_a_token_and_disuse_ends_it() {
    let shop = Shop::open().await;
    let token = shop.sign_up("alice").await.access_token;
    let start = shop.clock.clock().now();
    assert_eq!(token.expires_at, start.plus(LIFETIME));

    shop.clock.advance(HOUR - Duration::from_millis(1));
    assert!(shop.accounts.viewer(&token.token).await.unwrap().is_some());
    shop.accounts.flush().await;
    assert_eq!(shop.stored_expiry(&token).await, Some(start.plus(LIFETIME)), "not stale enough");

    shop.clock.advance(HOUR);
    let renewed = shop.clock.clock().now().plus(LIFETIME);
    let uses = (0..50).map(|_| shop.accounts.viewer(&token.token));
    assert!(join_all(uses).await.into_iter().all(|viewer| viewer.unwrap().is_some()));
    shop.accounts.flush().await;
    assert_eq!(shop.stored_expiry(&token).await, Some(renewed));

    shop.clock.set(renewed.minus(Duration::from_millis(1)));
    let other_node = shop.other_node();
    assert!(other_node.viewer(&token.token).await.unwrap().is_some());
    // That renewed it once more, unknown to this node: which asks the database before it believes in an expiry.
    shop.clock.set(renewed);
    other_node.flush().await;
    assert!(shop.accounts.viewer(&token.token).await.unwrap().is_some());

    shop.accounts.flush().await;
    shop.clock.set(shop.stored_expiry(&token).await.unwrap());
    assert_eq!(shop.accounts.viewer(&token.token).await.unwrap(), None);
    assert_eq!(shop.other_node().viewer(&token.token).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_that_was_signed_out_is_dead_at_once() {
    let shop = Shop::open().await;
    let SignedIn { access_token: kept, .. } = shop.sign_up("alice").await;
    let SignedIn { access_token: ended, .. } = shop.sign_in("alice", PASSWORD).await.unwrap();
    let other_node = shop.other_node();
    assert!(other_node.viewer(&ended.token).await.unwrap().is_some());

    assert!(shop.accounts.sign_out(&ended.token).await.unwrap());
    assert_eq!(shop.accounts.viewer(&ended.token).await.unwrap(), None);
    assert!(!shop.accounts.sign_out(&ended.token).await.unwrap());
    assert!(!shop.accounts.sign_out("garbage").await.unwrap());
    assert!(shop.accounts.viewer(&kept.token).await.unwrap().is_some());

    shop.clock.advance(TRUST);
    assert_eq!(other_node.viewer(&ended.token).await.unwrap(), None);
    assert_eq!(shop.accounts.viewer(&ended.token).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_under_way_does_not_revive_a_token_that_was_signed_out() {
    let shop = Shop::open().await;
    shop.sign_up("alice").await;
    for _ in 0..200 {
        let token = shop.sign_in("alice", PASSWORD).await.unwrap().access_token.token;
        // A node that does not remember the token has to look it up.
        let node = shop.other_node();
        let looking = tokio::spawn({
            let (node, token) = (node.clone(), token.clone());
            async move { node.viewer(&token).await.unwrap() }
        });
        assert!(node.sign_out(&token).await.unwrap());
        assert_eq!(node.viewer(&token).await.unwrap(), None);
        looking.await.unwrap();
        assert_eq!(node.viewer(&token).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_remembered_token_costs_no_query() {
    let shop = Shop::open().await;
    let token = shop.sign_up("alice").await.access_token.token;
    for _ in 0..1000 {
        assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
    }
    assert_eq!(shop.lookups(), 0);
    shop.clock.advance(TRUST);
    for _ in 0..1000 {
        assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
    }
    assert_eq!(shop.lookups(), 1);
    // A clock that was set back must not make old knowledge fresh.
    shop.clock.set(shop.clock.clock().now().minus(HOUR));
    assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
    assert_eq!(shop.lookups(), 2);
}

#[tokio::test]
async fn garbage_tokens_are_nobody_and_cost_a_query_at_most_once() {
    let shop = Shop::with(|config| (config.token_cache, config.invalid_token_cache) = (100, 100)).await;
    let token = shop.sign_up("alice").await.access_token.token;
    let shapes = [
        String::new(),
        "doorbuster_".into(),
        token[..token.len() - 1].into(),
        format!("{token}A"),
        token.replace("doorbuster_", "Doorbuster_"),
        format!(" {token}"),
        format!("doorbuster_{}", "é".repeat(43)),
        format!("doorbuster_{}", "/".repeat(43)),
        "x".repeat(100_000),
    ];
    for shape in shapes {
        assert_eq!(shop.accounts.viewer(&shape).await.unwrap(), None, "{shape:.60}");
    }
    assert_eq!(shop.lookups(), 0, "malformed tokens need no database");
    // The last character of a token carries two unused bits: only zeros are canonical.
    let twins = (b'A'..=b'z').map(|last| format!("{}{}", &token[..token.len() - 1], char::from(last)));
    for twin in twins.filter(|twin| *twin != token) {
        assert_eq!(shop.accounts.viewer(&twin).await.unwrap(), None, "{twin}");
    }
    let before = shop.lookups();
    let unknown = format!("doorbuster_{}", "A".repeat(43));
    for _ in 0..100 {
        assert_eq!(shop.accounts.viewer(&unknown).await.unwrap(), None);
    }
    assert_eq!(shop.lookups(), before + 1);

    let before = shop.lookups();
    for invented in 0..300 {
        let invented = format!("doorbuster_{invented:A>42}A");
        assert_eq!(shop.accounts.viewer(&invented).await.unwrap(), None);
    }
    assert!(shop.accounts.viewer(&token).await.unwrap().is_some());
    assert_eq!(shop.lookups(), before + 300, "invented tokens do not push out real ones");
    assert!(shop.accounts.0.tokens.remembered() <= 200);
}

#[tokio::test]
async fn neither_tokens_nor_passwords_are_stored() {
    let shop = Shop::open().await;
    let token = shop.sign_up("alice").await.access_token;
    shop.accounts.flush().await;
    let text = token.token.strip_prefix("doorbuster_").unwrap();
    let secret = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    // On PostgreSQL the same rows are in files that this process can't read.
    let Some(folder) = shop.database.folder() else { return };
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        files.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let contains = |needle: &[u8]| files.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"alice") && contains(&super::super::tokens::hash_of(&token.token).unwrap()));
    assert!(!contains(text.as_bytes()) && !contains(&secret) && !contains(PASSWORD.as_bytes()));
    assert!(!format!("{token:?}").contains(text));
}

#[tokio::test]
async fn expired_tokens_are_purged_in_bounded_batches() {
    let shop = Shop::open().await;
    let SignedIn { user, access_token: live, .. } = shop.sign_up("alice").await;
    let now = shop.clock.clock().now();
    let token = StoredToken { viewer: Viewer::new(user.id, user.role), created_at: now, expires_at: now };
    store::write!(&shop.db, |conn| {
        for number in 0..1201_u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_le_bytes());
            sql::accounts::insert_token(conn, &hash, &token).await?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(shop.accounts.purge_expired().await.unwrap(), 1201);
    assert_eq!(shop.accounts.purge_expired().await.unwrap(), 0);
    assert!(shop.stored_expiry(&live).await.is_some());
}

#[tokio::test]
async fn operators_are_created_and_can_sign_in() {
    let shop = Shop::open().await;
    let operator = shop.accounts.create_operator("Boss", PASSWORD, "The boss").await.unwrap().unwrap();
    assert_eq!((operator.username.as_str(), operator.role), ("boss", Role::Operator));
    let again = shop.accounts.create_operator("boss", "short", "The boss").await.unwrap().unwrap_err();
    assert_eq!(again, [SignUpRefusal::UsernameTaken, SignUpRefusal::PasswordTooShort]);
    let token = shop.sign_in("boss", PASSWORD).await.unwrap().access_token.token;
    assert_eq!(shop.accounts.viewer(&token).await.unwrap().unwrap().role, Role::Operator);
    assert_eq!(shop.other_node().viewer(&token).await.unwrap().unwrap().role, Role::Operator);
}

#[tokio::test]
async fn every_attempt_is_logged_with_its_outcome() {
    use LoginOutcome::*;
    let shop = Shop::open().await;
    let alice = shop.sign_up("alice").await.user.id;
    shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap_err();
    shop.sign_in("ALICE", PASSWORD).await.unwrap();
    shop.sign_in("alice", "wrong password").await.unwrap_err();
    shop.sign_in("nobody", PASSWORD).await.unwrap_err();
    shop.sign_in("my pass word!", "").await.unwrap_err();
    shop.accounts.flush().await;
    let events = shop.broker.login_events();
    let told: Vec<_> = events.iter().map(|event| (event.username.as_str(), event.user_id, event.outcome)).collect();
    let expected = [
        ("alice", Some(alice), SignedUp),
        ("alice", None, SignUpRefused),
        ("alice", Some(alice), SignedIn),
        ("alice", Some(alice), InvalidCredentials),
        ("nobody", None, InvalidCredentials),
        ("", None, InvalidCredentials),
    ];
    assert_eq!(told, expected);
    assert!(events.iter().all(|event| event.address == HOME && event.at == shop.clock.clock().now()));
    assert_eq!(events.iter().map(|event| event.event_id).collect::<HashSet<_>>().len(), events.len());
}

#[tokio::test]
async fn an_attempt_that_could_not_be_decided_is_logged_too() {
    let shop = Shop::open().await;
    shop.sign_up("alice").await;
    store::write!(&shop.db, |conn| sql::accounts::break_password_hashes(conn).await).unwrap();
    assert!(matches!(shop.accounts.sign_in("alice", PASSWORD, HOME).await, Err(AccountsError::Hashing(_))));
    shop.accounts.flush().await;
    assert_eq!(shop.broker.login_events().last().unwrap().outcome, LoginOutcome::Unavailable);
}

#[tokio::test]
async fn a_broker_that_fails_delays_the_log_but_no_sign_in() {
    let shop = Shop::open().await;
    shop.broker.refusals.store(2, Ordering::SeqCst);
    shop.sign_up("alice").await;
    shop.accounts.flush().await;
    assert_eq!(shop.broker.login_events().len(), 1);
    assert_eq!(shop.accounts.0.metrics.login_events_lost.get(), 0);

    shop.broker.refusals.store(u32::MAX, Ordering::SeqCst);
    shop.sign_in("alice", PASSWORD).await.unwrap();
    assert_eq!(shop.accounts.0.metrics.login_events_lost.get(), 0, "the sign-in did not wait for the log");
    shop.accounts.flush().await;
    assert_eq!(shop.accounts.0.metrics.login_events_lost.get(), 1);
}

#[tokio::test]
async fn login_events_over_the_queue_are_counted_as_lost() {
    let shop = Shop::with(|config| config.background_queue = 2).await;
    // Without an await in between, the task that empties the queue can't run.
    for _ in 0..5 {
        shop.accounts.record(None, "alice", HOME, LoginOutcome::InvalidCredentials);
    }
    shop.accounts.flush().await;
    assert_eq!(shop.broker.login_events().len(), 2);
    assert_eq!(shop.accounts.0.metrics.login_events_lost.get(), 3);
}

#[tokio::test]
async fn a_renewal_that_finds_no_place_is_made_by_the_next_use() {
    let shop = Shop::with(|config| {
        config.background_queue = 1;
        config.token_renew_after = Span(HOUR);
        config.token_cache_ttl = Span(LIFETIME);
    })
    .await;
    let tokens = [shop.sign_up("alice").await.access_token, shop.sign_up("bob").await.access_token];
    shop.clock.advance(2 * HOUR);
    let renewed = Some(shop.clock.clock().now().plus(LIFETIME));
    for token in &tokens {
        assert!(shop.accounts.viewer(&token.token).await.unwrap().is_some());
    }
    shop.accounts.flush().await;
    assert_eq!(shop.accounts.0.metrics.token_renewals_deferred.get(), 1);
    assert_eq!(shop.stored_expiry(&tokens[0]).await, renewed);
    assert_ne!(shop.stored_expiry(&tokens[1]).await, renewed);
    assert!(shop.accounts.viewer(&tokens[1].token).await.unwrap().is_some());
    shop.accounts.flush().await;
    assert_eq!(shop.stored_expiry(&tokens[1]).await, renewed);
}

#[tokio::test]
async fn attempts_are_counted_by_outcome() {
    let shop = Shop::with(|config| config.attempts_per_address_per_minute = 4).await;
    shop.sign_up("alice").await;
    shop.sign_in("alice", PASSWORD).await.unwrap();
    shop.sign_in("alice", "wrong password").await.unwrap_err();
    shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap_err();
    shop.accounts.sign_in("alice", PASSWORD, HOME).await.unwrap_err();
    let metrics = crate::telemetry::Metrics::new();
    metrics.register(|registry| shop.accounts.register_metrics(registry));
    let text = metrics.encode().unwrap();
    for outcome in ["signed_up", "signed_in", "invalid_credentials", "sign_up_refused", "throttled"] {
        let line = format!("doorbuster_accounts_attempts_total{{outcome=\"{outcome}\"}} 1");
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}
