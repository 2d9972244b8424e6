use futures_util::future::join_all;

use super::*;
use crate::accounts::Accounts;
use crate::accounts::testing::Shop;
use crate::kernel::UserId;
use crate::model::accounts::{Role, User};

/// A buyer whom only the database knows.
struct Stranger {
    id: UserId,
    token: String,
}

fn invented(rng: &Rng) -> String {
    crate::accounts::seal::random(rng).0
}

async fn strangers(shop: &Shop, many: u32) -> Vec<Stranger> {
    let (clock, rng) = (shop.clock.clock(), Rng::system());
    let now = clock.now();
    let user = |number: u32| {
        let (id, username) = (UserId::generate(&clock, &rng), format!("stranger-{number}"));
        let user = User { id, display_name: username.clone(), username, role: Role::Buyer, created_at: now };
        (user, invented(&rng))
    };
    let users: Vec<(User, String)> = (0..many).map(user).collect();
    let strangers = users.iter().map(|(user, token)| Stranger { id: user.id, token: token.clone() }).collect();
    let expires_at = now.plus(*shop.config.token_lifetime);
    let written = store::write!(&shop.db, |conn| {
        for (user, token) in &users {
            let hash = hash_of(token).unwrap();
            assert!(sql::accounts::insert_user(conn, user, "none").await?);
            let token = StoredToken { viewer: Viewer::new(user.id, user.role), created_at: now, expires_at };
            sql::accounts::insert_token(conn, &hash, &token).await?;
        }
        Ok(())
    });
    written.unwrap();
    strangers
}

fn lookups(node: &Accounts) -> (u64, u64) {
    (node.metrics().token_lookups.get(), node.metrics().token_lookup_calls.get())
}

#[tokio::test]
async fn strangers_who_come_at_the_same_moment_share_look_ups_and_are_told_apart() {
    let shop = Shop::open().await;
    let (strangers, rng) = (strangers(&shop, 700).await, Rng::system());
    let nobodys: Vec<String> = (0..300).map(|_| invented(&rng)).collect();
    let found = join_all(strangers.iter().map(|stranger| shop.accounts.viewer(&stranger.token)));
    let none = join_all(nobodys.iter().map(|token| shop.accounts.viewer(token)));
    let (found, none) = tokio::join!(found, none);
    for (stranger, found) in strangers.iter().zip(found) {
        assert_eq!(found.unwrap(), Some(Viewer::new(stranger.id, Role::Buyer)));
    }
    assert!(none.into_iter().all(|found| found.unwrap().is_none()));
    let (tokens, calls) = lookups(&shop.accounts);
    assert_eq!(tokens, 1_000);
    // At least 256 in a call: all are there before the first one is answered.
    assert!(calls <= 6, "{calls} calls");
}

#[tokio::test]
async fn a_stranger_who_asks_many_times_at_once_is_looked_up_once() {
    let shop = Shop::open().await;
    let token = &strangers(&shop, 1).await[0].token;
    let found = join_all((0..200).map(|_| shop.accounts.viewer(token))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_some()));
    assert_eq!(lookups(&shop.accounts), (1, 1));
}

/// More than all caches hold, all different, while one who is signed in goes on and another one has signed out.
#[tokio::test]
async fn invented_tokens_push_out_nothing_and_take_no_room() {
    let shop = Shop::with(|config| (config.token_cache, config.invalid_token_cache) = (1_000, 100)).await;
    let (strangers, rng) = (strangers(&shop, 3).await, Rng::system());
    let [stays, leaves, comes] = [&strangers[0].token, &strangers[1].token, &strangers[2].token];
    for token in [stays, leaves] {
        assert!(shop.accounts.viewer(token).await.unwrap().is_some());
    }
    assert!(shop.accounts.sign_out(leaves).await.unwrap());
    let before = lookups(&shop.accounts).0;
    for _ in 0..20 {
        let nobodys: Vec<String> = (0..500).map(|_| invented(&rng)).collect();
        let all = join_all(nobodys.iter().map(|token| shop.accounts.viewer(token)));
        let (none, known) = tokio::join!(all, shop.accounts.viewer(stays));
        assert!(none.into_iter().all(|found| found.unwrap().is_none()));
        assert!(known.unwrap().is_some());
        assert!(shop.accounts.viewer(leaves).await.unwrap().is_none());
    }
    assert!(shop.accounts.viewer(comes).await.unwrap().is_some());
    assert_eq!(lookups(&shop.accounts).0, before + 10_000 + 1, "what was known was forgotten");
    let remembered = shop.accounts.tokens().remembered();
    assert!(remembered <= 100 + 3, "{remembered}");
    // One that is shown again is remembered for what it is.
    let again = invented(&rng);
    for _ in 0..50 {
        assert!(shop.accounts.viewer(&again).await.unwrap().is_none());
    }
    assert_eq!(lookups(&shop.accounts).0, before + 10_000 + 2);
}

/// "Not now" is not "not signed in", and it is not remembered either.
#[cfg(feature = "sabotage")]
#[tokio::test]
async fn without_the_database_strangers_are_not_refused_for_good() {
    use crate::store::trouble::Loss;

    let shop = Shop::open().await;
    let strangers = strangers(&shop, 40).await;
    shop.db.trouble().lose(Loss { after: 0, deaf: false, once: false });
    let ask = || join_all(strangers.iter().map(|stranger| shop.accounts.viewer(&stranger.token)));
    for found in ask().await {
        assert!(found.is_err(), "{found:?}");
    }
    shop.db.trouble().heal();
    for (stranger, found) in strangers.iter().zip(ask().await) {
        assert_eq!(found.unwrap().map(|viewer| viewer.id), Some(stranger.id));
    }
}

/// Signed out after its look-up began: what the database said before does not count.
#[tokio::test]
async fn a_sign_out_during_a_look_up_counts_for_all_who_wait() {
    let shop = Shop::open().await;
    let strangers = strangers(&shop, 300).await;
    let looking = join_all(strangers.iter().map(|stranger| shop.accounts.viewer(&stranger.token)));
    let ending = join_all(strangers.iter().step_by(3).map(|stranger| shop.accounts.sign_out(&stranger.token)));
    let (_, ended) = tokio::join!(looking, ending);
    assert!(ended.into_iter().all(|ended| ended.unwrap()));
    for (number, stranger) in strangers.iter().enumerate() {
        let found = shop.accounts.viewer(&stranger.token).await.unwrap();
        assert_eq!(found.is_none(), number % 3 == 0, "{number}");
    }
}
