use std::time::Duration;

use diesel_async::RunQueryDsl as _;

use super::*;
use crate::accounts::Accounts;
use crate::accounts::testing::{HOME, PASSWORD, Shop};
use crate::kernel::Rng;
use crate::store::Database;

const KEY: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

/// A node that has read what was revoked so far.
struct Node {
    accounts: Accounts,
    progress: Progress,
}

impl Node {
    async fn of(accounts: Accounts, keys: &[[u8; 32]]) -> Self {
        assert!(accounts.tokens().use_keys(keys).await.unwrap());
        let mut node = Self { accounts, progress: Progress::default() };
        assert_eq!(node.read().await, Read::Complete);
        node
    }

    async fn read(&mut self) -> Read {
        self.accounts.tokens().read_revocations(&mut self.progress).await.unwrap()
    }

    async fn owner(&self, token: &str) -> Option<Viewer> {
        self.accounts.viewer(token).await.unwrap()
    }

    /// Tokens that were looked up, and those that were not.
    fn counts(&self) -> (u64, u64) {
        let metrics = self.accounts.metrics();
        (metrics.token_lookups.get(), metrics.tokens_opened.get())
    }
}

async fn sign_up(node: &Node, name: &str) -> (Viewer, String) {
    let signed_in = node.accounts.sign_up(name, PASSWORD, name, HOME).await.unwrap().unwrap();
    (Viewer::new(signed_in.user.id, Role::Buyer), signed_in.access_token.token)
}

/// A statement of a person.
async fn run(db: &Database, statement: &'static str) {
    store::write!(db, |conn| {
        diesel::sql_query(statement).execute(conn).await?;
        Ok(())
    })
    .unwrap();
}

/// Two nodes with this key.
async fn two(shop: &Shop) -> (Node, Node) {
    (Node::of(shop.accounts.clone(), &[KEY]).await, Node::of(shop.other_node(), &[KEY]).await)
}

#[tokio::test]
async fn a_buyer_whom_a_node_has_never_seen_is_not_looked_up() {
    let shop = Shop::open().await;
    let (one, other) = two(&shop).await;
    for number in 0..20 {
        let (viewer, token) = sign_up(&one, &format!("buyer-{number}")).await;
        assert_eq!(other.owner(&token).await, Some(viewer));
        assert_eq!(other.owner(&token).await, Some(viewer));
    }
    assert_eq!(other.counts(), (0, 20));
}

#[tokio::test]
async fn staff_and_shops_in_the_middle_of_an_upgrade_have_tokens_of_the_old_kind() {
    let shop = Shop::open().await;
    let (mut one, mut other) = two(&shop).await;
    one.accounts.create_operator("boss", PASSWORD, "Boss").await.unwrap().unwrap();
    let boss = one.accounts.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap().access_token.token;
    assert_eq!(other.owner(&boss).await.map(|viewer| viewer.role), Some(Role::Operator));
    assert_eq!(other.counts(), (1, 0));
    store::write!(&shop.db, |conn| sql::upgrade::finalise(conn, Feature::SealedTokens.since() - 1).await).unwrap();
    one.read().await;
    other.read().await;
    let (viewer, token) = sign_up(&one, "early").await;
    assert_eq!(token.len(), boss.len());
    assert_eq!(other.owner(&token).await, Some(viewer));
    assert_eq!(other.counts(), (2, 0));
}

