//! Libraries of Redis functions, and how a server gets them.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};

use super::error::ConnectError;

/// A library of functions, as this version of the program knows it. A version is never changed, not even in its comments: nodes refuse a
/// server that has the same name with other contents.
pub struct Library {
    name: String,
    code: String,
}

impl Library {
    /// The library with this code, which gives itself a name in its first line.
    pub fn compiled_in(code: &str) -> Self {
        let library = Self { name: name_of(code).to_owned(), code: code.to_owned() };
        #[cfg(feature = "sabotage")]
        let library = sabotaged(library);
        library
    }

    /// The name, with which the names of all its functions begin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the code says its name once for Redis and once for itself, and the name begins like this.
    #[cfg(test)]
    pub(crate) fn names_itself(&self, begins: &str) -> bool {
        self.name.starts_with(begins) && self.code.contains(&format!("local LIB = '{}'\n", self.name))
    }

    /// Makes sure that the server has this very library.
    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        let Self { name, code } = self;
        if listed(connection, name).await?.is_none() {
            let loaded: Result<Value, RedisError> = cmd("FUNCTION").arg("LOAD").arg(code).query_async(connection).await;
            match loaded {
                Ok(_) => return Ok(()),
                // If another node was faster, the library is listed now.
                Err(error) if listed(connection, name).await?.is_none() => return Err(error.into()),
                Err(_) => {}
            }
        }
        let held = listed(connection, name).await?;
        let same = held.is_some_and(|held| contains(&held, code.as_bytes()));
        let other = || {
            let reason =
                format!("its function library {name} has different contents; a changed library needs a new name");
            ConnectError::Unusable(reason)
        };
        same.then_some(()).ok_or_else(other)
    }
}

/// The name that the code gives itself in its first line.
fn name_of(code: &str) -> &str {
    code.lines().next().and_then(|line| line.strip_prefix("#!lua name=")).unwrap_or_default()
}

/// Deliberate mistakes, where the code has their names in comments. The name changes with the code, so that a server can
/// hold both.
#[cfg(feature = "sabotage")]
fn sabotaged(mut library: Library) -> Library {
    let mistakes = [
        ("gate.no_buyer_check", "and false"),
        ("gate.release_without_seq_check", "or true"),
        ("gate.trust_restarted_redis", "or true"),
        ("tokens.overwrite_ended", "or true"),
        ("tokens.trust_another_life", "or true"),
    ];
    for (number, (name, mistake)) in mistakes.into_iter().enumerate() {
        if crate::kernel::sabotage::active(name) {
            let wrong = format!("{}_wrong{number}", library.name);
            let code = library.code.replace(&format!("--[[{name}]]"), mistake).replace(&library.name, &wrong);
            library = Library { name: wrong, code };
        }
    }
    library
}

/// The library as reported by the server, including its code; `None` if there is none with this name.
async fn listed(connection: &mut MultiplexedConnection, name: &str) -> Result<Option<Value>, RedisError> {
    let list = cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(name).arg("WITHCODE").query_async(connection).await?;
    Ok(match list {
        Value::Array(libraries) | Value::Set(libraries) => libraries.into_iter().next(),
        _ => None,
    })
}

fn contains(value: &Value, text: &[u8]) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == text,
        Value::VerbatimString { text: verbatim, .. } => verbatim.as_bytes() == text,
        Value::SimpleString(simple) => simple.as_bytes() == text,
        Value::Array(values) | Value::Set(values) => values.iter().any(|value| contains(value, text)),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| contains(value, text)),
        _ => false,
    }
}

/// Whether the server responded that it does not know the function: somebody flushed its libraries. Told by the text, because Redis
/// gives this error no code but the general `ERR`.
pub(super) fn lacks_function(error: &RedisError) -> bool {
    error.to_string().to_lowercase().contains("function not found")
}
