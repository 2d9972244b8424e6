//! Wrong passwords, counted for each account.

use std::net::IpAddr;

use governor::clock::DefaultClock;

use super::device;
use super::throttle::{Attempt, Failures, neighbourhood};
use crate::config;
use std::time::Duration;

/// Counts wrong passwords for each account, so that whoever guesses does not get far, and does not keep the owner out: each network
/// has its own count, and so has each device on which the owner signed in before. What all strangers guess together is limited as
/// well; a known device is none of them.
pub(in crate::accounts) struct Guesses {
    near: Failures,
    strangers: Failures,
    devices: Failures,
}

impl Guesses {
    pub(in crate::accounts) fn new(config: &config::Accounts) -> Self {
        let per_minute = |limit| Failures::new(limit, DefaultClock::default());
        Self {
            near: per_minute(config.sign_ins_per_account_per_minute),
            strangers: per_minute(config.wrong_passwords_per_account_per_minute),
            devices: per_minute(config.sign_ins_per_account_per_minute),
        }
    }

    pub(in crate::accounts) fn adjust(&self, config: &config::Accounts) {
        self.near.adjust(config.sign_ins_per_account_per_minute);
        self.strangers.adjust(config.wrong_passwords_per_account_per_minute);
        self.devices.adjust(config.sign_ins_per_account_per_minute);
    }

    pub(in crate::accounts) fn begin(
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

    pub(in crate::accounts) fn take_back(&self, counted: Counted) {
        match counted {
            Counted::Device(attempt) => self.devices.take_back(attempt),
            Counted::Stranger { near, all } => {
                self.near.take_back(near);
                self.strangers.take_back(all);
            }
        }
    }
}

/// The counts that an attempt is in.
pub(in crate::accounts) enum Counted {
    Device(Attempt),
    Stranger { near: Attempt, all: Attempt },
}
