//! Access tokens: stored as a hash, cached by the node, extended by use.

mod expiry;
mod sealed;
mod sealing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::batcher::Batcher;
use super::look_ups::{Answer, Asked, LookUps};
use super::metrics::Metrics;
use super::seal::Shown;
pub use super::seal::hash_of;
use super::shared::{Found, Live, Shared};
use crate::config;
use crate::kernel::{self, Clock, Rng, Timestamp};
use crate::model::accounts::{AccessToken, Proof, Session, StoredToken, TokenHash, Viewer};
use crate::store::{self, Database, StoreError};
use sealing::Sealing;
pub(super) use sealing::{Progress, Read};

/// The least time between two writes of renewals: in the first second of a sale, everybody who signed in on another day has one.
const RENEWALS_EVERY: Duration = Duration::from_millis(200);
/// Expired tokens removed in one transaction at most.
const PURGE_BATCH: usize = 500;

/// A token about to be stored.
#[derive(Clone, Copy)]
pub struct NewToken {
    /// Its hash.
    pub hash: TokenHash,
    /// Now.
    pub created_at: Timestamp,
    /// Whose it is, and until when.
    pub session: Session,
}

impl NewToken {
    /// As it is stored.
    pub const fn stored(&self) -> StoredToken {
        let Session { viewer, expires_at, .. } = self.session;
        StoredToken { viewer, created_at: self.created_at, expires_at }
    }
}

/// The cached result for a token.
struct Known {
    viewer: Viewer,
    /// When the database was asked.
    checked_at: Timestamp,
    /// When the session ends however much it is used.
    ends_at: Timestamp,
    /// Milliseconds since the Unix epoch. The caller that moves it forward writes the renewal.
    expires_at: AtomicI64,
}

/// Whether announcements of other nodes arrive.
struct Doubt {
    follows: AtomicBool,
    /// Milliseconds since the Unix epoch.
    heard_at: AtomicI64,
    silence: Duration,
}

impl Doubt {
    const fn new(silence: Duration) -> Self {
        Self { follows: AtomicBool::new(false), heard_at: AtomicI64::new(0), silence }
    }

    /// How long something may be trusted that would be for `trust` if nothing were missed.
    fn limit(&self, trust: Duration, now: Timestamp) -> Duration {
        let heard_at = Timestamp::from_millis(self.heard_at.load(Ordering::Acquire));
        let silent = self.follows.load(Ordering::Acquire) && (heard_at > now || now.since(heard_at) >= self.silence);
        if silent { trust.min(self.silence) } else { trust }
    }
}

/// The tokens, as this node sees them.
pub struct Tokens {
    seen: Arc<Seen>,
    look_ups: LookUps,
}

/// The token cache and the sources for a miss.
struct Seen {
    db: Database,
    shared: Shared,
    clock: Clock,
    rng: Rng,
    lifetime: Duration,
    staff_session: Duration,
    requires_second_factor: bool,
    renew_after: Duration,
    trust: Duration,
    doubt: Doubt,
    known: Cache<TokenHash, Arc<Known>>,
    /// Tokens that were signed out, with the time when the node learned of it.
    ended: Cache<TokenHash, Timestamp>,
    /// Hashes that are no tokens, with the time when that was found. Apart from the others, so that invented tokens can't push
    /// out real ones, nor the sign-outs that a look-up under way has to respect.
    nobodys: Cache<TokenHash, Timestamp>,
    renewals: Batcher<(TokenHash, Timestamp)>,
    told: Mutex<Option<TellEnd>>,
    sealing: Sealing,
    metrics: Metrics,
}

/// Hears of a token that has ended. It must not wait.
pub type TellEnd = Box<dyn Fn(&TokenHash) + Send + Sync>;

