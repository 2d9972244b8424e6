//! One shopper: its behaviour is its [`Part`], and everything it observes goes into the history.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::client::{Client, Fault};
use super::history::{Ending, OrderSeen, OrderStatus, Reply, Request, Step, TicketSeen, TicketStatus};
use super::plan::Part;
use super::socket::{Event, Socket, payload};
use super::stage::Stage;
use super::wire;
use crate::kernel::{OrderId, TicketId, UserId};

/// The identity of a signed-in shopper.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub buyer: UserId,
    /// Its access token.
    pub token: String,
}

/// What a press led to.
enum Pressed {
    Ticket(TicketSeen),
    Refused(String),
    Unknown,
}

/// One shopper.
pub struct Shopper {
    stage: Arc<Stage>,
    part: Part,
    account: Account,
    client: Client,
    socket: Option<Socket>,
    calls: u32,
}

impl Drop for Shopper {
    fn drop(&mut self) {
        self.lose_socket();
    }
}

impl Shopper {
    /// A signed-in shopper.
    pub fn new(stage: Arc<Stage>, part: Part, account: Account) -> Self {
        let client = Client::among(stage.addresses_for(part.index), stage.timeout).with_token(&account.token);
        stage.recorder.record(part.index, 0, Step::Begin { buyer: account.buyer });
        stage.tally.signed_in.fetch_add(1, Relaxed);
        Self { stage, part, account, client, socket: None, calls: 0 }
    }

    /// Plays the part from reading the list to the end. `opens` is when the sale opens.
    pub async fn play(mut self, opens: Instant) {
        self.look_around().await;
        let planned = match self.part.arrives {
            Some(after) => opens + after,
            // Half a second too early: gets `NOT_STARTED` and presses again at the opening.
            None => opens.checked_sub(Duration::from_millis(500)).unwrap_or(opens),
        };
        self.wait_until(planned.checked_sub(Duration::from_millis(300)).unwrap_or(planned)).await;
        self.client.warm_up().await;
        self.wait_until(planned).await;
        self.stage.tally.arrived.fetch_add(1, Relaxed);
        if let Some(quantity) = self.part.wrong_quantity {
            let key = format!("{}-q", self.part.key);
            let _ = self.press(&key, quantity).await;
        }
        let Some(ticket) = self.buy(planned, planned.max(opens)).await else { return };
        self.stage.post(self.account.buyer, ticket.id);
        if ticket.status != TicketStatus::Refused {
            self.extras(&ticket).await;
        }
        if self.part.peek {
            self.peek().await;
        }
    }

    /// What shoppers do before the opening. Failures are no matter here: the press is what counts.
    async fn look_around(&mut self) {
        if !self.stage.browse {
            return;
        }
        let _ = self.client.call::<serde_json::Value>(wire::LIST, &json!({})).await;
        let _ = self.client.call::<serde_json::Value>(wire::SALE, &json!({ "id": self.stage.sale })).await;
        if self.part.watch_stock {
            self.watch_stock().await;
        } else {
            self.client.hang_up();
        }
    }

    async fn watch_stock(&mut self) {
        if !self.has_socket().await {
            return;
        }
        let call = self.invoke(Request::Stock { sale: self.stage.sale });
        let Some(socket) = &mut self.socket else { return };
        if socket.subscribe_as(call, wire::STOCK, &json!({ "saleIds": [self.stage.sale] })).await.is_err() {
            self.lose_socket();
        }
    }

    /// Waits, and meanwhile takes what the socket delivers.
    async fn wait_until(&mut self, moment: Instant) {
        while let Some(socket) = &mut self.socket {
            tokio::select! {
                () = sleep_until(moment) => return,
                event = socket.next() => match event {
                    Ok(event) => drop(self.take(event)),
                    Err(_) => self.lose_socket(),
                },
            }
        }
        sleep_until(moment).await;
    }

