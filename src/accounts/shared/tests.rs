use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::Semaphore;

use super::testing::FakeShared;
use super::*;
use crate::accounts::Accounts;
use crate::accounts::testing::{HOME, PASSWORD, Shop, eventually};
use crate::accounts::tokens::hash_of;
use crate::config::Span;
use crate::model::accounts::Role;
use crate::store;

const TRUST: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);

/// Two nodes on one database, and the place that they share.
struct Two {
    shop: Shop,
    place: Arc<FakeShared>,
    nodes: [Accounts; 2],
}

impl Two {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut config::Accounts)) -> Self {
        let shop = Shop::with(change).await;
        let place = Arc::new(FakeShared::new(&shop.clock));
        let nodes = [shop.node_sharing(&place), shop.node_sharing(&place)];
        let two = Self { shop, place, nodes };
        for node in &two.nodes {
            two.until_ready(node).await;
        }
        two
    }

    /// One more node, freshly started.
    async fn third(&self) -> Accounts {
        let node = self.shop.node_sharing(&self.place);
        self.until_ready(&node).await;
        node
    }

    /// Until a node knows the place's present life.
    async fn until_ready(&self, node: &Accounts) {
        eventually(|| node.tokens().shared().life() == Life(self.place.life.load(SeqCst))).await;
    }

    /// A token that the first node made, and that is kept in the place.
    async fn signed_in(&self) -> (String, TokenHash) {
        let signed_in = self.nodes[0].sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
        self.nodes[0].flush().await;
        let token = signed_in.access_token.token;
        let hash = hash_of(&token).unwrap();
        (token, hash)
    }

    fn lookups(&self, node: usize) -> u64 {
        self.nodes[node].metrics().token_lookups.get()
    }

    fn shared(&self, node: usize) -> u64 {
        self.nodes[node].metrics().tokens_shared.get()
    }

    async fn is_known(&self, node: usize, token: &str) -> bool {
        is_known(&self.nodes[node], token).await
    }

    /// Signed out on the first node while the second one's word, from before, is on its way to the place.
    async fn signed_out_meanwhile(&self) -> (String, TokenHash) {
        let (token, hash) = self.signed_in().await;
        self.place.tokens.lock().clear();
        self.place.keeps.forget_permits(Semaphore::MAX_PERMITS);
        assert!(self.is_known(1, &token).await);
        assert!(self.nodes[0].sign_out(&token).await.unwrap());
        (token, hash)
    }

    /// The word arrives.
    async fn arrives(&self) {
        self.place.keeps.add_permits(1);
        self.nodes[1].flush().await;
    }

    /// Behind everybody's back.
    async fn delete(&self, hash: TokenHash) {
        let deleted = store::write!(&self.shop.db, |conn| sql::accounts::delete_token(conn, &hash).await);
        assert!(deleted.unwrap());
    }
}

async fn is_known(node: &Accounts, token: &str) -> bool {
    node.viewer(token).await.unwrap().is_some()
}

#[tokio::test]
async fn what_one_node_knows_another_need_not_ask_the_database() {
    let two = Two::open().await;
    let (token, _) = two.signed_in().await;
    let viewer = two.nodes[1].viewer(&token).await.unwrap().unwrap();
    assert_eq!(Some(viewer), two.nodes[0].viewer(&token).await.unwrap());
    assert_eq!(viewer.role, Role::Buyer);
    assert_eq!((two.lookups(0), two.lookups(1), two.shared(1)), (0, 0, 1));
    // Remembered by the node itself.
    assert!(two.is_known(1, &token).await);
    assert_eq!((two.lookups(1), two.shared(1)), (0, 1));
}

#[tokio::test]
async fn what_one_node_looked_up_is_kept_for_others() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    two.place.tokens.lock().clear();
    assert!(two.is_known(1, &token).await);
    two.nodes[1].flush().await;
    assert!(two.place.held(&hash).is_some());
    let third = two.third().await;
    assert!(is_known(&third, &token).await);
    assert_eq!((two.lookups(1), third.metrics().token_lookups.get()), (1, 0));
}

