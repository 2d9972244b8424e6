//! A closed loop of requests over kept-alive connections. It finds the cost of a request, not its latency.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use doorbuster::demo::client::{Client, Fault};
use doorbuster::demo::usage::cpu_time;

/// Connections that send at the same time: a rush is many buyers at once, which is what batches live on.
pub const CONNECTIONS: usize = 256;

/// One request.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Access token.
    pub token: String,
    /// JSON.
    pub body: Bytes,
}

/// Sends all shots and returns how many answers contained `wanted`.
pub async fn drive(address: SocketAddr, shots: Vec<Shot>, wanted: &'static [u8]) -> Result<usize, Fault> {
    drive_at(address, "/graphql", shots, wanted).await
}

/// The same at another path.
pub async fn drive_at(
    address: SocketAddr,
    path: &'static str,
    shots: Vec<Shot>,
    wanted: &'static [u8],
) -> Result<usize, Fault> {
    let share = shots.len().div_ceil(CONNECTIONS).max(1);
    let mut workers = JoinSet::new();
    for chunk in shots.chunks(share) {
        let chunk = chunk.to_vec();
        workers.spawn(async move {
            let mut client = Client::new(address, Duration::from_secs(60));
            let mut hits = 0;
            for shot in chunk {
                client = client.with_token(&shot.token);
                let answer = client.post(path, shot.body).await?;
                let hit = answer.windows(wanted.len()).any(|window| window == wanted);
                if !hit && hits == 0 {
                    let text = String::from_utf8_lossy(&answer).into_owned();
                    return Err(Fault::Malformed(text));
                }
                hits += usize::from(hit);
            }
            Ok(hits)
        });
    }
    let mut hits = 0;
    while let Some(done) = workers.join_next().await {
        hits += done.map_err(|error| Fault::Broken(error.to_string()))??;
    }
    Ok(hits)
}

/// Sends all shots, so many at a time, each once, and returns how many answers contained `wanted` and came in time.
pub async fn rush(
    address: SocketAddr,
    shots: Vec<Shot>,
    connections: usize,
    wanted: &'static [u8],
    within: Duration,
) -> usize {
    let share = shots.len().div_ceil(connections).max(1);
    let mut workers = JoinSet::new();
    for chunk in shots.chunks(share) {
        let chunk = chunk.to_vec();
        workers.spawn(async move {
            let mut client = Client::new(address, Duration::from_secs(60));
            let mut good = 0;
            for shot in chunk {
                client = client.with_token(&shot.token);
                let began = Instant::now();
                // Being turned away is an answer, and so is a connection that was not taken: neither is a good one.
                let Ok(answer) = client.post("/graphql", shot.body).await else { continue };
                let hit = answer.windows(wanted.len()).any(|window| window == wanted);
                good += usize::from(hit && began.elapsed() <= within);
            }
            good
        });
    }
    workers.join_all().await.into_iter().sum()
}

/// CPU seconds that the process used since `before`.
pub fn cpu_since(pid: u32, before: Duration) -> anyhow::Result<f64> {
    let now = cpu_time(pid).ok_or_else(|| anyhow::anyhow!("the process {pid} is gone"))?;
    Ok(now.saturating_sub(before).as_secs_f64())
}

/// CPU time of the process so far.
pub fn cpu_now(pid: u32) -> anyhow::Result<Duration> {
    cpu_time(pid).ok_or_else(|| anyhow::anyhow!("the process {pid} is gone"))
}