    /// Presses until there is an answer that it accepts or it has waited long enough, then sees the ticket to its end.
    async fn buy(&mut self, planned: Instant, begun: Instant) -> Option<TicketSeen> {
        let (deadline, sold_out_deadline) = (begun + self.stage.patience, begun + self.stage.persistence);
        let mut key = self.part.key.clone();
        let mut answered = false;
        let mut tries = 0_u64;
        loop {
            let pressed = if tries == 0 { self.first_press(&key).await } else { self.press(&key, 1).await };
            tries += 1;
            let open = matches!(&pressed, Pressed::Unknown)
                || matches!(&pressed, Pressed::Refused(code) if code == "TRY_LATER" || code == "RATE_LIMITED");
            if !open && !answered {
                answered = true;
                self.stage.tally.answer(planned.elapsed());
            }
            match pressed {
                Pressed::Ticket(ticket) => {
                    self.stage.tally.accepted.fetch_add(1, Relaxed);
                    let last = self.see_through(ticket, deadline).await;
                    let content = last.status != TicketStatus::Refused || !self.part.persistent;
                    if content || Instant::now() >= sold_out_deadline {
                        return Some(last);
                    }
                    key = format!("{}-{tries}", self.part.key);
                }
                Pressed::Refused(code) => match code.as_str() {
                    "SALE_NOT_STARTED" | "TRY_LATER" | "RATE_LIMITED" => {}
                    "SOLD_OUT" if self.part.persistent && Instant::now() < sold_out_deadline => {}
                    _ => return None,
                },
                Pressed::Unknown => {}
            }
            if Instant::now() >= deadline {
                if !answered {
                    self.stage.tally.unanswered.fetch_add(1, Relaxed);
                }
                return None;
            }
            self.stage.tally.retried.fetch_add(1, Relaxed);
            let pause = Duration::from_millis(100 * tries.min(10) + u64::from(self.part.jitter) / 2);
            self.wait_until(Instant::now() + pause).await;
        }
    }

    /// The first press, with the habits that belong to it.
    async fn first_press(&mut self, key: &str) -> Pressed {
        if self.part.impatient {
            self.client.set_timeout(Duration::from_millis(1 + u64::from(self.part.jitter) / 40));
            let pressed = self.press(key, 1).await;
            self.client.set_timeout(self.stage.timeout);
            return pressed;
        }
        if !self.part.double_click {
            return self.press(key, 1).await;
        }
        let mut second = Client::new(self.client.address(), self.stage.timeout).with_token(&self.account.token);
        let request = Request::Purchase { sale: self.stage.sale, key: key.to_owned(), quantity: 1 };
        let (one, two) = (self.invoke(request.clone()), self.invoke(request));
        let (first, other) = tokio::join!(
            press(&self.stage, self.part.index, &mut self.client, one, key, 1),
            press(&self.stage, self.part.index, &mut second, two, key, 1),
        );
        match (first, other) {
            (Pressed::Ticket(ticket), _) | (_, Pressed::Ticket(ticket)) => Pressed::Ticket(ticket),
            (Pressed::Unknown, other) => other,
            (first, _) => first,
        }
    }

    async fn press(&mut self, key: &str, quantity: i64) -> Pressed {
        let call = self.invoke(Request::Purchase { sale: self.stage.sale, key: key.to_owned(), quantity });
        press(&self.stage, self.part.index, &mut self.client, call, key, quantity).await
    }

    /// Waits for the ticket's outcome, and asks once more for it.
    async fn see_through(&mut self, ticket: TicketSeen, deadline: Instant) -> TicketSeen {
        let accepted = Instant::now();
        let followed = self.follow(ticket.id, deadline).await;
        if followed.is_some() {
            self.stage.tally.push(accepted.elapsed());
        }
        let asked = self.ask(ticket.id, deadline).await;
        let last = asked.or(followed).unwrap_or(ticket);
        if last.status == TicketStatus::Confirmed {
            self.stage.tally.ordered.fetch_add(1, Relaxed);
        }
        last
    }

    /// Subscribes to the ticket until its end state arrives; comes back after each lost connection.
    async fn follow(&mut self, id: TicketId, deadline: Instant) -> Option<TicketSeen> {
        let mut drop_once = self.part.drop_socket;
        let mut last: Option<TicketSeen> = None;
        while Instant::now() < deadline {
            if self.follow_once(id, &mut last, &mut drop_once, deadline).await {
                return last;
            }
            self.lose_socket();
            sleep(Duration::from_millis(20 + u64::from(self.part.jitter) / 4)).await;
        }
        None
    }

    /// One subscription. Returns whether the ticket is decided.
    async fn follow_once(
        &mut self,
        id: TicketId,
        last: &mut Option<TicketSeen>,
        drop_once: &mut bool,
        deadline: Instant,
    ) -> bool {
        if !self.has_socket().await {
            return false;
        }
        let after = last.as_ref().map(|seen| seen.version);
        let call = self.invoke(Request::Follow { id, after });
        let Some(socket) = &mut self.socket else { return false };
        let variables = json!({ "id": id, "afterVersion": after });
        let mut ending = socket.subscribe_as(call, wire::FOLLOW, &variables).await.err().map(|_| Ending::Lost);
        while ending.is_none() {
            let Some(socket) = &mut self.socket else { break };
            match timeout_at(deadline, socket.next()).await {
                Ok(Ok(event)) => match self.take(event) {
                    Taken::Ticket(from, seen) if from == call => {
                        *last = Some(*seen);
                        // Some lose the connection with the first news in hand, decided or not.
                        ending = std::mem::take(drop_once).then_some(Ending::Lost);
                    }
                    Taken::Complete(from) if from == call => ending = Some(Ending::Completed),
                    Taken::Failed(from) if from == call => return false,
                    _ => {}
                },
                Ok(Err(_)) => ending = Some(Ending::Lost),
                Err(_) => ending = Some(Ending::GaveUp),
            }
        }
        let how = ending.unwrap_or(Ending::Lost);
        self.record(call, Step::End { how });
        how == Ending::Completed && last.as_ref().is_some_and(|seen| seen.status != TicketStatus::Queued)
    }

