//! Wakes open streams: one task ticks for all sockets, so that no socket needs a timer of its own, and closes them in
//! slices at shutdown, so that their clients do not come back all at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::model::accounts::TokenHash;

/// The streams are dealt out over this many slots; each slot ticks once per period.
const SLOTS: usize = 32;

/// Below this size a slot's map is not worth shrinking.
const SHRINK_ABOVE: usize = 64;

/// Where a stream is woken: its task's waker and what has happened since it last looked.
#[derive(Debug, Default)]
pub struct Seat {
    waker: AtomicWaker,
    raised: AtomicU8,
}

/// A period has passed.
pub const TICK: u8 = 1;
/// The server is shutting down.
pub const CLOSE: u8 = 2;
/// A shared subscription has something new.
pub const NEWS: u8 = 4;
/// The token that the stream came with has ended, or may have.
pub const CHECK: u8 = 8;

impl Seat {
    /// Must be called on each poll before anything is looked at, or a wake-up could be lost.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Tells the stream that something happened.
    pub fn raise(&self, flag: u8) {
        self.raised.fetch_or(flag, Ordering::Release);
        self.waker.wake();
    }

    /// The events since the last call.
    pub fn take(&self) -> u8 {
        self.raised.swap(0, Ordering::Acquire)
    }
}

/// All open streams.
#[derive(Debug)]
pub struct Wheel {
    slots: Box<[Mutex<HashMap<usize, Arc<Seat>>>]>,
    next: AtomicUsize,
    open: AtomicUsize,
    max: usize,
    per_address: AtomicUsize,
    /// Streams of each address that has any.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    /// Streams by the token that they came with.
    followed: Mutex<HashMap<TokenHash, Vec<usize>>>,
    closing: AtomicBool,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The server has enough, or is shutting down.
    Full,
    /// This address has enough.
    Address,
}

/// A stream's place on the wheel, until dropped.
#[derive(Debug)]
pub struct Place {
    wheel: Arc<Wheel>,
    key: usize,
    address: Option<IpAddr>,
    token: Option<TokenHash>,
    seat: Arc<Seat>,
}

impl Wheel {
    /// For `max` streams, `per_address` of them from one address; 0 for as many as there are.
    pub fn new(max: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            next: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            max,
            per_address: AtomicUsize::new(per_address),
            addresses: Mutex::default(),
            followed: Mutex::default(),
            closing: AtomicBool::new(false),
        })
    }

    /// One address may have so many streams from now on. Those that are open stay.
    pub fn set_per_address(&self, most: usize) {
        self.per_address.store(most, Ordering::Relaxed);
    }

    /// Turns until `shutdown`; then closes all streams, slot by slot, within `close_over`.
    pub async fn turn(self: Arc<Self>, period: Duration, close_over: Duration, shutdown: CancellationToken) {
        let step = (period / SLOTS as u32).max(Duration::from_millis(1));
        let mut ticks = tokio::time::interval_at(Instant::now() + step, step);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for slot in self.slots.iter().cycle() {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => raise(slot, TICK),
            }
        }
        self.closing.store(true, Ordering::SeqCst);
        for slot in &self.slots {
            if !slot.lock().is_empty() {
                raise(slot, CLOSE);
                tokio::time::sleep(close_over / SLOTS as u32).await;
            }
        }
    }

    /// A place for one more stream, of this address if it is to be counted.
    pub fn join(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, NoPlace> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(NoPlace::Full);
        }
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::Full);
        }
        let address = address.filter(|_| self.per_address.load(Ordering::Relaxed) > 0);
        if let Some(address) = address
            && !self.count_in(address)
        {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::Address);
        }
        let seat = Arc::<Seat>::default();
        self.slots[key % SLOTS].lock().insert(key, seat.clone());
        if self.closing.load(Ordering::SeqCst) {
            // The sweep may have passed this slot already.
            seat.raise(CLOSE);
        }
        Ok(Place { wheel: self.clone(), key, address, token: None, seat })
    }

    fn count_in(&self, address: IpAddr) -> bool {
        let mut addresses = self.addresses.lock();
        let count = addresses.entry(address).or_default();
        let fits = *count < self.per_address.load(Ordering::Relaxed);
        *count += usize::from(fits);
        fits
    }

    fn count_out(&self, address: IpAddr) {
        let mut addresses = self.addresses.lock();
        if let Entry::Occupied(mut entry) = addresses.entry(address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        shrink(&mut addresses);
    }

    /// Wakes the streams that came with this token: it has ended.
    pub fn token_ended(&self, token: &TokenHash) {
        let streams = self.followed.lock().get(token).cloned().unwrap_or_default();
        for key in streams {
            if let Some(seat) = self.slots[key % SLOTS].lock().get(&key) {
                seat.raise(CHECK);
            }
        }
    }

    fn unfollow(&self, token: &TokenHash, key: usize) {
        let mut followed = self.followed.lock();
        if let Entry::Occupied(mut entry) = followed.entry(*token) {
            entry.get_mut().retain(|one| *one != key);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        shrink(&mut followed);
    }

    /// Open streams.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Gives memory back when most have left.
pub fn shrink<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if map.capacity() > SHRINK_ABOVE && map.len() < map.capacity() / 4 {
        map.shrink_to_fit();
    }
}

fn raise(slot: &Mutex<HashMap<usize, Arc<Seat>>>, flag: u8) {
    slot.lock().values().for_each(|seat| seat.raise(flag));
}

impl Place {
    /// Where to be woken.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// From now on the stream is woken when this token ends.
    pub fn follow(&mut self, token: TokenHash) {
        if let Some(before) = self.token.replace(token) {
            self.wheel.unfollow(&before, self.key);
        }
        self.wheel.followed.lock().entry(token).or_default().push(self.key);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slot = self.wheel.slots[self.key % SLOTS].lock();
        slot.remove(&self.key);
        shrink(&mut slot);
        drop(slot);
        if let Some(address) = self.address {
            self.wheel.count_out(address);
        }
        if let Some(token) = self.token {
            self.wheel.unfollow(&token, self.key);
        }
        self.wheel.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_woken_when_their_token_ends_and_no_others() {
        let wheel = Wheel::new(10, 0);
        let mut places: Vec<_> = (0..3).map(|_| wheel.join(None).unwrap()).collect();
        places[0].follow([1; 32]);
        places[1].follow([1; 32]);
        places[2].follow([1; 32]);
        places[2].follow([2; 32]);
        wheel.token_ended(&[1; 32]);
        wheel.token_ended(&[3; 32]);
        let raised: Vec<_> = places.iter().map(|place| place.seat().take()).collect();
        assert_eq!(raised, [CHECK, CHECK, 0]);
        places.clear();
        wheel.token_ended(&[1; 32]);
        assert!(wheel.followed.lock().is_empty(), "nothing is kept of streams that have gone");
    }
}
