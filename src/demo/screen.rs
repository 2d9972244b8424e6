//! The live table: redrawn in place on a terminal, a line a second elsewhere.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::tally::Tally;
use crate::telemetry::print;

const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Shows the tally until dropped or cancelled. Never returns.
pub async fn watch(tally: &Tally, crowd: u32, stock: u32, opens: Instant) {
    let terminal = std::io::stdout().is_terminal();
    let mut tick = interval(if terminal { REDRAW_EVERY } else { LINE_EVERY });
    let mut drawn = 0;
    loop {
        tick.tick().await;
        drawn = draw(tally, crowd, stock, opens, terminal, drawn);
    }
}

/// Shows the tally once, over the `drawn` lines of the last time. Returns how many lines it took.
pub fn draw(tally: &Tally, crowd: u32, stock: u32, opens: Instant, terminal: bool, drawn: usize) -> usize {
    let text = if terminal { table(tally, crowd, stock, opens) } else { line(tally, opens) };
    let mut out = String::new();
    if drawn > 0 {
        // Up to the first line of the last drawing, and clear from there.
        let _ = write!(out, "\x1b[{drawn}A\x1b[J");
    }
    out.push_str(&text);
    // Output that nobody reads is no reason to stop the sale.
    let _ = print(&out);
    if terminal { text.lines().count() } else { 0 }
}

fn clock(opens: Instant) -> String {
    let now = Instant::now();
    if now < opens {
        format!("opens in {:.0} s", (opens - now).as_secs_f64().ceil())
    } else {
        format!("open for {:.1} s", (now - opens).as_secs_f64())
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn table(tally: &Tally, crowd: u32, stock: u32, opens: Instant) -> String {
    let (answers, pushes) = (tally.answers(), tally.pushes());
    let left = tally.stock.load(Relaxed);
    let left = if left < 0 { "?".to_owned() } else { left.to_string() };
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22}{value}");
    };
    row("sale", clock(opens));
    row("shoppers signed in", format!("{} of {crowd}", tally.signed_in.load(Relaxed)));
    row("arrived", tally.arrived.load(Relaxed).to_string());
    row("admitted", tally.accepted.load(Relaxed).to_string());
    row("orders", tally.ordered.load(Relaxed).to_string());
    row("cancelled", tally.cancelled.load(Relaxed).to_string());
    row("retries", tally.retried.load(Relaxed).to_string());
    row("stock", format!("{left} of {stock}"));
    row("sockets", tally.sockets.load(Relaxed).to_string());
    row("response p50 / p99", format!("{} / {}", ms(answers.p50), ms(answers.p99)));
    row("outcome p50 / p99", format!("{} / {}", ms(pushes.p50), ms(pushes.p99)));
    for (code, count) in tally.refused() {
        row(&format!("rejected {code}"), count.to_string());
    }
    text
}

fn line(tally: &Tally, opens: Instant) -> String {
    let (answers, refused) = (tally.answers(), tally.refused());
    let refused: Vec<String> = refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
    format!(
        "{}: {} signed in, {} arrived, {} admitted, {} orders, stock {}, sockets {}, response p50 {} p99 {}, rejected {}\n",
        clock(opens),
        tally.signed_in.load(Relaxed),
        tally.arrived.load(Relaxed),
        tally.accepted.load(Relaxed),
        tally.ordered.load(Relaxed),
        tally.stock.load(Relaxed),
        tally.sockets.load(Relaxed),
        ms(answers.p50),
        ms(answers.p99),
        if refused.is_empty() { "none".to_owned() } else { refused.join(", ") },
    )
}