    /// Asks for the ticket, again while there is no answer.
    async fn ask(&mut self, id: TicketId, deadline: Instant) -> Option<TicketSeen> {
        loop {
            let call = self.invoke(Request::Ticket { id });
            let answer = self.client.call::<wire::Ticket>(wire::TICKET, &json!({ "id": id })).await;
            match self.reply(call, answer.map(|ticket| ticket.map(|ticket| Reply::Ticket(ticket.into())))) {
                Some(Reply::Ticket(seen)) => return Some(seen),
                Some(_) => return None,
                None if Instant::now() >= deadline => return None,
                None => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// What some do who have a ticket.
    async fn extras(&mut self, ticket: &TicketSeen) {
        if self.part.replay {
            let key = self.part.key.clone();
            let _ = self.press(&key, 1).await;
            let _ = self.press(&key, 2).await;
        }
        if self.part.second_key {
            let key = format!("{}-b", self.part.key);
            if let Pressed::Ticket(other) = self.press(&key, 1).await {
                let _ = self.ask(other.id, Instant::now() + self.stage.timeout).await;
            }
        }
        if let (true, Some(order)) = (self.part.cancel, &ticket.order) {
            self.cancel(order.id).await;
            let _ = self.ask(ticket.id, Instant::now() + self.stage.timeout).await;
            if self.part.buy_again {
                self.buy_again().await;
            }
        }
    }

    /// Buys once more with a new key.
    async fn buy_again(&mut self) {
        let key = format!("{}-c", self.part.key);
        if let Pressed::Ticket(ticket) = self.press(&key, 1).await {
            let deadline = Instant::now() + self.stage.patience;
            let _ = self.see_through(ticket, deadline).await;
        }
    }

    /// Cancels, again while there is no answer.
    async fn cancel(&mut self, id: OrderId) {
        for _ in 0..20 {
            let call = self.invoke(Request::Cancel { id });
            let variables = json!({ "input": { "orderId": id } });
            let answer = self.client.call::<wire::Cancelled>(wire::CANCEL, &variables).await;
            let order: Option<OrderSeen> = match answer {
                Ok(Some(cancelled)) => match (cancelled.order, cancelled.user_errors.into_iter().next()) {
                    (Some(order), None) => Some(order.into()),
                    (_, Some(error)) => {
                        self.record(call, Step::Fail { code: error.code });
                        return;
                    }
                    (None, None) => None,
                },
                Ok(None) => None,
                Err(fault) => {
                    self.reply(call, Err(fault));
                    sleep(Duration::from_millis(100 + u64::from(self.part.jitter) / 2)).await;
                    continue;
                }
            };
            if order.as_ref().is_some_and(|order| order.status == OrderStatus::Cancelled) {
                self.stage.tally.cancelled.fetch_add(1, Relaxed);
            }
            self.record(call, Step::Ok { reply: order.map_or(Reply::Nothing, Reply::Order) });
            return;
        }
    }

    /// Asks for, and subscribes to, a ticket that belongs to somebody else.
    async fn peek(&mut self) {
        let Some(id) = self.stage.someone_elses(self.account.buyer, self.part.jitter as usize) else { return };
        let call = self.invoke(Request::Peek { id });
        let answer = self.client.call::<wire::Ticket>(wire::TICKET, &json!({ "id": id })).await;
        self.reply(call, answer.map(|ticket| ticket.map(|ticket| Reply::Ticket(ticket.into()))));
        if !self.has_socket().await {
            return;
        }
        let call = self.invoke(Request::Peek { id });
        let Some(socket) = &mut self.socket else { return };
        if socket.subscribe_as(call, wire::FOLLOW, &json!({ "id": id })).await.is_err() {
            return;
        }
        let until = Instant::now() + Duration::from_secs(1);
        while let Some(socket) = &mut self.socket {
            let Ok(Ok(event)) = timeout_at(until, socket.next()).await else { break };
            match self.take(event) {
                Taken::Complete(from) | Taken::Failed(from) if from == call => break,
                _ => {}
            }
        }
    }

    /// Opens the socket if there is none. Returns whether there is one.
    async fn has_socket(&mut self) -> bool {
        if self.socket.is_none() {
            match Socket::open(self.client.address(), &self.account.token, self.stage.timeout).await {
                Ok(socket) => {
                    self.stage.tally.sockets.fetch_add(1, Relaxed);
                    self.socket = Some(socket);
                }
                Err(_) => self.client.turn_away(),
            }
        }
        self.socket.is_some()
    }

    fn lose_socket(&mut self) {
        if self.socket.take().is_some() {
            self.stage.tally.sockets.fetch_sub(1, Relaxed);
        }
    }

    /// Writes an event into the history. Subscriptions have the number of the call that began them.
    fn take(&mut self, event: Event) -> Taken {
        match event {
            Event::Next(call, raw) => {
                if let Ok(Some(ticket)) = payload::<wire::Ticket>(&raw) {
                    let seen = TicketSeen::from(ticket);
                    self.record(call, Step::Push { seen: Reply::Ticket(seen.clone()) });
                    return Taken::Ticket(call, Box::new(seen));
                }
                match payload::<wire::Stock>(&raw) {
                    Ok(Some(stock)) => {
                        let (sale, left, version) = (stock.sale_id, stock.stock_remaining, stock.version);
                        self.stage.tally.stock(left, version);
                        self.record(call, Step::Push { seen: Reply::Stock { sale, left, version } });
                        Taken::Other
                    }
                    Ok(None) => Taken::Other,
                    Err(fault) => {
                        self.reply(call, Err(fault));
                        Taken::Failed(call)
                    }
                }
            }
            Event::Error(call, error) => {
                self.reply(call, Err(Fault::Refused(error)));
                Taken::Failed(call)
            }
            Event::Complete(call) => Taken::Complete(call),
        }
    }

    /// Writes an answer into the history; returns it unless it failed.
    fn reply(&self, call: u32, answer: Result<Option<Reply>, Fault>) -> Option<Reply> {
        match answer {
            Ok(reply) => {
                let reply = reply.unwrap_or(Reply::Nothing);
                self.record(call, Step::Ok { reply: reply.clone() });
                Some(reply)
            }
            Err(Fault::Refused(error)) if is_refusal(&error.extensions.code) => {
                self.record(call, Step::Fail { code: error.extensions.code });
                None
            }
            Err(fault) => {
                self.record(call, Step::Unknown { why: fault.to_string() });
                None
            }
        }
    }

    fn invoke(&mut self, request: Request) -> u32 {
        self.calls += 1;
        self.record(self.calls, Step::Invoke { request });
        self.calls
    }

    fn record(&self, call: u32, step: Step) {
        self.stage.recorder.record(self.part.index, call, step);
    }
}

/// What an event was.
enum Taken {
    Ticket(u32, Box<TicketSeen>),
    Complete(u32),
    Failed(u32),
    Other,
}

/// Whether a top-level error says for certain that nothing was done.
fn is_refusal(code: &str) -> bool {
    !matches!(code, "" | "UNAVAILABLE" | "INTERNAL_SERVER_ERROR")
}

async fn press(stage: &Stage, shopper: u32, client: &mut Client, call: u32, key: &str, quantity: i64) -> Pressed {
    let variables = json!({ "input": { "saleId": stage.sale, "quantity": quantity, "idempotencyKey": key } });
    let answer = client.call::<wire::Purchased>(wire::PURCHASE, &variables).await;
    let (step, pressed) = match answer {
        Ok(Some(wire::Purchased { ticket: Some(ticket), .. })) => {
            let seen = TicketSeen::from(ticket);
            (Step::Ok { reply: Reply::Ticket(seen.clone()) }, Pressed::Ticket(seen))
        }
        Ok(Some(wire::Purchased { user_errors, .. })) => match user_errors.into_iter().next() {
            Some(error) => (Step::Fail { code: error.code.clone() }, Pressed::Refused(error.code)),
            None => (Step::Unknown { why: "the response has neither a ticket nor an error".into() }, Pressed::Unknown),
        },
        Ok(None) => (Step::Unknown { why: "no payload".into() }, Pressed::Unknown),
        Err(Fault::Refused(error)) if is_refusal(&error.extensions.code) => {
            let code = error.extensions.code;
            (Step::Fail { code: code.clone() }, Pressed::Refused(code))
        }
        Err(fault) => (Step::Unknown { why: fault.to_string() }, Pressed::Unknown),
    };
    stage.recorder.record(shopper, call, step);
    if let Pressed::Refused(code) = &pressed {
        stage.tally.refuse(code);
    }
    pressed
}
