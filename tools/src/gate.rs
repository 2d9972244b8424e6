//! Admissions through the gate in Redis, as the coalescer asks for them under load, against `redis-benchmark` calling the same
//! function for one buyer at a time with 16 calls on their way per connection. And against the same calls over one connection without
//! bb8, which is what the pool costs.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::Instant;

use super::report::{Row, Target};
use doorbuster::app::open_redis;
use doorbuster::config::{self, Config, Secret};
use doorbuster::gate::{Attempt, Decision, Gate as _, GateError, RedisGate};
use doorbuster::kernel::{Clock, Rng, SaleId, UserId};
use doorbuster::model::gate::{SaleTerms, SaleVersion};

/// Admissions of a round.
const ADMISSIONS: usize = 100_000;
/// Attempts in a call: `gate.batch`.
const PER_CALL: usize = 64;
/// Calls of the sale on their way.
const IN_FLIGHT: usize = 2;
/// Calls on their way per connection of `redis-benchmark`, and its connections.
const PIPELINE: (&str, &str) = ("16", "50");
/// What the pool may cost: a tenth.
const LEAST_WITH_BB8: f64 = 0.9;

const KNOWN: SaleVersion = SaleVersion::of_epoch(1);

/// One way to ask for admissions.
trait Call: Fn(Vec<Attempt>) -> BoxFuture<'static, Result<Vec<Decision>, GateError>> + Clone + Send + 'static {}

impl<T> Call for T where
    T: Fn(Vec<Attempt>) -> BoxFuture<'static, Result<Vec<Decision>, GateError>> + Clone + Send + 'static
{
}

/// Measures all in turns on the server at `url`, `redis://HOST:PORT`, each round on a sale of its own.
pub async fn run(rounds: usize, url: &str) -> anyhow::Result<[Row; 2]> {
    let [mut pooled, mut baseline, mut bare] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let round = Round::prepare(url).await?;
        let link = round.gate.bare_link().await?;
        baseline.push(round.benchmark().await?);
        let (gate, [first, _, second]) = (round.gate.clone(), round.sales);
        let pool = move |attempts| {
            let gate = gate.clone();
            async move { gate.admit(first, KNOWN, attempts).await }.boxed()
        };
        pooled.push(round.admissions(pool).await?);
        let apart = move |attempts| {
            let link = link.clone();
            async move { link.admit(second, KNOWN, attempts).await }.boxed()
        };
        bare.push(round.admissions(apart).await?);
        round.clear().await?;
    }
    let row = |name, baseline, least| {
        let target = Target::AtLeast(least);
        Row { name, unit: "per s", product: pooled.clone(), baseline: Some(baseline), target }
    };
    Ok([row("gate admissions", baseline, 1.0), row("gate admissions, pooled / one connection", bare, LEAST_WITH_BB8)])
}

struct Round {
    address: String,
    gate: RedisGate,
    clock: Clock,
    rng: Rng,
    sales: [SaleId; 3],
}

impl Round {
    async fn prepare(url: &str) -> anyhow::Result<Self> {
        let (clock, rng) = (Clock::system(), Rng::system());
        let settings = config::Gate {
            url: Secret::new(url),
            prefix: "doorbuster-bench".to_owned(),
            ..Config::default_embedded().gate
        };
        let gate = RedisGate::new(&open_redis(&settings, &rng).await?, &rng);
        let sales = [(); 3].map(|()| SaleId::generate(&clock, &rng));
        let day = Duration::from_secs(86_400);
        for sale in sales {
            let terms = SaleTerms {
                sale,
                epoch: 1,
                version: 1,
                starts_at: clock.now().minus(day),
                ends_at: clock.now().plus(day),
                limit_per_buyer: 1,
                stock_total: u32::MAX,
                paused: false,
                ended: false,
            };
            gate.rebuild(terms, Vec::new()).await?;
        }
        let address = url
            .strip_prefix("redis://")
            .context("the address of a server without TLS")?
            .trim_end_matches('/')
            .to_owned();
        Ok(Self { address, gate, clock, rng, sales })
    }

    /// Admissions per second, by calls that `admit` makes.
    async fn admissions(&self, admit: impl Call) -> anyhow::Result<f64> {
        let mut shares: Vec<Vec<Vec<Attempt>>> = vec![Vec::new(); IN_FLIGHT];
        for call in 0..ADMISSIONS / PER_CALL {
            let attempt = |n| Attempt {
                buyer: UserId::generate(&self.clock, &self.rng),
                key: format!("0191d2c4-5b6f-7000-8000-{:012}", call * PER_CALL + n),
                quantity: 1,
            };
            shares[call % IN_FLIGHT].push((0..PER_CALL).map(attempt).collect());
        }
        let begun = Instant::now();
        let tasks = shares.into_iter().map(|calls| {
            let admit = admit.clone();
            tokio::spawn(async move {
                let mut admitted = 0;
                for attempts in calls {
                    let call = admit(attempts);
                    let decisions = call.await?;
                    admitted += decisions.iter().filter(|is| matches!(is, Decision::Admitted { .. })).count();
                }
                anyhow::Ok(admitted)
            })
        });
        let mut admitted = 0;
        for task in tasks.collect::<Vec<_>>() {
            admitted += task.await??;
        }
        anyhow::ensure!(admitted == ADMISSIONS / PER_CALL * PER_CALL, "only {admitted} were admitted");
        Ok(admitted as f64 / begun.elapsed().as_secs_f64())
    }

    /// Calls per second, by its own account; nearly all of its buyers are new ones.
    async fn benchmark(&self) -> anyhow::Result<f64> {
        let (host, port) = self.address.rsplit_once(':').unwrap_or((&self.address, "6379"));
        let requests = ADMISSIONS.to_string();
        let (pipeline, connections) = PIPELINE;
        let mut command = tokio::process::Command::new("redis-benchmark");
        command.args(["-h", host, "-p", port, "-n", &requests, "-c", connections, "-P", pipeline, "--csv"]);
        command.args(["-r", "1000000000"]);
        // Sixteen bytes of buyer, twelve of which it draws, and a key.
        let field = "bnch__rand_int__0191d2c4-5b6f-7000-8000-000000000000";
        command.args(self.gate.admit_command(self.sales[1], 1)).args([field, "1"]);
        let output = command.stdin(Stdio::null()).output().await.context("redis-benchmark (package redis-tools)")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "test","rps","avg_latency_ms",… then one line of values. The name of the test has commas and quotes of its own.
        let rate = text.lines().last().and_then(|line| {
            let values: Vec<&str> = line.rsplitn(8, "\",\"").collect();
            values.get(6)?.trim_matches('"').parse().ok()
        });
        let admitted = self.gate.counts(self.sales[1]).await?.map_or(0, |counts| counts.seq);
        anyhow::ensure!(admitted * 100 > ADMISSIONS as u64 * 99, "redis-benchmark admitted {admitted}: {text}");
        rate.with_context(|| format!("redis-benchmark said: {text}"))
    }

    async fn clear(&self) -> anyhow::Result<()> {
        for sale in self.sales {
            self.gate.forget(sale).await?;
        }
        Ok(())
    }
}
