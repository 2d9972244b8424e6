//! What nodes know of access tokens together, in a real server.

use std::time::Duration;

use doorbuster::accounts::{Found, Kept, Life, Live, RedisTokens, SharedTokens};
use doorbuster::kernel::{Timestamp, UserId};
use doorbuster::model::accounts::{Proof, Role, Session, TokenHash, Viewer};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use crate::support::proxy::{Network, Proxy};
use crate::support::redis::{client, connect, fresh_prefix, keys};
use crate::support::servers::{self, OwnServers};
use crate::support::until;

const MINUTE: Duration = Duration::from_secs(60);

/// A node's side, and a connection beside it.
struct Side {
    tokens: RedisTokens,
    prefix: String,
    redis: MultiplexedConnection,
}

impl Side {
    async fn open(url: &str, prefix: &str) -> Self {
        let tokens = RedisTokens::new(&client(url, prefix).await);
        Self { tokens, prefix: prefix.to_owned(), redis: connect(url).await }
    }

    async fn fresh() -> Self {
        Self::open(&servers::redis(), &fresh_prefix()).await
    }

    async fn find(&self, token: &TokenHash) -> Found {
        self.tokens.find(&[*token]).await.unwrap().0[0]
    }

    async fn life(&self) -> Life {
        self.tokens.keep(&[]).await.unwrap()
    }

    /// Until the server answers again; then it knows nothing of these tokens.
    async fn until_nothing_is_known(&self, tokens: &[TokenHash]) {
        until("answered again", async || self.tokens.keep(&[]).await.is_ok()).await;
        for token in tokens {
            assert_eq!(self.find(token).await, Found::Nothing, "what was lost is known");
        }
    }

    /// Keeps a token as one that the database called live so long ago.
    async fn keep(&self, token: TokenHash, age: Duration) {
        let kept = Kept { token, live: Live { age, ..live() }, life: self.life().await, lasting: MINUTE };
        self.tokens.keep(&[kept]).await.unwrap();
    }

    async fn ttl(&mut self, token: &TokenHash) -> Duration {
        let key = self.key(token);
        let millis: i64 = redis::cmd("PTTL").arg(key).query_async(&mut self.redis).await.unwrap();
        Duration::from_millis(millis.try_into().expect("it goes by itself"))
    }

    fn key(&self, token: &TokenHash) -> String {
        format!("{}:token:{}", self.prefix, data_encoding::BASE64URL_NOPAD.encode(token))
    }
}

fn live() -> Live {
    let viewer = Viewer::new(UserId::from_bytes([7; 16]), Role::Operator);
    let viewer = Viewer { proof: Proof::SecondFactor, ..viewer };
    let expires_at = Timestamp::from_millis(1_795_428_123_456);
    let ends_at = expires_at.plus(Duration::from_secs(7));
    Live { session: Session { viewer, expires_at, ends_at }, age: Duration::ZERO }
}

