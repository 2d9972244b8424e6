//! Access tokens in Redis (`tokens.lua`).

use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use redis::Cmd;

use super::{RedisGate, server, wire};
use crate::accounts::{Found, Kept, Life, Live, SharedError, SharedTokens};
use crate::gate::GateError;
use crate::kernel::gather::BATCH;
use crate::kernel::{Timestamp, UserId};
use crate::model::accounts::{Proof, Role, Session, TokenHash, Viewer};

/// How it is written whether a sign-in was proven with a second factor.
const PROVEN: &str = "proven";
const UNPROVEN: &str = "password";

/// What the nodes of the distributed profile know of tokens, over the connections for all but admissions. Everything is answered
/// with an error at once while there is no connection.
pub struct RedisTokens {
    gate: RedisGate,
}

impl RedisTokens {
    /// On the server of this gate.
    pub fn new(gate: &RedisGate) -> Self {
        Self { gate: gate.clone() }
    }
}

#[async_trait]
impl SharedTokens for RedisTokens {
    async fn find(&self, tokens: &[TokenHash]) -> Result<(Vec<Found>, Life), SharedError> {
        let (mut all, mut oldest) = (Vec::with_capacity(tokens.len()), None);
        for piece in pieces(tokens) {
            let (life, found) = find(&self.gate, piece).await?;
            // What was lost between two calls was lost for all of them.
            if *oldest.get_or_insert(life) != life {
                return Err(SharedError("the server was replaced between two calls".into()));
            }
            for text in found {
                all.push(read(&text)?);
            }
        }
        Ok((all, oldest.unwrap_or_default()))
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

async fn find(gate: &RedisGate, tokens: &[TokenHash]) -> Result<(Life, Vec<String>), GateError> {
    let mut command = function(gate, "find");
    for token in tokens {
        command.arg(text(token));
    }
    let mut found: Vec<String> = call(gate, &command).await?;
    if found.len() != tokens.len() + 1 {
        return Err(wire::unreadable("tokens"));
    }
    let life = found.remove(0).parse().map_err(|_| wire::unreadable("a life"))?;
    Ok((Life(life), found))
}

fn text(token: &TokenHash) -> String {
    BASE64URL_NOPAD.encode(token)
}

fn push(command: &mut Cmd, kept: &Kept) {
    let Live { session: Session { viewer, expires_at, ends_at }, age } = &kept.live;
    command.arg(text(&kept.token)).arg(kept.life.0).arg(age.as_millis() as u64).arg(kept.lasting.as_millis() as u64);
    let proof = if viewer.proof == Proof::SecondFactor { PROVEN } else { UNPROVEN };
    let (role, expires_at, ends_at) = (viewer.role.as_str(), expires_at.as_millis(), ends_at.as_millis());
    command.arg(format!("{} {role} {expires_at} {proof} {ends_at}", viewer.id));
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
    // A program that wrote neither of these knew no second factor, and no end of a session that is in use.
    let proof = if words.next() == Some(PROVEN) { Proof::SecondFactor } else { Proof::Password };
    let ends_at = words.next().map_or(Some(expires_at), |text| text.parse().ok().map(Timestamp::from_millis))?;
    Some(Live { session: Session { viewer: Viewer { id, role, proof }, expires_at, ends_at }, age })
}

impl From<GateError> for SharedError {
    fn from(error: GateError) -> Self {
        Self(error.0)
    }
}
