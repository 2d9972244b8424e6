//! Access tokens in Redis (`tokens.lua`).

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;

use super::{Found, Kept, Life, Live, SharedError, SharedTokens};
use crate::kernel::gather::BATCH;
use crate::kernel::{Timestamp, UserId};
use crate::model::accounts::{Proof, Role, Session, TokenHash, Viewer};
use crate::redis_client::{Cmd, Library, RedisClient, RedisError};

/// The functions of the shared tokens.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::compiled_in(include_str!("tokens.lua")));

/// How it is written whether a sign-in was proven with a second factor.
const PROVEN: &str = "proven";
const UNPROVEN: &str = "password";

/// What the nodes of the distributed profile know of tokens, over the connections for all but admissions. Everything is answered
/// with an error at once while there is no connection. Its library must be among those that the client loads.
pub struct RedisTokens {
    client: RedisClient,
}

impl RedisTokens {
    /// On this server.
    pub fn new(client: &RedisClient) -> Self {
        Self { client: client.clone() }
    }

    /// Its functions, as this version of the program knows them.
    pub fn library() -> &'static Library {
        &LIBRARY
    }

    fn function(&self, name: &str) -> Cmd {
        self.client.function(LIBRARY.name(), name)
    }

    async fn find_piece(&self, tokens: &[TokenHash]) -> Result<(Life, Vec<String>), RedisError> {
        let mut command = self.function("find");
        for token in tokens {
            command.arg(text(token));
        }
        let mut found: Vec<String> = self.client.call(&command).await?;
        if found.len() != tokens.len() + 1 {
            return Err(RedisError::unreadable("tokens"));
        }
        let life = found.remove(0).parse().map_err(|_| RedisError::unreadable("a life"))?;
        Ok((Life(life), found))
    }
}

#[async_trait]
impl SharedTokens for RedisTokens {
    async fn find(&self, tokens: &[TokenHash]) -> Result<(Vec<Found>, Life), SharedError> {
        let (mut all, mut oldest) = (Vec::with_capacity(tokens.len()), None);
        for piece in pieces(tokens) {
            let (life, found) = self.find_piece(piece).await?;
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
            let mut command = self.function("keep");
            for kept in piece {
                push(&mut command, kept);
            }
            life = Life(self.client.call(&command).await?);
        }
        Ok(life)
    }

    async fn end(&self, tokens: &[TokenHash], lasting: Duration) -> Result<(), SharedError> {
        for piece in pieces(tokens) {
            let mut command = self.function("finish");
            command.arg(lasting.as_millis() as u64);
            for token in piece {
                command.arg(text(token));
            }
            let _: u64 = self.client.call(&command).await?;
        }
        Ok(())
    }
}

/// One call's share each, and at least one.
fn pieces<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let nothing: Option<&[T]> = all.is_empty().then_some(&[]);
    nothing.into_iter().chain(all.chunks(BATCH))
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

fn read(found: &str) -> Result<Found, RedisError> {
    match found {
        "" => Ok(Found::Nothing),
        "-" => Ok(Found::Ended),
        live => read_live(live).map(Found::Live).ok_or_else(|| RedisError::unreadable("a token")),
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

impl From<RedisError> for SharedError {
    fn from(error: RedisError) -> Self {
        Self(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_its_name() {
        assert!(LIBRARY.names_itself("doorbuster_tokens_v"));
    }
}
