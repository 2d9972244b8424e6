//! Trades and their refunds, with the gateway's rules. Amounts are whole fen. Knows nothing of the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use doorbuster::kernel::{Rng, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a trade stands, in the protocol's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    WaitBuyerPay,
    TradeSuccess,
    TradeFinished,
    TradeClosed,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WaitBuyerPay => "WAIT_BUYER_PAY",
            Self::TradeSuccess => "TRADE_SUCCESS",
            Self::TradeFinished => "TRADE_FINISHED",
            Self::TradeClosed => "TRADE_CLOSED",
        }
    }
}

/// Money that went back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    pub out_request_no: String,
    pub amount: i64,
    pub at: Timestamp,
    /// How often it was asked for again.
    pub repeats: u32,
}

/// One trade; `out_trade_no` names it.
#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    pub out_trade_no: String,
    pub trade_no: String,
    pub total: i64,
    pub subject: String,
    pub status: Status,
    pub expires_at: Option<Timestamp>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    pub passback_params: Option<String>,
    /// The charset of the shop's request, which its notifications use; UTF-8 when absent.
    #[serde(default)]
    pub charset: Option<String>,
    pub created_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub refunds: Vec<Refund>,
}

impl Trade {
    /// Refunded over all.
    pub fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    /// Books a refund. The trade is closed once all of its money went back.
    fn give_back(&mut self, out_request_no: String, amount: i64, at: Timestamp) -> Refunded {
        self.refunds.push(Refund { out_request_no: out_request_no.clone(), amount, at, repeats: 0 });
        if self.refunded() == self.total {
            self.status = Status::TradeClosed;
            self.closed_at = Some(at);
        }
        Refunded { trade: self.clone(), moved: true, out_request_no }
    }
}

/// The request of a page.
pub struct Wanted {
    pub out_trade_no: String,
    pub total: i64,
    pub subject: String,
    pub expires_at: Option<Timestamp>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    pub passback_params: Option<String>,
    pub charset: Option<String>,
}

/// A refund that the shop asks for.
pub struct RefundRequest<'a> {
    pub out_trade_no: Option<&'a str>,
    pub trade_no: Option<&'a str>,
    pub out_request_no: Option<&'a str>,
    /// In fen.
    pub amount: i64,
    /// Whether the seller's balance is empty.
    pub balance_empty: bool,
    /// The least time between two refunds of one trade.
    pub gap: Duration,
}

/// The result of cancelling a trade.
pub enum Cancelled {
    /// It was not paid, and is closed.
    Closed,
    /// It was paid, and all of it went back.
    Refunded(Box<Refunded>),
    /// It was closed before.
    Already,
}

/// How long after its payment a trade can be cancelled.
const CANCEL_WITHIN: Duration = Duration::from_secs(24 * 3_600);

/// The result of a refund.
pub struct Refunded {
    pub trade: Trade,
    /// Whether money moved now.
    pub moved: bool,
    pub out_request_no: String,
}

/// A sub code of the gateway.
pub type No = &'static str;

/// All trades by `out_trade_no`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Trades(BTreeMap<String, Trade>);

impl Trades {
    pub fn all(&self) -> impl Iterator<Item = &Trade> {
        self.0.values()
    }

    /// The trade of this number or, with precedence, of the gateway's number. An overdue one is closed first.
    pub fn find(
        &mut self,
        out_trade_no: Option<&str>,
        trade_no: Option<&str>,
        now: Timestamp,
    ) -> Result<&mut Trade, No> {
        let trade = match trade_no {
            Some(trade_no) => self.0.values_mut().find(|trade| trade.trade_no == trade_no),
            None => self.0.get_mut(out_trade_no.ok_or("ACQ.INVALID_PARAMETER")?),
        };
        let trade = trade.ok_or("ACQ.TRADE_NOT_EXIST")?;
        if trade.status == Status::WaitBuyerPay && trade.expires_at.is_some_and(|end| end <= now) {
            trade.status = Status::TradeClosed;
            trade.closed_at = trade.expires_at;
        }
        Ok(trade)
    }

    /// The buyer opens the page: the trade begins to exist, or is found again.
    pub fn open(&mut self, wanted: Wanted, now: Timestamp, rng: &Rng) -> Result<Trade, No> {
        if let Ok(trade) = self.find(Some(&wanted.out_trade_no), None, now) {
            return match trade.status {
                _ if trade.total != wanted.total || trade.subject != wanted.subject => Err("ACQ.CONTEXT_INCONSISTENT"),
                Status::WaitBuyerPay => Ok(trade.clone()),
                Status::TradeSuccess | Status::TradeFinished => Err("ACQ.TRADE_HAS_SUCCESS"),
                Status::TradeClosed => Err("ACQ.TRADE_HAS_CLOSE"),
            };
        }
        if wanted.expires_at.is_some_and(|end| end <= now) {
            return Err("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR");
        }
        let day = doorbuster::gateway::alipay::wire::time_text(now)[..10].replace('-', "");
        let trade = Trade {
            trade_no: format!("{day}2200{:016}", u64::from_le_bytes(rng.bytes()) % 10_u64.pow(16)),
            out_trade_no: wanted.out_trade_no,
            total: wanted.total,
            subject: wanted.subject,
            status: Status::WaitBuyerPay,
            expires_at: wanted.expires_at,
            notify_url: wanted.notify_url,
            return_url: wanted.return_url,
            passback_params: wanted.passback_params,
            charset: wanted.charset,
            created_at: now,
            paid_at: None,
            closed_at: None,
            refunds: Vec::new(),
        };
        self.0.insert(trade.out_trade_no.clone(), trade.clone());
        Ok(trade)
    }

