//! Access tokens in Redis (`tokens.lua`). Look-ups share calls (see [`gather`]).

use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use redis::Cmd;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::gather::{self, BATCH};
use super::{RedisGate, server, wire};
use crate::accounts::{Found, Kept, Life, Live, Role, SharedError, SharedTokens, TokenHash, Viewer};
use crate::gate::GateError;
use crate::kernel::{Timestamp, UserId};

/// What the nodes of the distributed profile know of tokens, over the connections for all but admissions. A look-up that finds the queue
/// full is answered with an error at once, and so is everything while there is no connection.
pub struct RedisTokens {
    gate: RedisGate,
    queue: mpsc::Sender<LookUp>,
    _task: AbortOnDropHandle<()>,
}

struct LookUp {
    token: TokenHash,
    answer: oneshot::Sender<Result<(Found, Life), GateError>>,
}

impl RedisTokens {
    /// Up to `waiting` look-ups wait for Redis. Needs a tokio runtime.
    pub fn new(gate: &RedisGate, waiting: usize) -> Self {
        let (queue, look_ups) = mpsc::channel(waiting.max(1));
        let asked = gate.clone();
        let task = tokio::spawn(gather::run(look_ups, move |look_ups| answer(asked.clone(), look_ups)));
        Self { gate: gate.clone(), queue, _task: AbortOnDropHandle::new(task) }
    }
}

#[async_trait]
impl SharedTokens for RedisTokens {
    async fn find(&self, token: &TokenHash) -> Result<(Found, Life), SharedError> {
        let (answer, receiver) = oneshot::channel();
        let told = |reason: &str| SharedError(reason.to_owned());
        let look_up = LookUp { token: *token, answer };
        self.queue.try_send(look_up).map_err(|_| told("too many look-ups wait for Redis"))?;
        Ok(receiver.await.map_err(|_| told("the look-up ended without an answer"))??)
    }

    async fn keep(&self, tokens: &[Kept]) -> Result<Life, SharedError> {
        let mut life = Life::default();
        for piece in pieces(tokens) {
            let mut command = function(&self.gate, "keep");
            for kept in piece {
                push(&mut command, kept);
            }
            life = Life(call(&self.gate, &command).await?);
        }
        Ok(life)
    }

    async fn end(&self, tokens: &[TokenHash], lasting: Duration) -> Result<(), SharedError> {
        for piece in pieces(tokens) {
            let mut command = function(&self.gate, "finish");
            command.arg(lasting.as_millis() as u64);
            for token in piece {
                command.arg(text(token));
            }
            let _: u64 = call(&self.gate, &command).await?;
        }
        Ok(())
    }
}

/// One call's share each, and at least one.
fn pieces<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let nothing: Option<&[T]> = all.is_empty().then_some(&[]);
    nothing.into_iter().chain(all.chunks(BATCH))
}

fn function(gate: &RedisGate, name: &str) -> Cmd {
    wire::function(&server::tokens().name, name, &gate.0.prefix)
}

async fn call<T: redis::FromRedisValue>(gate: &RedisGate, command: &Cmd) -> Result<T, GateError> {
    gate.call(command).await
}

async fn answer(gate: RedisGate, look_ups: Vec<LookUp>) {
    let answers = find(&gate, &look_ups).await;
    for (number, look_up) in look_ups.into_iter().enumerate() {
        let answer = match &answers {
            Ok((life, found)) => read(&found[number]).map(|found| (found, *life)),
            Err(error) => Err(error.clone()),
        };
        // Who asked may have gone.
        let _ = look_up.answer.send(answer);
    }
}

async fn find(gate: &RedisGate, look_ups: &[LookUp]) -> Result<(Life, Vec<String>), GateError> {
    let mut command = function(gate, "find");
    for look_up in look_ups {
        command.arg(text(&look_up.token));
    }
    let mut found: Vec<String> = call(gate, &command).await?;
    if found.len() != look_ups.len() + 1 {
        return Err(wire::unreadable("tokens"));
    }
    let life = found.remove(0).parse().map_err(|_| wire::unreadable("a life"))?;
    Ok((Life(life), found))
}

fn text(token: &TokenHash) -> String {
    BASE64URL_NOPAD.encode(token)
}

fn push(command: &mut Cmd, kept: &Kept) {
    let Live { viewer, expires_at, age } = &kept.live;
    command.arg(text(&kept.token)).arg(kept.life.0).arg(age.as_millis() as u64).arg(kept.lasting.as_millis() as u64);
    command.arg(format!("{} {} {}", viewer.id, viewer.role.as_str(), expires_at.as_millis()));
}

fn read(found: &str) -> Result<Found, GateError> {
    match found {
        "" => Ok(Found::Nothing),
        "-" => Ok(Found::Ended),
        live => read_live(live).map(Found::Live).ok_or_else(|| wire::unreadable("a token")),
    }
}

fn read_live(text: &str) -> Option<Live> {
    let mut words = text.split(' ');
    let age = Duration::from_millis(words.next()?.parse().ok()?);
    let id: UserId = words.next()?.parse().ok()?;
    let role = Role::parse(words.next()?)?;
    let expires_at = Timestamp::from_millis(words.next()?.parse().ok()?);
    Some(Live { viewer: Viewer { id, role }, expires_at, age })
}

impl From<GateError> for SharedError {
    fn from(error: GateError) -> Self {
        Self(error.0)
    }
}