/// Nobody believes longer than the database's own word would be believed, however many nodes pass it on.
#[tokio::test]
async fn a_token_is_trusted_from_when_the_database_was_asked() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    two.shop.clock.advance(TRUST - MILLI);
    assert!(two.is_known(1, &token).await);
    assert_eq!(two.lookups(1), 0);
    two.delete(hash).await;
    two.shop.clock.advance(MILLI);
    assert!(!two.is_known(1, &token).await);
    assert!(!is_known(&two.third().await, &token).await);
}

#[tokio::test]
async fn an_answer_that_is_too_old_for_a_node_goes_to_the_database() {
    let two = Two::open().await;
    let (token, _) = two.signed_in().await;
    let mut config = two.shop.config.clone();
    config.token_cache_ttl = Span(Duration::from_secs(2));
    let (clock, rng) = (two.shop.clock.clock(), crate::kernel::Rng::system());
    let place: Arc<dyn SharedTokens> = two.place.clone();
    let strict = Accounts::new(two.shop.db.clone(), two.shop.broker.clone(), Some(place), clock, rng, &config).unwrap();
    two.shop.clock.advance(Duration::from_secs(2));
    assert!(is_known(&strict, &token).await);
    assert_eq!((strict.metrics().token_lookups.get(), strict.metrics().tokens_shared.get()), (1, 0));
}

/// A node that hears nobody trusts what others say as little as what it remembers.
#[tokio::test]
async fn a_node_in_doubt_takes_only_what_is_young() {
    let two = Two::open().await;
    let (token, _) = two.signed_in().await;
    two.nodes[1].tokens().follows_others();
    two.shop.clock.advance(*two.shop.config.sign_out_heartbeat * 2 - MILLI);
    assert!(two.is_known(1, &token).await);
    assert_eq!(two.lookups(1), 0);
    two.shop.clock.advance(MILLI);
    assert!(two.is_known(1, &token).await);
    assert_eq!(two.lookups(1), 1);
}

#[tokio::test]
async fn a_token_that_has_expired_goes_to_the_database() {
    let two = Two::with(|config| {
        config.token_lifetime = Span(Duration::from_secs(10));
        config.token_renew_after = Span(Duration::from_secs(5));
    })
    .await;
    let (token, hash) = two.signed_in().await;
    two.shop.clock.advance(Duration::from_secs(10));
    assert!(two.place.held(&hash).is_some());
    assert!(!two.is_known(1, &token).await);
    assert_eq!((two.lookups(1), two.shared(1)), (1, 0));
}

#[tokio::test]
async fn a_token_in_use_is_renewed_whoever_knew_it() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    let renew_after = *two.shop.config.token_renew_after;
    two.shop.clock.advance(renew_after - TRUST / 2);
    assert!(two.is_known(0, &token).await);
    two.nodes[0].flush().await;
    two.shop.clock.advance(TRUST / 2);
    assert!(two.is_known(1, &token).await);
    two.nodes[1].flush().await;
    assert_eq!((two.lookups(0), two.lookups(1)), (1, 0));
    let stored = store::read!(&two.shop.db, |conn| sql::accounts::find_tokens(conn, &[hash]).await).unwrap();
    let now = two.shop.clock.clock().now();
    assert_eq!(stored[&hash].expires_at, now.plus(*two.shop.config.token_lifetime));
}

#[tokio::test]
async fn a_token_that_ended_is_refused_without_asking_the_database() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    assert_eq!(two.place.held(&hash), Some(None), "the answer came before the mark");
    // It hears of no sign-outs.
    assert!(!two.is_known(1, &token).await);
    assert!(!two.is_known(1, &token).await);
    assert_eq!((two.lookups(1), two.shared(1)), (0, 1));
}

