//! Attempts to sign in and up, for each address, and wrong passwords and wrong codes of the second factor, for each account.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use governor::clock::DefaultClock;

use super::throttle::{Attempt, Failures, Throttle, neighbourhood, network, per_minute};
use crate::config;

/// The minutes over which wrong codes are counted.
const CODE_MINUTES: u32 = 5;

/// Counts attempts for each address. And wrong passwords for each account, so that guessing does not get far and does not lock the owner
/// out: each network has its own count, and so has each device on which the owner signed in before. What all strangers guess together is
/// limited as well; a known device is none of them.
///
/// Wrong codes count as wrong passwords do, and have a tighter limit of their own: who gives one knows the password, and a code has six
/// digits. All known devices have one count, or a thief who signed in on many before the second factor was set up would have as many tries.
///
/// Each node counts alone.
pub struct SignIns {
    addresses: Throttle,
    near: Failures,
    strangers: Failures,
    devices: Failures,
    codes: Failures,
}

impl SignIns {
    /// As configured.
    pub fn new(config: &config::Accounts) -> Self {
        let per_minute = |limit| Failures::new(limit, DefaultClock::default());
        Self {
            addresses: Throttle::new(config.attempts_per_address_per_minute, DefaultClock::default()),
            near: per_minute(config.sign_ins_per_account_per_minute),
            strangers: per_minute(config.wrong_passwords_per_account_per_minute),
            devices: per_minute(config.sign_ins_per_account_per_minute),
            codes: Failures::over(config.wrong_codes_per_account_per_5_minutes, CODE_MINUTES, DefaultClock::default()),
        }
    }

    /// Puts changed limits in force. Those that stay the same keep their counts.
    pub fn adjust(&self, config: &config::Accounts) {
        self.addresses.adjust(per_minute(config.attempts_per_address_per_minute));
        self.near.adjust(config.sign_ins_per_account_per_minute);
        self.strangers.adjust(config.wrong_passwords_per_account_per_minute);
        self.devices.adjust(config.sign_ins_per_account_per_minute);
    }

    /// Counts an attempt of any kind. `Err` says how long to wait until the next one will be let through, here and below.
    pub fn attempt(&self, address: IpAddr) -> Result<(), Duration> {
        self.addresses.check(network(address))
    }

    /// Forgets addresses that have not tried for so long that they start afresh anyway.
    pub fn forget_idle(&self) {
        self.addresses.forget_idle();
    }

    /// Counts a password, which is to be taken back unless it is wrong. `device`: one on which this account signed in before.
    pub fn begin(&self, name: &str, address: IpAddr, device: Option<impl Hash>) -> Result<Counted, Duration> {
        if let Some(device) = device {
            return self.devices.begin((name, device)).map(Counted::Device);
        }
        let near = self.near.begin((name, neighbourhood(address)))?;
        let all = self.strangers.begin(name).inspect_err(|_| self.near.take_back(near))?;
        Ok(Counted::Stranger { near, all })
    }

    /// The password was not wrong.
    pub fn take_back(&self, counted: Counted) {
        match counted {
            Counted::Device(attempt) => self.devices.take_back(attempt),
            Counted::Stranger { near, all } => {
                self.near.take_back(near);
                self.strangers.take_back(all);
            }
        }
    }

    /// Counts a code, which is to be taken back unless it is wrong. On a `known` device the owner is not kept out by strangers.
    pub fn begin_code(&self, name: &str, known: bool) -> Result<Attempt, Duration> {
        self.codes.begin((name, known))
    }

    /// The code was not wrong.
    pub fn take_back_code(&self, attempt: Attempt) {
        self.codes.take_back(attempt);
    }
}

/// The counts that a password is in.
#[derive(Clone, Copy)]
pub enum Counted {
    /// That of the device.
    Device(Attempt),
    /// Those of strangers.
    Stranger {
        /// In this network.
        near: Attempt,
        /// Everywhere.
        all: Attempt,
    },
}
