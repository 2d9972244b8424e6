//! The limits of sign-ins, which follow the configuration.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::DefaultClock;

use super::{Accounts, Inner};
use crate::accounts::device;
use crate::accounts::throttle::{Attempt, Failures, neighbourhood, per_minute};
use crate::config;

impl Accounts {
    /// Follows the limits as they are changed, for as long as there is somebody to be limited.
    pub fn follow(&self, config: &config::Section<config::Accounts>) {
        let told = Arc::downgrade(&self.0);
        config.watch(move |config| told.upgrade().map(|inner: Arc<Inner>| inner.adjust(config)).is_some());
    }
}

impl Inner {
    fn adjust(&self, config: &config::Accounts) {
        self.by_address.adjust(per_minute(config.attempts_per_address_per_minute));
        self.guesses.adjust(config);
    }
}

/// Counts wrong passwords for each account, so that whoever guesses does not get far, and does not keep the owner out: each network
/// has its own count, and so has each device on which the owner signed in before. What all strangers guess together is limited as
/// well; a known device is none of them.
pub(super) struct Guesses {
    near: Failures,
    strangers: Failures,
    devices: Failures,
}

/// The counts that an attempt is in.
pub(super) enum Counted {
    Device(Attempt),
    Stranger { near: Attempt, all: Attempt },
}

impl Guesses {
    pub(super) fn new(config: &config::Accounts) -> Self {
        let per_minute = |limit| Failures::new(limit, DefaultClock::default());
        Self {
            near: per_minute(config.sign_ins_per_account_per_minute),
            strangers: per_minute(config.wrong_passwords_per_account_per_minute),
            devices: per_minute(config.sign_ins_per_account_per_minute),
        }
    }

    fn adjust(&self, config: &config::Accounts) {
        self.near.adjust(config.sign_ins_per_account_per_minute);
        self.strangers.adjust(config.wrong_passwords_per_account_per_minute);
        self.devices.adjust(config.sign_ins_per_account_per_minute);
    }

    pub(super) fn begin(
        &self,
        name: &str,
        address: IpAddr,
        device: Option<device::Number>,
    ) -> Result<Counted, Duration> {
        if let Some(device) = device {
            return self.devices.begin((name, device)).map(Counted::Device);
        }
        let near = self.near.begin((name, neighbourhood(address)))?;
        let all = self.strangers.begin(name).inspect_err(|_| self.near.take_back(near))?;
        Ok(Counted::Stranger { near, all })
    }

    pub(super) fn take_back(&self, counted: Counted) {
        match counted {
            Counted::Device(attempt) => self.devices.take_back(attempt),
            Counted::Stranger { near, all } => {
                self.near.take_back(near);
                self.strangers.take_back(all);
            }
        }
    }
}