/// No broadcast, no shared cache: what the node reads is enough.
#[tokio::test]
async fn a_sign_out_is_known_once_it_was_read_and_for_ever() {
    let shop = Shop::open().await;
    let (one, mut other) = two(&shop).await;
    let (seen, new) = (sign_up(&one, "seen").await, sign_up(&one, "new").await);
    assert_eq!(other.owner(&seen.1).await, Some(seen.0));
    for (_, token) in [&seen, &new] {
        assert!(one.accounts.sign_out(token).await.unwrap());
    }
    other.read().await;
    // The first is forgotten, the second was never known.
    for _ in 0..3 {
        assert_eq!((other.owner(&seen.1).await, other.owner(&new.1).await), (None, None));
        shop.clock.advance(*shop.config.token_cache_ttl + Duration::from_secs(1));
        other.read().await;
    }
    let late = Node::of(shop.other_node(), &[KEY]).await;
    assert_eq!((late.owner(&seen.1).await, late.owner(&new.1).await), (None, None));
    assert_eq!(late.counts().1, 0);
}

#[tokio::test]
async fn statements_of_people_count_as_well() {
    let shop = Shop::open().await;
    let (mut one, mut other) = two(&shop).await;
    let (promoted, token) = sign_up(&one, "promoted").await;
    let (_, erased) = sign_up(&one, "erased").await;
    assert_eq!(other.owner(&token).await, Some(promoted));
    run(&shop.db, "UPDATE users SET role = 'OPERATOR' WHERE username = 'promoted'").await;
    run(&shop.db, "DELETE FROM access_tokens WHERE user_id = (SELECT id FROM users WHERE username = 'erased')").await;
    run(&shop.db, "DELETE FROM users WHERE username = 'erased'").await;
    for node in [&mut one, &mut other] {
        node.read().await;
        assert_eq!(node.owner(&token).await.map(|viewer| viewer.role), Some(Role::Operator));
        assert_eq!(node.owner(&erased).await, None);
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_tokens_that_nobody_has_seen() {
    let shop = Shop::open().await;
    let (one, mut other) = two(&shop).await;
    let (viewer, first) = sign_up(&one, "alice").await;
    let mut tokens = vec![first];
    for _ in 0..5 {
        tokens.push(one.accounts.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap().access_token.token);
    }
    assert_eq!(one.accounts.sign_out_everywhere(viewer.id, HOME).await.unwrap().unwrap().1, 6);
    other.read().await;
    for token in &tokens {
        assert_eq!((one.owner(token).await, other.owner(token).await), (None, None));
    }
    let again = one.accounts.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap().access_token.token;
    assert_eq!(other.owner(&again).await, Some(viewer));
}

/// The key is replaced in a rush, node by node; one node has a wrong one all the time.
#[tokio::test]
async fn whatever_keys_nodes_have_nobody_is_signed_out() {
    let shop = Shop::open().await;
    let old = Node::of(shop.accounts.clone(), &[KEY]).await;
    let new = Node::of(shop.other_node(), &[OTHER, KEY]).await;
    let wrong = Node::of(shop.other_node(), &[[3; 32]]).await;
    let none = Node { accounts: shop.other_node(), progress: Progress::default() };
    assert!(!none.accounts.tokens().use_keys(&[]).await.unwrap());
    for (from, name) in [(&old, "old"), (&new, "new"), (&wrong, "wrong"), (&none, "none")] {
        let (viewer, token) = sign_up(from, name).await;
        for node in [&old, &new, &wrong, &none] {
            assert_eq!(node.owner(&token).await, Some(viewer), "{name}");
        }
    }
    assert_eq!(new.counts(), (2, 1), "tokens of the old key are opened, those of neither are looked up");
    assert_eq!(old.counts(), (3, 0));
}

#[tokio::test]
async fn a_node_that_may_have_missed_revocations_looks_tokens_up() {
    let shop = Shop::open().await;
    let one = Node::of(shop.accounts.clone(), &[KEY]).await;
    let mut other = Node { accounts: shop.other_node(), progress: Progress::default() };
    other.accounts.tokens().use_keys(&[KEY]).await.unwrap();
    let (viewer, later) = sign_up(&one, "later").await;
    assert_eq!(other.owner(&later).await, Some(viewer));
    assert_eq!(other.counts(), (1, 0), "nothing was read yet");
    other.read().await;
    shop.clock.advance(*shop.config.token_cache_ttl);
    assert_eq!(other.owner(&later).await, Some(viewer));
    assert_eq!(other.counts(), (2, 0), "that was read too long ago");
    other.read().await;
    // In doubt whether it hears of sign-outs, only a read of just now counts.
    other.accounts.tokens().follows_others();
    let (viewer, last) = sign_up(&one, "last").await;
    assert_eq!(other.owner(&last).await, Some(viewer));
    assert_eq!(other.counts(), (2, 1));
    shop.clock.advance(*shop.config.sign_out_heartbeat * 2);
    let (viewer, silent) = sign_up(&one, "silent").await;
    assert_eq!(other.owner(&silent).await, Some(viewer));
    assert_eq!(other.counts(), (3, 1));
}

/// Whatever way the file came back: tokens that were issued after the backup have no row, and no effect.
#[tokio::test]
async fn tokens_issued_after_a_backup_that_was_restored_are_looked_up() {
    let shop = Shop::open().await;
    let one = Node::of(shop.accounts.clone(), &[KEY]).await;
    let (kept, before) = sign_up(&one, "before").await;
    shop.clock.advance(STORED_WITHIN + Duration::from_secs(1));
    let (_, _) = sign_up(&one, "last-before").await;
    shop.clock.advance(Duration::from_secs(1));
    let (_, lost) = sign_up(&one, "lost").await;
    // The backup does not know them, nor that they are gone.
    run(&shop.db, "DELETE FROM access_tokens WHERE user_id = (SELECT id FROM users WHERE username = 'lost')").await;
    run(&shop.db, "DELETE FROM users WHERE username = 'lost'").await;
    run(&shop.db, "DELETE FROM token_revocations").await;
    shop.clock.advance(Duration::from_secs(1));
    let restored = Node::of(shop.other_node(), &[KEY]).await;
    assert_eq!(restored.owner(&before).await, Some(kept));
    assert_eq!(restored.counts(), (0, 1));
    assert_eq!(restored.owner(&lost).await, None);
    let (viewer, after) = sign_up(&restored, "after").await;
    let also = Node { accounts: shop.other_node(), progress: Progress::default() };
    assert_eq!(also.owner(&after).await, Some(viewer));
}

#[tokio::test]
async fn use_extends_a_sealed_token_beyond_what_it_says() {
    let shop = Shop::open().await;
    let (mut one, mut other) = two(&shop).await;
    let (viewer, token) = sign_up(&one, "alice").await;
    let lifetime = *shop.config.token_lifetime;
    shop.clock.advance(lifetime / 2);
    one.read().await;
    assert_eq!(one.owner(&token).await, Some(viewer));
    one.accounts.flush().await;
    shop.clock.advance(lifetime / 2 + Duration::from_secs(1));
    for node in [&mut one, &mut other] {
        node.read().await;
        assert_eq!(node.owner(&token).await, Some(viewer));
    }
    assert_eq!(other.counts(), (1, 0));
    shop.clock.advance(lifetime + Duration::from_secs(1));
    for node in [&mut one, &mut other] {
        node.read().await;
        assert_eq!(node.owner(&token).await, None);
    }
}

/// A clock that is five minutes off delays or hastens the expiry by so much, and nothing else.
#[tokio::test]
async fn wrong_clocks_sign_nobody_out() {
    for off in [-300_000_i64, 300_000] {
        let shop = Shop::open().await;
        let mut one = Node::of(shop.accounts.clone(), &[KEY]).await;
        let clock = crate::kernel::ManualClock::at(Timestamp::from_millis(shop.clock.clock().now().as_millis() + off));
        let wrong =
            Accounts::new(shop.db.clone(), shop.broker.clone(), None, clock.clock(), Rng::system(), &shop.config);
        let mut wrong = Node::of(wrong.unwrap(), &[KEY]).await;
        let (viewer, token) = sign_up(&one, "alice").await;
        let (other_viewer, other_token) = sign_up(&wrong, "bob").await;
        for _ in 0..3 {
            for node in [&mut one, &mut wrong] {
                node.read().await;
                assert_eq!(node.owner(&token).await, Some(viewer), "{off}");
                assert_eq!(node.owner(&other_token).await, Some(other_viewer), "{off}");
            }
            clock.advance(Duration::from_secs(400));
            shop.clock.advance(Duration::from_secs(400));
        }
        assert!(one.accounts.sign_out(&token).await.unwrap());
        wrong.read().await;
        assert_eq!(wrong.owner(&token).await, None);
    }
}

/// "Not now" is not "not signed in", and those whom the node can judge it serves.
#[cfg(feature = "sabotage")]
#[tokio::test]
async fn without_the_database_buyers_are_served_until_sign_outs_could_be_missed() {
    use crate::store::trouble::Loss;

    let shop = Shop::open().await;
    let (one, mut other) = two(&shop).await;
    let (viewer, first) = sign_up(&one, "first").await;
    let (_, second) = sign_up(&one, "second").await;
    shop.db.trouble().lose(Loss { after: 0, deaf: false, once: false });
    assert_eq!(other.owner(&first).await, Some(viewer));
    shop.clock.advance(*shop.config.token_cache_ttl);
    assert!(other.accounts.tokens().read_revocations(&mut other.progress).await.is_err());
    for token in [&first, &second] {
        assert!(other.accounts.viewer(token).await.is_err());
    }
    shop.db.trouble().heal();
    other.read().await;
    assert_eq!(other.owner(&first).await, Some(viewer));
}

/// All different. Those that name the shop's key cost no look-up, and none take room from who is signed in.
#[tokio::test]
async fn forged_tokens_cost_no_look_up_and_take_no_room() {
    let shop = Shop::with(|config| (config.token_cache, config.invalid_token_cache) = (1_000, 100)).await;
    let (one, other) = two(&shop).await;
    let (viewer, token) = sign_up(&one, "alice").await;
    assert_eq!(other.owner(&token).await, Some(viewer));
    let bytes = data_encoding::BASE64URL_NOPAD.decode(token.trim_start_matches("doorbuster_").as_bytes()).unwrap();
    let rng = Rng::seeded(5);
    for _ in 0..5_000 {
        let mut forged = bytes.clone();
        forged[5..5 + 32].copy_from_slice(&rng.bytes::<32>());
        let forged = format!("doorbuster_{}", data_encoding::BASE64URL_NOPAD.encode(&forged));
        assert_eq!(other.owner(&forged).await, None);
    }
    assert_eq!(other.counts(), (0, 1));
    assert_eq!(other.accounts.metrics().tokens_forged.get(), 5_000);
    assert_eq!(other.accounts.tokens().remembered(), 1);
}

#[tokio::test]
async fn with_more_revocations_than_fit_all_tokens_are_looked_up() {
    let shop = Shop::with(|config| config.revocations_max = 3).await;
    let (one, mut other) = two(&shop).await;
    let (viewer, stays) = sign_up(&one, "stays").await;
    let mut gone = Vec::new();
    for number in 0..4 {
        let (_, token) = sign_up(&one, &format!("goes-{number}")).await;
        assert!(one.accounts.sign_out(&token).await.unwrap());
        gone.push(token);
    }
    assert_eq!(other.read().await, Read::TooMany);
    assert_eq!(other.owner(&stays).await, Some(viewer));
    for token in &gone {
        assert_eq!(other.owner(token).await, None);
    }
    assert_eq!(other.counts(), (5, 0));
    // They end with their tokens.
    shop.clock.advance(*shop.config.token_lifetime);
    one.accounts.purge_expired().await.unwrap();
    assert_eq!(other.read().await, Read::Complete);
    assert_eq!(other.accounts.metrics().revocations.get(), 0);
}
