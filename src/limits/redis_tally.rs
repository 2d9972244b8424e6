//! Counters in Redis (`tally.lua`). Acts share calls (see [`gather`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::tally::{Over, Tally, TallyError, Use};
use crate::kernel::gather;
use crate::redis_client::{Cmd, Library, RedisClient, RedisError};

/// The function of the counters. Its text still names the former place of the contract: a version of a library is never changed.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::compiled_in(include_str!("tally.lua")));

/// Calls on their way at most. With a second between question and answer that is still 4,000 acts a second.
const CALLS: usize = 16;

/// So many keys over a limit are remembered at once (about 100 bytes each). A key that was evicted is counted again.
const REMEMBERED: usize = 10_000;

/// The counters of the distributed profile, over the connections for all but admissions. What finds the queue full is answered
/// with an error at once, and so is everything while there is no connection. Their library must be among those that the client loads.
pub struct RedisTally {
    queue: mpsc::Sender<Act>,
    full: Arc<Full>,
    _task: AbortOnDropHandle<()>,
}

struct Act {
    uses: Vec<Use>,
    /// Nobody waits for it when it was only noted.
    answer: Option<oneshot::Sender<Result<Result<(), Over>, TallyError>>>,
}

/// Buckets that Redis said are full, and until when.
struct Full {
    since: Instant,
    until: Cache<String, Instant>,
    /// The latest of them, in microseconds after `since`: most of the time nobody is over anything.
    latest: AtomicU64,
}

impl RedisTally {
    /// Up to `waiting` acts wait for Redis. Needs a tokio runtime.
    pub fn new(client: &RedisClient, waiting: usize) -> Self {
        let (queue, acts) = mpsc::channel(waiting.max(1));
        let full = Arc::new(Full::default());
        let (client, known) = (client.clone(), full.clone());
        let task = tokio::spawn(gather::run("redis-calls", CALLS, acts, move |acts| {
            answer(client.clone(), known.clone(), acts)
        }));
        Self { queue, full, _task: AbortOnDropHandle::new(task) }
    }

    /// Their functions, as this version of the program knows them.
    pub fn library() -> &'static Library {
        &LIBRARY
    }

    fn enter(&self, act: Act) -> Result<(), TallyError> {
        self.queue.try_send(act).map_err(|_| TallyError("the queue of the shared counters is full".to_owned()))
    }
}

#[async_trait]
impl Tally for RedisTally {
    async fn count(&self, uses: Vec<Use>) -> Result<Result<(), Over>, TallyError> {
        if let Some(over) = self.full.find(&uses) {
            return Ok(Err(over));
        }
        let (answer, receiver) = oneshot::channel();
        self.enter(Act { uses, answer: Some(answer) })?;
        receiver.await.map_err(|_| TallyError("there was no response".to_owned()))?
    }

    fn note(&self, uses: Vec<Use>) -> Result<Result<(), Over>, TallyError> {
        if let Some(over) = self.full.find(&uses) {
            return Ok(Err(over));
        }
        self.enter(Act { uses, answer: None })?;
        Ok(Ok(()))
    }
}

impl Default for Full {
    fn default() -> Self {
        Self { since: Instant::now(), until: Cache::new(REMEMBERED), latest: AtomicU64::new(0) }
    }
}

impl Full {
    /// The first of the buckets that is full.
    fn find(&self, uses: &[Use]) -> Option<Over> {
        let now = Instant::now();
        if self.micros(now) >= self.latest.load(Ordering::Acquire) {
            return None;
        }
        let wait = |one: &Use| self.until.get(&bucket(one))?.checked_duration_since(now);
        let mut waits = uses.iter().map(wait).enumerate();
        waits.find_map(|(index, wait)| Some(Over { index, wait: wait.filter(|wait| !wait.is_zero())? }))
    }

    fn add(&self, one: &Use, wait: Duration) {
        let until = Instant::now() + wait;
        self.until.insert(bucket(one), until);
        self.latest.fetch_max(self.micros(until), Ordering::AcqRel);
    }

    fn micros(&self, at: Instant) -> u64 {
        at.duration_since(self.since).as_micros() as u64
    }
}

async fn answer(client: RedisClient, full: Arc<Full>, acts: Vec<Act>) {
    let answers = count(&client, &acts).await;
    for (number, act) in acts.into_iter().enumerate() {
        let answer = answers.as_ref().map_err(Clone::clone).map(|answers| answers[number]);
        if let Ok(Err(over)) = answer
            && let Some(one) = act.uses.get(over.index)
        {
            full.add(one, over.wait);
        }
        if let Some(waiting) = act.answer {
            // Who asked may have gone.
            let _ = waiting.send(answer);
        }
    }
}

async fn count(client: &RedisClient, acts: &[Act]) -> Result<Vec<Result<(), Over>>, TallyError> {
    let mut command = client.function(LIBRARY.name(), "count");
    for act in acts {
        command.arg(act.uses.len());
        act.uses.iter().for_each(|one| push(&mut command, one));
    }
    let answer: Vec<u64> = client.call(&command).await?;
    if answer.len() != 2 * acts.len() {
        return Err(RedisError::unreadable("a count").into());
    }
    let over = |pair: &[u64]| match pair[0] {
        0 => Ok(()),
        number => Err(Over { index: number as usize - 1, wait: Duration::from_micros(pair[1]) }),
    };
    Ok(answer.chunks_exact(2).map(over).collect())
}

fn bucket(one: &Use) -> String {
    format!("{}:{}", one.limit, one.who)
}

fn push(command: &mut Cmd, one: &Use) {
    let interval = (one.window / one.quota.get()).as_micros() as u64;
    command.arg(bucket(one)).arg(interval).arg(interval * u64::from(one.quota.get() - 1));
}

impl From<RedisError> for TallyError {
    fn from(error: RedisError) -> Self {
        Self(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_its_name() {
        assert!(LIBRARY.names_itself("doorbuster_tally_v"));
    }
}