#[tokio::test]
async fn a_look_up_under_way_does_not_bring_back_a_token_that_was_signed_out() {
    let two = Two::open().await;
    let (token, hash) = two.signed_out_meanwhile().await;
    two.arrives().await;
    assert_eq!(two.place.held(&hash), Some(None));
    assert!(!is_known(&two.third().await, &token).await);
}

/// And neither when the mark is lost before it arrives.
#[tokio::test]
async fn what_was_looked_up_before_a_restart_is_not_kept_after_it() {
    let two = Two::open().await;
    let (_, hash) = two.signed_out_meanwhile().await;
    two.place.restart();
    two.arrives().await;
    assert_eq!(two.place.held(&hash), None);
    assert_eq!(two.nodes[1].tokens().shared().life(), Life(2), "it was not told of the new life");
}

#[tokio::test]
async fn without_an_answer_the_database_is_asked() {
    let two = Two::open().await;
    let (token, _) = two.signed_in().await;
    two.place.away.store(true, SeqCst);
    assert!(two.is_known(1, &token).await);
    two.nodes[1].flush().await;
    assert_eq!((two.lookups(1), two.shared(1), two.nodes[1].metrics().tokens_unshared.get()), (1, 0, 1));
    two.place.away.store(false, SeqCst);
    two.place.hangs.store(true, SeqCst);
    let third = two.shop.node_sharing(&two.place);
    assert!(is_known(&third, &token).await);
    assert_eq!((third.metrics().token_lookups.get(), third.metrics().tokens_unshared.get()), (1, 1));
}

#[tokio::test]
async fn invented_tokens_are_not_kept() {
    let two = Two::open().await;
    let (token, _) = two.signed_in().await;
    let kept = two.place.tokens.lock().len();
    let invented = format!("{}{}", &token[..token.len() - 4], "AAAA");
    assert!(!two.is_known(1, &invented).await);
    two.nodes[1].flush().await;
    assert_eq!((two.lookups(1), two.place.tokens.lock().len()), (1, kept));
}

#[tokio::test]
async fn a_sign_out_that_was_not_marked_is_marked_as_soon_as_it_can_be() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    two.place.away.store(true, SeqCst);
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    eventually(|| two.place.refused_ends.load(SeqCst) >= 3).await;
    assert!(two.place.held(&hash).is_some_and(|held| held.is_some()), "it would be refused anyway");
    two.place.away.store(false, SeqCst);
    eventually(|| two.place.held(&hash) == Some(None)).await;
    assert!(!two.is_known(1, &token).await);
    assert_eq!(two.nodes[0].metrics().sign_outs_not_recorded.get(), 0);
}

#[tokio::test]
async fn a_sign_out_that_was_never_marked_is_counted() {
    let two = Two::with(|config| config.token_cache_ttl = Span(Duration::from_millis(10))).await;
    let (token, _) = two.signed_in().await;
    two.place.away.store(true, SeqCst);
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    eventually(|| two.nodes[0].metrics().sign_outs_not_recorded.get() == 1).await;
}

/// Who hears of a sign-out marks it too: the node that ended the token may have died before it could.
#[tokio::test]
async fn whoever_hears_of_a_sign_out_marks_it() {
    let two = Two::open().await;
    let (token, hash) = two.signed_in().await;
    two.delete(hash).await;
    two.nodes[1].tokens().heard(hash);
    eventually(|| two.place.held(&hash) == Some(None)).await;
    assert!(!is_known(&two.third().await, &token).await);
}

/// A request that is dropped half-way leaves no token that is signed out here and kept there.
#[tokio::test]
async fn a_mark_does_not_depend_on_who_waits_for_it() {
    let two = Two::open().await;
    let (_, hash) = two.signed_in().await;
    let shared = two.nodes[0].tokens().shared();
    let mut ending = Box::pin(shared.end(hash));
    assert!(futures_util::poll!(&mut ending).is_pending());
    drop(ending);
    eventually(|| two.place.held(&hash) == Some(None)).await;
}
