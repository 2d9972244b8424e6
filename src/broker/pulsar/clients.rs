//! Connections to the brokers: one client per use, replaced when it is wedged.
//!
//! A look-up or a build that is cancelled while its client connects leaves that client waiting for itself for ever. So they
//! run in tasks of their own that nobody cancels; one that takes too long is abandoned together with its client.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use ::pulsar::{ConnectionRetryOptions, OperationRetryOptions, Pulsar, TokioExecutor};
use tokio::sync::Mutex;

use super::token::Token;
use crate::broker::BrokerError;
use crate::config;
use crate::tls::{self, Roots, TlsError};

/// A client of the brokers.
pub(super) type Client = Pulsar<TokioExecutor>;

/// What a client is for. Acknowledgements must not wait behind messages, nor one kind of them behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Produce,
    Consume,
    Hear,
}

/// The clients of this process.
pub(super) struct Clients {
    config: config::Broker,
    slots: [Mutex<Slot>; 3],
}

#[derive(Default)]
struct Slot {
    client: Option<Client>,
    generation: u64,
    failures: u32,
}

/// Failures in a row after which a client is replaced.
const PATIENCE: u32 = 2;
/// Frames that may wait to be written to one connection.
const OUTBOUND: usize = 4_096;
/// The first wait between two tries to connect.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
/// Tries to connect, or to repeat a refused operation, before the supervisor takes over.
const RETRIES: u32 = 6;

impl Clients {
    pub(super) fn new(config: config::Broker) -> Self {
        Self { config, slots: Default::default() }
    }

    const fn slot(&self, of: Use) -> &Mutex<Slot> {
        &self.slots[of as usize]
    }

    /// The longest that a sound client can take for anything.
    fn limit(&self) -> Duration {
        *self.config.operation_timeout * 3
    }

    /// The present client, connected if need be, and its generation.
    async fn get(&self, of: Use) -> Result<(u64, Client), BrokerError> {
        let mut slot = self.slot(of).lock().await;
        if let Some(client) = &slot.client {
            return Ok((slot.generation, client.clone()));
        }
        // Read for each client, so that the file can be replaced while the node runs.
        let roots = roots(&self.config)?;
        let client = finish(self.limit(), build(self.config.clone(), roots)).await.map_err(Failed::told)?;
        slot.generation += 1;
        slot.failures = 0;
        slot.client = Some(client.clone());
        tracing::debug!(purpose = ?of, generation = slot.generation, "connected to the brokers");
        Ok((slot.generation, client))
    }

    /// Builds something with the client. Returns the generation too, for [`Self::abandon`].
    pub(super) async fn attach<T, F>(
        &self,
        of: Use,
        make: impl FnOnce(Client) -> F + Send,
    ) -> Result<(u64, T), BrokerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ::pulsar::Error>> + Send + 'static,
    {
        let (generation, client) = self.get(of).await?;
        let made = finish(self.limit(), make(client)).await;
        let mut slot = self.slot(of).lock().await;
        if slot.generation == generation {
            slot.failures = match made {
                Ok(_) => 0,
                Err(Failed::Soon(_)) => slot.failures + 1,
                Err(Failed::Late) => PATIENCE,
            };
            if slot.failures >= PATIENCE {
                slot.client = None;
            }
        }
        Ok((generation, made.map_err(Failed::told)?))
    }

    /// Gives up a client that no longer does what it should.
    pub(super) async fn abandon(&self, of: Use, generation: u64) {
        let mut slot = self.slot(of).lock().await;
        if slot.generation == generation && slot.client.take().is_some() {
            tracing::warn!(purpose = ?of, generation, "replaced the connection to the brokers");
        }
    }
}

enum Failed {
    Soon(String),
    /// Still at work, with a client that may be wedged.
    Late,
}

impl Failed {
    fn told(self) -> BrokerError {
        BrokerError::Unavailable(match self {
            Self::Soon(reason) => reason,
            Self::Late => "the brokers did not respond in time".into(),
        })
    }
}

/// Waits for work that goes on by itself when it takes too long.
async fn finish<T, F>(limit: Duration, work: F) -> Result<T, Failed>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ::pulsar::Error>> + Send + 'static,
{
    match tokio::time::timeout(limit, tokio::spawn(work)).await {
        Ok(Ok(Ok(made))) => Ok(made),
        Ok(Ok(Err(error))) => Err(Failed::Soon(error.to_string())),
        Ok(Err(error)) => Err(Failed::Soon(error.to_string())),
        Err(_) => Err(Failed::Late),
    }
}

/// The authorities of `broker.tls_roots`.
pub(super) fn roots(config: &config::Broker) -> Result<Option<Vec<u8>>, BrokerError> {
    if config.tls_roots.is_empty() {
        return Ok(None);
    }
    let path = PathBuf::from(&config.tls_roots);
    let refused = |error: TlsError| BrokerError::Refused(format!("broker.tls_roots: {error}"));
    // What the library can't read it leaves out without notice.
    Roots::File(path.clone()).read().map_err(refused)?;
    tls::read(&path).map(Some).map_err(refused)
}

async fn build(config: config::Broker, roots: Option<Vec<u8>>) -> Result<Client, ::pulsar::Error> {
    let connection = ConnectionRetryOptions {
        min_backoff: RECONNECT_MIN,
        max_backoff: *config.reconnect_max,
        max_retries: RETRIES,
        connection_timeout: *config.operation_timeout,
        keep_alive: *config.keep_alive,
        ..ConnectionRetryOptions::default()
    };
    let operation = OperationRetryOptions {
        operation_timeout: *config.operation_timeout,
        retry_delay: Duration::from_millis(500),
        max_retries: Some(RETRIES),
    };
    let mut builder = Pulsar::builder(config.url.expose(), TokioExecutor)
        .with_connection_retry_options(connection)
        .with_operation_retry_options(operation)
        .with_outbound_channel_size(OUTBOUND);
    if let Some(roots) = roots {
        builder = builder.with_certificate_chain(roots);
    }
    let token = Token::of(&config);
    if !matches!(token, Token::None) {
        builder = builder.with_auth_provider(Box::new(token));
    }
    builder.build().await
}
