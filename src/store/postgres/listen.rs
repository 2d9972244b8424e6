//! Hears at once of what the database tells by `NOTIFY`, on a connection of its own. A pooler that lends connections for one
//! transaction loses notifications silently, so the connection sends itself one now and then and waits for it.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;

use super::Store;
use crate::kernel::errors::chain;
use crate::store::StoreError;

/// How long the connection's own notification may take.
const PROBE_WITHIN: Duration = Duration::from_secs(2);

/// How often the connection sends itself one.
const PROBE_EVERY: Duration = Duration::from_secs(30);

impl Store {
    /// See [`crate::store::Database::listen`].
    pub async fn listen(&self, channel: &str, news: &Notify) -> (StoreError, bool) {
        let mut worked = false;
        (self.listen_once(channel, news, &mut worked).await, worked)
    }

    async fn listen_once(&self, channel: &str, news: &Notify, worked: &mut bool) -> StoreError {
        let dialled = timeout(self.work_timeout, self.manager.dialler().connect()).await;
        let (client, mut driver) = match dialled {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return error,
            Err(_) => return late("no connection"),
        };
        let own = self.origin();
        let echo = Notify::new();
        let drive = async {
            loop {
                match poll_fn(|context| driver.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(told))) if told.payload() == own => echo.notify_one(),
                    Some(Ok(AsyncMessage::Notification(told))) if told.payload().is_empty() => news.notify_one(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return StoreError::unavailable(chain(&error)).caused_by(error),
                    None => return late("the connection was closed"),
                }
            }
        };
        let probe = async {
            let listen = format!("LISTEN {channel}");
            match timeout(PROBE_WITHIN, client.batch_execute(&listen)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return StoreError::unavailable(chain(&error)).caused_by(error),
                Err(_) => return late("LISTEN"),
            }
            loop {
                let told = async {
                    client.execute("SELECT pg_notify($1, $2)", &[&channel, &own]).await?;
                    echo.notified().await;
                    Ok::<_, tokio_postgres::Error>(())
                };
                match timeout(PROBE_WITHIN, told).await {
                    Ok(Ok(())) => *worked = true,
                    Ok(Err(error)) => return StoreError::unavailable(chain(&error)).caused_by(error),
                    Err(_) => return late("the connection's own notification"),
                }
                sleep(PROBE_EVERY).await;
            }
        };
        let (mut drive, mut probe) = (pin!(drive), pin!(probe));
        tokio::select! {
            error = &mut drive => error,
            error = &mut probe => error,
        }
    }
}

fn late(what: &str) -> StoreError {
    StoreError::unavailable(format!("{what}: nothing came within {PROBE_WITHIN:?}"))
}
