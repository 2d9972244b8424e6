//! The opening second: each buyer shows a token that the node has never seen. Against the same purchases of buyers whom it has.

use super::Scratch;
use super::purchase::{Setup, Writes};
use super::report::{Row, Target};

/// The least share of the rate of known buyers at which strangers are served.
pub(super) const SHARE: f64 = 0.85;

/// Measures all in turns. Every part of the buyers is a stranger once.
pub async fn run(rounds: usize) -> anyhow::Result<[Row; 3]> {
    let (accepting, writing) = (Scratch::new("strangers")?, Scratch::new("strangers-writing")?);
    let accepts = Setup::new(&accepting, 3 * (rounds + 1), Writes::Tickets).await?;
    let writes = Setup::new(&writing, 2 * (rounds + 1), Writes::Orders).await?;
    let mut rows = [
        ("accepted purchases, strangers / known", Vec::new(), Vec::new()),
        ("sold-out answers, strangers / known", Vec::new(), Vec::new()),
        ("written as orders, strangers / known", Vec::new(), Vec::new()),
    ];
    // The first round warms up caches and is not counted.
    for round in 0..=rounds {
        let [known, strangers, late] = [0, 1, 2].map(|part| accepts.part(3 * round + part));
        accepts.greet(known).await?;
        let (seen, unseen) = (writes.part(2 * round), writes.part(2 * round + 1));
        writes.greet(seen).await?;
        // Each pair in another order in each round: what runs second finds a larger database.
        let results = if round.is_multiple_of(2) {
            [
                (accepts.accepted(strangers, round).await?, accepts.accepted(known, round).await?),
                (accepts.sold_out(late, round).await?, accepts.sold_out(known, round).await?),
                (writes.accepted(unseen, round).await?, writes.accepted(seen, round).await?),
            ]
        } else {
            let swap = |(known, strangers)| (strangers, known);
            [
                swap((accepts.accepted(known, round).await?, accepts.accepted(strangers, round).await?)),
                swap((accepts.sold_out(known, round).await?, accepts.sold_out(late, round).await?)),
                swap((writes.accepted(seen, round).await?, writes.accepted(unseen, round).await?)),
            ]
        };
        if round > 0 {
            for ((_, strangers, known), result) in rows.iter_mut().zip(results) {
                strangers.push(result.0);
                known.push(result.1);
            }
        }
    }
    let target = Target::AtLeast(SHARE);
    Ok(rows.map(|(name, product, known)| Row { name, unit: "per CPU s", product, baseline: Some(known), target }))
}
