//! An open loop: requests leave when they are due, whether or not earlier ones were answered, and each is timed from the moment
//! when it was due. So a server that stalls is charged for everybody who would have come meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::load::{CONNECTIONS, Shot};
use doorbuster::demo::client::Client;

/// How long an answer may take at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until the first request is due.
const LEAD: Duration = Duration::from_millis(50);

/// How long the answers took.
#[derive(Debug, Clone)]
pub struct Timed {
    /// In microseconds, from the moment when each was due.
    took: Histogram<u64>,
    /// Answers that were not what was wanted, and those that never came.
    pub bad: usize,
    /// Requests a second that were planned.
    planned: f64,
    /// Answers a second that came.
    answered: f64,
}

impl Timed {
    /// Milliseconds that so many in a hundred took at most.
    pub fn percentile(&self, of_hundred: f64) -> f64 {
        self.took.value_at_percentile(of_hundred) as f64 / 1e3
    }

    /// The whole distribution in one line.
    pub fn line(&self) -> String {
        let [p50, p90, p99, p999, most] = [50.0, 90.0, 99.0, 99.9, 100.0].map(|part| self.percentile(part));
        format!(
            "{:.0} a second planned, {:.0} answered, {} bad; p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, p99.9 {p999:.2}, \
             longest {most:.2} ms",
            self.planned, self.answered, self.bad
        )
    }
}

/// Connections that are open before the first request is due.
struct Pool {
    idle: Mutex<Vec<Client>>,
    free: Semaphore,
}

/// Sends the shots at a constant rate. `wanted`: what a good answer contains.
pub async fn send(
    address: SocketAddr,
    shots: Vec<Shot>,
    per_second: f64,
    wanted: &'static [u8],
) -> anyhow::Result<Timed> {
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = Client::new(address, PATIENCE);
        client.warm_up().await;
        idle.push(client);
    }
    let pool = Arc::new(Pool { idle: Mutex::new(idle), free: Semaphore::new(CONNECTIONS) });
    let (answers, mut answered) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Handle::current();
    let count = shots.len();
    let begun = Instant::now() + LEAD;
    // A thread of its own: the runtime's timers know whole milliseconds only.
    let pace = tokio::task::spawn_blocking(move || {
        for (number, shot) in shots.into_iter().enumerate() {
            let due = begun + Duration::from_secs_f64(number as f64 / per_second);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            runtime.spawn(one(pool.clone(), shot, due, wanted, answers.clone()));
        }
    });
    let mut took = Histogram::new(3)?;
    let mut bad = 0;
    while let Some(answer) = answered.recv().await {
        match answer {
            Some(time) => took.record(u64::try_from(time.as_micros())?)?,
            None => bad += 1,
        }
    }
    pace.await?;
    Ok(Timed { took, bad, planned: per_second, answered: count as f64 / begun.elapsed().as_secs_f64() })
}

async fn one(
    pool: Arc<Pool>,
    shot: Shot,
    due: Instant,
    wanted: &'static [u8],
    answers: mpsc::UnboundedSender<Option<Duration>>,
) {
    let Ok(_place) = pool.free.acquire().await else { return };
    let Some(client) = pool.idle.lock().pop() else { return };
    let mut client = client.with_token(&shot.token);
    let answer = client.post("/graphql", shot.body).await;
    let good = answer.is_ok_and(|answer| answer.windows(wanted.len()).any(|window| window == wanted));
    // The reader has what it needs to know, or is gone.
    let _ = answers.send(good.then(|| due.elapsed()));
    pool.idle.lock().push(client);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that answers nobody until `stall` is over, and then everybody at once.
    async fn stalling(stall: Duration) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, until) = (listener.local_addr().unwrap(), Instant::now() + stall);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        tokio::time::sleep_until(until).await;
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_stall_is_charged_to_everybody_who_would_have_come_meanwhile() {
        let address = stalling(Duration::from_secs(2)).await;
        let shots = vec![Shot { token: "t".into(), body: Bytes::from_static(b"{}") }; 500];
        // More are due during the stall than there are connections: 1,000 a second for half a second.
        let timed = send(address, shots, 1_000.0, b"good").await.unwrap();
        assert_eq!((timed.bad, timed.took.len()), (0, 500));
        // The first waited for nearly all of it, the last for what was left half a second later.
        assert!(timed.percentile(99.0) > 1_200.0, "{}", timed.line());
        assert!(timed.percentile(0.0) > 700.0, "{}", timed.line());
    }
}