impl Tokens {
    /// Starts the tasks that write renewals and look tokens up.
    pub fn new(
        db: &Database,
        shared: Shared,
        clock: Clock,
        rng: Rng,
        config: &config::Accounts,
        metrics: Metrics,
    ) -> Self {
        let renewals = Batcher::start("token-renewals", config.background_queue, {
            let (db, mut next) = (db.clone(), Instant::now());
            move |renewals| {
                let (db, due) = (db.clone(), next.max(Instant::now()));
                next = due + RENEWALS_EVERY;
                async move {
                    sleep_until(due).await;
                    write_renewals(db, renewals).await;
                }
            }
        });
        let seen = Arc::new(Seen {
            db: db.clone(),
            shared,
            clock,
            rng,
            lifetime: *config.token_lifetime,
            staff_session: *config.staff_session,
            requires_second_factor: config.second_factor == config::SecondFactor::Required,
            renew_after: *config.token_renew_after,
            trust: *config.token_cache_ttl,
            doubt: Doubt::new(*config.sign_out_heartbeat * 2),
            known: kernel::recent(config.token_cache),
            ended: kernel::recent(config.token_cache),
            nobodys: kernel::recent(config.invalid_token_cache),
            renewals,
            told: Mutex::default(),
            sealing: Sealing::new(config.revocations_max),
            metrics,
        });
        let ask_shared = seen.shared.is_there().then(|| {
            let seen = seen.clone();
            move |asked, rest| seen.clone().ask_shared(asked, rest)
        });
        let ask_database = {
            let seen = seen.clone();
            move |asked| seen.clone().ask_database(asked)
        };
        let look_ups = LookUps::start(config.token_lookups, ask_shared, ask_database);
        Self { seen, look_ups }
    }

    /// Makes up a token for this user; the caller stores it.
    pub fn generate(&self, viewer: Viewer) -> (AccessToken, NewToken) {
        let created_at = self.seen.clock.now();
        let expires_at = created_at.plus(self.seen.lifetime);
        let session = self.seen.session(StoredToken { viewer, created_at, expires_at });
        let (token, hash) = self.seen.new_token(viewer, created_at, expires_at);
        (AccessToken { token, expires_at: session.expires_at }, NewToken { hash, created_at, session })
    }

    /// Takes note of a token that was stored.
    pub fn remember(&self, token: &NewToken) {
        let seen = &self.seen;
        seen.know(token.hash, token.session, token.created_at);
        if seen.seals(token.session.viewer) {
            // Other nodes know it without a message.
            return;
        }
        // Nobody has the token yet who could end it.
        let life = seen.shared.life();
        seen.shared.keep(token.hash, token.session, token.created_at, life);
    }

    /// The owner of the token; `None` when it is invalid. No I/O while the node remembers the token or can judge it by itself; the
    /// others are looked up together.
    pub async fn viewer(&self, token: &str) -> Result<Option<Viewer>, StoreError> {
        let Some(shown) = Shown::parse(token) else { return Ok(None) };
        let found = match self.seen.remembered(&shown.hash).or_else(|| self.seen.judge(&shown)) {
            Some(found) => found,
            None => self.look_ups.find(shown.hash).await,
        };
        found.map(|viewer| viewer.map(|viewer| self.seen.judged(viewer)))
    }

    /// Revokes a token on this node immediately and returns it; `None` when it was invalid. The caller notifies other nodes.
    pub async fn end(&self, token: &str) -> Result<Option<TokenHash>, StoreError> {
        let Some(hash) = hash_of(token) else { return Ok(None) };
        let existed = store::write!(&self.seen.db, |conn| sql::accounts::delete_token(conn, &hash).await)?;
        self.seen.end(hash, self.seen.clock.now());
        Ok(existed.then_some(hash))
    }

    /// Marks a token that was ended for the nodes that don't hear of it.
    pub async fn mark_ended(&self, hash: TokenHash) {
        self.seen.shared.end(hash).await;
    }

    /// Takes note of a token that was ended somewhere.
    pub fn heard(&self, hash: TokenHash) {
        self.seen.end(hash, self.seen.clock.now());
        // Who ended it may have been unable to say so there, or has gone.
        self.seen.shared.end_soon(hash);
    }

    /// Calls this with each token that ends from now on, here or elsewhere, once it is forgotten.
    pub fn when_tokens_end(&self, tell: TellEnd) {
        *self.seen.told.lock() = Some(tell);
    }

    /// From now on sign-outs may happen elsewhere; see [`Self::hears`].
    pub fn follows_others(&self) {
        self.seen.doubt.follows.store(true, Ordering::Release);
    }

    /// Announcements of sign-outs arrive.
    pub fn hears(&self) {
        self.seen.doubt.heard_at.fetch_max(self.seen.clock.now().as_millis(), Ordering::AcqRel);
    }

    /// Forgets all tokens that work: sign-outs may have been missed.
    pub fn doubt_all(&self) {
        self.seen.known.clear();
    }

