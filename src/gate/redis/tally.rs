//! Counters in Redis (`tally.lua`). Acts that come while a call is under way share the next one.

use std::time::Duration;

use async_trait::async_trait;
use redis::Cmd;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{RedisGate, server, wire};
use crate::gate::{GateError, Over, Tally, Use};

/// Acts in one call at most.
const BATCH: usize = 256;

/// The counters of the distributed profile, over the gate's connections. What finds the queue full is answered with an error at
/// once, and so is everything while there is no connection.
pub struct RedisTally {
    queue: mpsc::Sender<Act>,
    _task: AbortOnDropHandle<()>,
}

struct Act {
    uses: Vec<Use>,
    answer: oneshot::Sender<Result<Result<(), Over>, GateError>>,
}

impl RedisTally {
    /// Up to `waiting` acts wait for Redis. Needs a tokio runtime.
    pub fn new(gate: &RedisGate, waiting: usize) -> Self {
        let (queue, acts) = mpsc::channel(waiting.max(1));
        Self { queue, _task: AbortOnDropHandle::new(tokio::spawn(run(gate.clone(), acts))) }
    }
}

#[async_trait]
impl Tally for RedisTally {
    async fn count(&self, uses: Vec<Use>) -> Result<Result<(), Over>, GateError> {
        let (answer, receiver) = oneshot::channel();
        let full = |_| GateError("too much waits to be counted".to_owned());
        self.queue.try_send(Act { uses, answer }).map_err(full)?;
        receiver.await.map_err(|_| GateError("the runtime is shutting down".to_owned()))?
    }
}

async fn run(gate: RedisGate, mut acts: mpsc::Receiver<Act>) {
    let mut batch = Vec::with_capacity(BATCH);
    while acts.recv_many(&mut batch, BATCH).await > 0 {
        let answers = count(&gate, &batch).await;
        for (number, act) in batch.drain(..).enumerate() {
            let answer = answers.as_ref().map_err(Clone::clone).map(|answers| answers[number]);
            // Who asked may have gone.
            let _ = act.answer.send(answer);
        }
    }
}

async fn count(gate: &RedisGate, acts: &[Act]) -> Result<Vec<Result<(), Over>>, GateError> {
    let mut command = wire::function(&server::tally().name, "count", &gate.0.prefix);
    for act in acts {
        command.arg(act.uses.len());
        act.uses.iter().for_each(|one| push(&mut command, one));
    }
    let link = gate.0.links.last().ok_or_else(|| wire::unreadable("a connection"))?;
    let answer: Vec<u64> = gate.call_on(link, &command).await?;
    if answer.len() != 2 * acts.len() {
        return Err(wire::unreadable("a count"));
    }
    let over = |pair: &[u64]| match pair[0] {
        0 => Ok(()),
        number => Err(Over { index: number as usize - 1, wait: Duration::from_micros(pair[1]) }),
    };
    Ok(answer.chunks_exact(2).map(over).collect())
}

fn push(command: &mut Cmd, one: &Use) {
    let interval = (one.window / one.quota.get()).as_micros() as u64;
    command.arg(format!("{}:{}", one.limit, one.who)).arg(interval).arg(interval * u64::from(one.quota.get() - 1));
}