/// Asserts that the token is live as it was kept, and says how old the database's word is.
#[track_caller]
fn age_of(found: Found) -> Duration {
    let Found::Live(found) = found else { panic!("{found:?}") };
    assert_eq!(found, Live { age: found.age, ..live() });
    found.age
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_keeps_another_finds_and_it_goes_by_itself() {
    let mut one = Side::fresh().await;
    let two = Side::open(&servers::redis(), &one.prefix).await;
    let token = [1; 32];
    assert_eq!(two.find(&token).await, Found::Nothing);
    one.keep(token, Duration::from_secs(40)).await;
    let age = age_of(two.find(&token).await);
    assert!(age >= Duration::from_secs(40) && age < Duration::from_secs(60), "{age:?}");
    let ttl = one.ttl(&token).await;
    assert!(ttl <= MINUTE && ttl > MINUTE / 2, "{ttl:?}");
    let until_gone = async || {
        let kept = Kept { token, live: live(), life: one.life().await, lasting: Duration::from_millis(20) };
        one.tokens.keep(&[kept]).await.unwrap();
        until("gone", async || two.find(&token).await == Found::Nothing).await;
    };
    until_gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ended_stays_so() {
    let mut one = Side::fresh().await;
    let two = Side::open(&servers::redis(), &one.prefix).await;
    let (kept, unknown, other) = ([1; 32], [2; 32], [3; 32]);
    one.keep(kept, Duration::ZERO).await;
    one.keep(other, Duration::ZERO).await;
    two.tokens.end(&[kept, unknown], 2 * MINUTE).await.unwrap();
    for token in [kept, unknown] {
        assert_eq!(one.find(&token).await, Found::Ended);
        one.keep(token, Duration::ZERO).await;
        assert_eq!(two.find(&token).await, Found::Ended, "a late word brought it back");
        let ttl = one.ttl(&token).await;
        assert!(ttl <= 2 * MINUTE && ttl > MINUTE, "{ttl:?}");
    }
    age_of(two.find(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_told_apart() {
    let one = Side::fresh().await;
    let token = |n: u16| {
        let mut token = [0; 32];
        token[..2].copy_from_slice(&n.to_be_bytes());
        token
    };
    let life = one.life().await;
    let kept: Vec<Kept> = (0..700).map(|n| Kept { token: token(n), live: live(), life, lasting: MINUTE }).collect();
    one.tokens.keep(&kept).await.unwrap();
    let ended: Vec<TokenHash> = (700..1400).map(token).collect();
    one.tokens.end(&ended, MINUTE).await.unwrap();
    let all: Vec<TokenHash> = (0..2000).map(token).collect();
    let together = one.tokens.find(&all).await.unwrap().0;
    let alone = join_all(all.iter().step_by(100).map(|token| one.find(token))).await;
    let is_live = |found: &Found| matches!(found, Found::Live(_));
    assert!(
        alone.iter().zip(together.iter().step_by(100)).all(|(one, many)| one == many || is_live(one) && is_live(many))
    );
    for (n, found) in together.into_iter().enumerate() {
        match n {
            0..700 => drop(age_of(found)),
            700..1400 => assert_eq!(found, Found::Ended),
            _ => assert_eq!(found, Found::Nothing),
        }
    }
}

/// A look-up that began before the data was lost, and its word that arrives afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_another_life_is_not_kept() {
    let one = Side::fresh().await;
    let (_, life) = one.tokens.find(&[[1; 32]]).await.unwrap();
    let late = |life| Kept { token: [1; 32], live: live(), life, lasting: MINUTE };
    let other = Life(life.0 - 1);
    assert_eq!(one.tokens.keep(&[late(other)]).await.unwrap(), life);
    assert_eq!(one.find(&[1; 32]).await, Found::Nothing);
    one.tokens.keep(&[late(life)]).await.unwrap();
    age_of(one.find(&[1; 32]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_emptied_begins_another_life() {
    let server = OwnServers::up("redis");
    let mut one = Side::open(&server.find("DOORBUSTER_TEST_REDIS"), &fresh_prefix()).await;
    let life = one.life().await;
    one.keep([1; 32], Duration::ZERO).await;
    age_of(one.find(&[1; 32]).await);
    let _: () = redis::cmd("FLUSHALL").query_async(&mut one.redis).await.unwrap();
    one.until_nothing_is_known(&[[1; 32]]).await;
    let late = Kept { token: [1; 32], live: live(), life, lasting: MINUTE };
    assert_ne!(one.tokens.keep(&[late]).await.unwrap(), life);
    assert_eq!(one.find(&[1; 32]).await, Found::Nothing);
    // The library is loaded again, and has forgotten.
    one.keep([1; 32], Duration::ZERO).await;
    let _: () = redis::cmd("FUNCTION").arg("FLUSH").query_async(&mut one.redis).await.unwrap();
    one.until_nothing_is_known(&[[1; 32]]).await;
}

/// The dump has a token that was signed out since, and one that was signed out before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_dump_brings_no_token_back() {
    let server = OwnServers::up("redis");
    let url = server.find("DOORBUSTER_TEST_REDIS");
    let mut one = Side::open(&url, &fresh_prefix()).await;
    let (gone, long_gone) = ([1; 32], [2; 32]);
    one.keep(gone, Duration::ZERO).await;
    one.tokens.end(&[long_gone], 10 * MINUTE).await.unwrap();
    let _: () = redis::cmd("SAVE").query_async(&mut one.redis).await.unwrap();
    for restart in [true, false] {
        one.tokens.end(&[gone], 10 * MINUTE).await.unwrap();
        if restart {
            tokio::task::block_in_place(|| {
                server.kill("redis");
                server.restart("redis");
            });
            one.redis = connect(&url).await;
        } else {
            let _: () = redis::cmd("DEBUG").arg("RELOAD").arg("NOSAVE").query_async(&mut one.redis).await.unwrap();
        }
        let held: String = redis::cmd("GET").arg(one.key(&gone)).query_async(&mut one.redis).await.unwrap();
        assert_ne!(held, "-", "the dump is not what this test needs");
        one.until_nothing_is_known(&[gone]).await;
        assert_eq!(one.find(&long_gone).await, Found::Ended);
    }
}

/// Forth and back: the server that is promoted again goes on with its own memory, and with data that went on elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_went_on_elsewhere_ends_the_life() {
    let one = Side::fresh().await;
    one.keep([1; 32], Duration::ZERO).await;
    let keys = keys(&mut one.redis.clone(), &format!("{}:life", one.prefix)).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    let _: () = redis::cmd("SET").arg(&keys[0]).arg("123").query_async(&mut one.redis.clone()).await.unwrap();
    one.until_nothing_is_known(&[[1; 32]]).await;
}

/// Nodes of the next version bring their own library. Each believes what it has seen itself, and both believe sign-outs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_of_the_library_see_each_others_sign_outs() {
    let server = OwnServers::up("redis");
    let one = Side::open(&server.find("DOORBUSTER_TEST_REDIS"), &fresh_prefix()).await;
    let mut redis = one.redis.clone();
    let code = include_str!("../../../src/accounts/shared/tokens.lua");
    let next = code.replace("doorbuster_tokens_v1", "doorbuster_tokens_v2");
    let _: String = redis::cmd("FUNCTION").arg("LOAD").arg(next).query_async(&mut redis).await.unwrap();
    let name = |token: &TokenHash| data_encoding::BASE64URL_NOPAD.encode(token);
    let call = |function: &str, arguments: &[&str]| {
        let mut call = redis::cmd("FCALL");
        call.arg(format!("doorbuster_tokens_v2_{function}")).arg(1).arg(&one.prefix).arg(arguments);
        call
    };
    let (seen, theirs, ours) = ([1; 32], [2; 32], [3; 32]);
    one.keep(seen, Duration::ZERO).await;
    one.tokens.end(&[ours], MINUTE).await.unwrap();
    let _: u64 = call("finish", &["60000", &name(&theirs)]).query_async(&mut redis).await.unwrap();
    let found: Vec<String> =
        call("find", &[&name(&seen), &name(&theirs), &name(&ours)]).query_async(&mut redis).await.unwrap();
    assert_eq!(found[1..], ["", "-", "-"]);
    let life = found[0].as_str();
    for token in [&seen, &ours] {
        let _: String = call("keep", &[&name(token), life, "0", "60000", "x"]).query_async(&mut redis).await.unwrap();
    }
    assert_eq!(one.find(&seen).await, Found::Nothing);
    assert_eq!((one.find(&theirs).await, one.find(&ours).await), (Found::Ended, Found::Ended));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_told_when_redis_is_away_and_it_answers_again_afterwards() {
    let proxy = Proxy::before(&servers::redis()).await;
    let tokens = RedisTokens::new(&client(&proxy.url(), &fresh_prefix()).await);
    assert_eq!(tokens.find(&[[1; 32]]).await.unwrap().0, [Found::Nothing]);
    proxy.set(Network::Cut);
    until("told", async || tokens.find(&[[1; 32]]).await.is_err()).await;
    assert!(tokens.end(&[[1; 32]], MINUTE).await.is_err());
    proxy.set(Network::Fine);
    until("marked", async || tokens.end(&[[1; 32]], MINUTE).await.is_ok()).await;
    assert_eq!(tokens.find(&[[1; 32]]).await.unwrap().0, [Found::Ended]);
}