    /// Removes expired tokens from the database and says how many.
    pub async fn purge_expired(&self) -> Result<usize, StoreError> {
        let mut total = 0;
        loop {
            let now = self.seen.clock.now();
            let (purged, revocations) = store::write!(&self.seen.db, |conn| {
                let purged = sql::accounts::purge_tokens(conn, now, PURGE_BATCH).await?;
                // The triggers have just added those.
                Ok((purged, sql::revocations::purge(conn, now, PURGE_BATCH * 2).await?))
            })?;
            total += purged;
            if purged < PURGE_BATCH && revocations < PURGE_BATCH * 2 {
                return Ok(total);
            }
        }
    }

    /// Waits until renewals so far are written.
    pub async fn flush(&self) {
        self.seen.renewals.flush().await;
        #[cfg(test)]
        self.seen.shared.flush().await;
    }

    /// The cache that nodes share.
    #[cfg(test)]
    pub fn shared(&self) -> &Shared {
        &self.seen.shared
    }

    /// How many tokens the node knows something about.
    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.seen.known.len() + self.seen.ended.len() + self.seen.nobodys.len()
    }
}

impl Seen {
    /// The cached result for a token, if it is fresh enough: its owner, or that it is invalid.
    fn remembered(&self, hash: &TokenHash) -> Option<Answer> {
        let now = self.clock.now();
        // The ended ones first: a look-up that was under way may have put a token back for the moment until it notices.
        if self.ended.get(hash).is_some_and(|ended_at| self.is_fresh(ended_at, now)) {
            return Some(Ok(None));
        }
        if let Some(known) = self.known.get(hash)
            && self.is_fresh(known.checked_at, now)
            && self.renew(hash, &known, now)
        {
            return Some(Ok(Some(known.viewer)));
        }
        self.nobodys.get(hash).filter(|checked_at| self.is_fresh(*checked_at, now)).map(|_| Ok(None))
    }

    /// Answers what the shared place knows, and hands on the rest.
    async fn ask_shared(self: Arc<Self>, asked: Vec<Asked>, rest: mpsc::Sender<Asked>) {
        let tokens: Vec<TokenHash> = asked.iter().map(|asked| asked.token).collect();
        let (found, life) = self.shared.find(&tokens).await;
        let now = self.clock.now();
        for (mut asked, found) in asked.into_iter().zip(found) {
            let viewer = match found {
                Found::Ended => {
                    self.end(asked.token, now);
                    Some(None)
                }
                Found::Live(live) => self.believe(asked.token, &live, now).map(Some),
                Found::Nothing => None,
            };
            if let Some(viewer) = viewer {
                self.metrics.tokens_shared.inc();
                asked.answer(&Ok(viewer));
            } else {
                asked.life = life;
                // Refused only when the task is gone; dropping it answers.
                let _ = rest.try_send(asked);
            }
        }
    }

    /// Answers all of them with one statement.
    async fn ask_database(self: Arc<Self>, asked: Vec<Asked>) {
        self.metrics.token_lookups.inc_by(asked.len() as u64);
        self.metrics.token_lookup_calls.inc();
        let now = self.clock.now();
        let tokens: Vec<TokenHash> = asked.iter().map(|asked| asked.token).collect();
        match store::read!(&self.db, |conn| sql::accounts::find_tokens(conn, &tokens).await) {
            Ok(found) => {
                for asked in asked {
                    let viewer = self.take(&asked, found.get(&asked.token).copied(), now);
                    asked.answer(&Ok(viewer));
                }
            }
            Err(error) => {
                let answer: Answer = Err(error);
                for asked in asked {
                    asked.answer(&answer);
                }
            }
        }
    }

    /// Takes note of what the database said at `now`.
    fn take(&self, asked: &Asked, found: Option<StoredToken>, now: Timestamp) -> Option<Viewer> {
        let hash = asked.token;
        let session = found.map(|stored| self.session(stored)).filter(|session| now < session.expires_at);
        let Some(session) = session else {
            self.nobodys.insert(hash, now);
            self.known.remove(&hash);
            return None;
        };
        let known = self.learn(hash, session, now)?;
        self.renew(&hash, &known, now);
        let expires_at = Timestamp::from_millis(known.expires_at.load(Ordering::Acquire));
        self.shared.keep(hash, Session { expires_at, ..session }, now, asked.life);
        Some(session.viewer)
    }