    /// The buyer pays.
    pub fn pay(&mut self, number: &str, now: Timestamp) -> Result<Trade, No> {
        let trade = self.find(Some(number), None, now)?;
        match trade.status {
            Status::WaitBuyerPay => {
                trade.status = Status::TradeSuccess;
                trade.paid_at = Some(now);
                Ok(trade.clone())
            }
            Status::TradeSuccess | Status::TradeFinished => Err("ACQ.TRADE_HAS_SUCCESS"),
            Status::TradeClosed => Err("ACQ.TRADE_HAS_CLOSE"),
        }
    }

    /// An unpaid trade ends.
    pub fn close(&mut self, out_trade_no: Option<&str>, trade_no: Option<&str>, now: Timestamp) -> Result<Trade, No> {
        let trade = self.find(out_trade_no, trade_no, now)?;
        if trade.status != Status::WaitBuyerPay {
            return Err("ACQ.TRADE_STATUS_ERROR");
        }
        trade.status = Status::TradeClosed;
        trade.closed_at = Some(now);
        Ok(trade.clone())
    }

    /// The time in which a paid trade can be refunded is over.
    pub fn finish(&mut self, number: &str, now: Timestamp) -> Result<Trade, No> {
        let trade = self.find(Some(number), None, now)?;
        if trade.status != Status::TradeSuccess {
            return Err("ACQ.TRADE_STATUS_ERROR");
        }
        trade.status = Status::TradeFinished;
        Ok(trade.clone())
    }

    /// Ends a trade in whatever state it is. The refund of a paid one has the trade's own number.
    pub fn cancel(
        &mut self,
        out_trade_no: Option<&str>,
        trade_no: Option<&str>,
        now: Timestamp,
    ) -> Result<(Trade, Cancelled), No> {
        let trade = self.find(out_trade_no, trade_no, now)?;
        match trade.status {
            Status::WaitBuyerPay => {
                trade.status = Status::TradeClosed;
                trade.closed_at = Some(now);
                Ok((trade.clone(), Cancelled::Closed))
            }
            Status::TradeFinished => Err("ACQ.TRADE_HAS_FINISHED"),
            Status::TradeClosed => Ok((trade.clone(), Cancelled::Already)),
            Status::TradeSuccess if !trade.refunds.is_empty() => Err("ACQ.REASON_TRADE_REFUND_FEE_ERR"),
            Status::TradeSuccess if trade.paid_at.is_some_and(|at| at.plus(CANCEL_WITHIN) <= now) => {
                Err("ACQ.TRADE_CANCEL_TIME_OUT")
            }
            Status::TradeSuccess => {
                let refunded = trade.give_back(trade.out_trade_no.clone(), trade.total, now);
                Ok((trade.clone(), Cancelled::Refunded(Box::new(refunded))))
            }
        }
    }

    /// Money goes back. A number that was used says what it said; with another amount it is refused.
    pub fn refund(&mut self, asked: &RefundRequest<'_>, now: Timestamp) -> Result<Refunded, No> {
        let amount = asked.amount;
        let trade = self.find(asked.out_trade_no, asked.trade_no, now)?;
        if asked.out_request_no.is_none() && amount != trade.total {
            return Err("ACQ.INVALID_PARAMETER");
        }
        let out_request_no = asked.out_request_no.unwrap_or(&trade.out_trade_no).to_owned();
        if let Some(known) = trade.refunds.iter_mut().find(|refund| refund.out_request_no == out_request_no) {
            if known.amount != amount {
                return Err("ACQ.DISCORDANT_REPEAT_REQUEST");
            }
            known.repeats += 1;
            return Ok(Refunded { trade: trade.clone(), moved: false, out_request_no });
        }
        match trade.status {
            Status::WaitBuyerPay => return Err("ACQ.TRADE_STATUS_ERROR"),
            Status::TradeFinished => return Err("ACQ.TRADE_HAS_FINISHED"),
            Status::TradeClosed => return Err("ACQ.TRADE_HAS_CLOSE"),
            Status::TradeSuccess => {}
        }
        if amount <= 0 || trade.refunded().checked_add(amount).is_none_or(|sum| sum > trade.total) {
            return Err("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
        }
        // The vendor documents the gap and no code for it. This one tells shops to ask again with the same number.
        if trade.refunds.last().is_some_and(|last| last.at.plus(asked.gap) > now) {
            return Err("ACQ.SYSTEM_ERROR");
        }
        if asked.balance_empty {
            return Err("ACQ.SELLER_BALANCE_NOT_ENOUGH");
        }
        Ok(trade.give_back(out_request_no, amount, now))
    }
}
