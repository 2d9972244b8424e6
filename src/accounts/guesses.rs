//! Wrong passwords and wrong codes of the second factor, counted for each account.

use std::net::IpAddr;

use governor::clock::DefaultClock;

use super::device;
use super::throttle::{Attempt, Failures, neighbourhood};
use crate::config;
use std::time::Duration;

/// The minutes over which wrong codes are counted.
const CODE_MINUTES: u32 = 5;

/// Counts wrong passwords for each account, so that guessing does not get far and does not lock the owner out: each network
/// has its own count, and so has each device on which the owner signed in before. What all strangers guess together is limited as
/// well; a known device is none of them.
///
/// Wrong codes count as wrong passwords do, and have a tighter limit of their own: who gives one knows the password, and a code has six
/// digits. All known devices have one count, or a thief who signed in on many before the second factor was set up would have as many tries.
pub(in crate::accounts) struct Guesses {
    near: Failures,
    strangers: Failures,
    devices: Failures,
    codes: Failures,
}

impl Guesses {
    pub(in crate::accounts) fn new(config: &config::Accounts) -> Self {
        let per_minute = |limit| Failures::new(limit, DefaultClock::default());
        Self {
            near: per_minute(config.sign_ins_per_account_per_minute),
            strangers: per_minute(config.wrong_passwords_per_account_per_minute),
            devices: per_minute(config.sign_ins_per_account_per_minute),
            codes: Failures::over(config.wrong_codes_per_account_per_5_minutes, CODE_MINUTES, DefaultClock::default()),
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

    /// Counts a code, which is to be taken back unless it is wrong. On a `known` device the owner is not kept out by strangers.
    pub(in crate::accounts) fn begin_code(&self, name: &str, known: bool) -> Result<Attempt, Duration> {
        self.codes.begin((name, known))
    }

    pub(in crate::accounts) fn take_back_code(&self, attempt: Attempt) {
        self.codes.take_back(attempt);
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
#[derive(Clone, Copy)]
pub(in crate::accounts) enum Counted {
    Device(Attempt),
    Stranger { near: Attempt, all: Attempt },
}