    /// The session of a stored token. Those of staff end some time after the sign-in, however much they are used.
    fn session(&self, stored: StoredToken) -> Session {
        let StoredToken { viewer, created_at, expires_at } = stored;
        let ends_at = if viewer.role.is_staff() { created_at.plus(self.staff_session) } else { Timestamp::MAX };
        Session { viewer, expires_at: expires_at.min(ends_at), ends_at }
    }

    /// Staff without a second factor where the shop requires one has the rights of a buyer.
    fn judged(&self, viewer: Viewer) -> Viewer {
        let wanting = self.requires_second_factor && viewer.role.is_staff() && viewer.proof == Proof::Password;
        if wanting { Viewer { proof: Proof::Wanting, ..viewer } } else { viewer }
    }

    /// Takes another node's word for a token, for as long as that node does; `None` when the database has to be asked.
    fn believe(&self, hash: TokenHash, live: &Live, now: Timestamp) -> Option<Viewer> {
        let checked_at = now.minus(live.age);
        if !self.is_fresh(checked_at, now) || live.session.expires_at.min(live.session.ends_at) <= now {
            return None;
        }
        let known = self.learn(hash, live.session, checked_at)?;
        self.renew(&hash, &known, now);
        Some(live.session.viewer)
    }

    /// Remembers what was looked up, unless the token has ended since.
    fn learn(&self, hash: TokenHash, session: Session, checked_at: Timestamp) -> Option<Arc<Known>> {
        let known = self.know(hash, session, checked_at);
        // It may have been signed out while it was looked up. `end` marks first and removes second, here it is the other
        // way round: in any order of the four steps the token ends up forgotten.
        if self.ended.get(&hash).is_some_and(|ended_at| ended_at >= checked_at) {
            self.known.remove(&hash);
            return None;
        }
        Some(known)
    }

    fn know(&self, hash: TokenHash, session: Session, checked_at: Timestamp) -> Arc<Known> {
        let Session { viewer, expires_at, ends_at } = session;
        let expires_at = AtomicI64::new(expires_at.as_millis());
        let known = Arc::new(Known { viewer, checked_at, ends_at, expires_at });
        self.known.insert(hash, known.clone());
        known
    }

    /// Takes note of a token that was signed out.
    fn end(&self, hash: TokenHash, now: Timestamp) {
        self.ended.insert(hash, now);
        self.known.remove(&hash);
        self.tell(&hash);
    }

    fn tell(&self, hash: &TokenHash) {
        if let Some(tell) = &*self.told.lock() {
            tell(hash);
        }
    }

    /// Whether what was found at `checked_at` may still be relied on. A clock that was set back makes it stale.
    fn is_fresh(&self, checked_at: Timestamp, now: Timestamp) -> bool {
        checked_at <= now && now.since(checked_at) < self.doubt.limit(self.trust, now)
    }

    /// Slides the expiry of a token in use, once per `renew_after`, up to the end of its session. `false` when it has expired.
    fn renew(&self, hash: &TokenHash, known: &Known, now: Timestamp) -> bool {
        let expires_at = &known.expires_at;
        let current = expires_at.load(Ordering::Acquire);
        let (expires, renewed) = (Timestamp::from_millis(current), now.plus(self.lifetime).min(known.ends_at));
        if expires.min(known.ends_at) <= now {
            return false;
        }
        let due = renewed > expires && renewed.since(expires) >= self.renew_after;
        let next = renewed.as_millis();
        if due
            && expires_at.compare_exchange(current, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            && !self.renewals.offer((*hash, renewed))
        {
            // The queue is full: the next use tries again.
            expires_at.store(current, Ordering::Release);
            self.metrics.token_renewals_deferred.inc();
        }
        true
    }
}

/// A renewal that can't be written is only logged: the node asks the database again soon, sees the old expiry, and the next
/// use renews.
async fn write_renewals(db: Database, renewals: Vec<(TokenHash, Timestamp)>) {
    let tokens = renewals.len();
    let written = store::write!(&db, |conn| sql::accounts::renew_tokens(conn, &renewals).await);
    if let Err(error) = written {
        tracing::warn!(%error, tokens, "could not renew access tokens");
    }
}

#[cfg(test)]
mod tests;
