//! Checks of a configuration before serving that need no other server and change nothing.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::sync::Arc;

use anyhow::Context as _;

use super::listeners::reserve;
use crate::broker::pulsar::PulsarBroker;
use crate::config::{self, Config, Objection};
use crate::gate::GateError;
use crate::gateway::{PaymentGateway, alipay};
use crate::kernel::Clock;
use crate::redis_client::RedisClient;
use crate::store::{Database, StoreError};

/// Bytes of a file with keys that are read at most.
const KEY_FILE_MAX: u64 = 64 << 10;

/// Everything that `serve` would refuse. Other servers are not asked.
pub fn objections(config: &Config) -> Vec<Objection> {
    let mut found = Vec::new();
    let mut object = |keys: &[&'static str], message: String| found.push(Objection { keys: keys.to_vec(), message });
    if let Err(error) = Database::check(&config.store) {
        object(&["store.url"], reason_of("store.url", error));
    }
    if config.gate.url.scheme() != Some("memory")
        && let Err(error) = RedisClient::check(&config.gate)
    {
        object(&["gate.url"], GateError::from(error).to_string());
    }
    if config.broker.url.scheme() != Some("embedded")
        && let Err((key, error)) = PulsarBroker::check(&config.broker)
    {
        object(&[key], error.to_string());
    }
    let admin = config.server.admin_listen.map(|address| ("server.admin_listen", address));
    for (key, address) in admin.into_iter().chain([("server.listen", config.server.listen)]) {
        match reserve(address) {
            // The process that listens there now may have ended when the server starts, or may be the server itself.
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                object(&[key], format!("can't be bound: {error}"));
            }
            _ => {}
        }
    }
    if config.payments.has_alipay() {
        object_to_payments(&config.payments, &mut object);
    }
    found
}

/// The reason without the name of the setting, which precedes it anyway.
fn reason_of(key: &str, error: StoreError) -> String {
    match error {
        StoreError::Internal { reason, .. } if reason.starts_with(&format!("{key}: ")) => {
            reason[key.len() + 2..].to_owned()
        }
        other => other.to_string(),
    }
}

fn object_to_payments(config: &config::Payments, object: &mut impl FnMut(&[&'static str], String)) {
    let [private, public] = key_sources(config);
    let mut readable = true;
    let mut judge = |source: &KeySource<'_>, judged: Result<(), alipay::KeyError>| {
        if let Err(error) = judged {
            readable = false;
            object(&[source.key()], error.to_string());
        }
    };
    let texts = [&private, &public].map(KeySource::read);
    if let Ok(text) = &texts[0] {
        judge(&private, alipay::SigningKey::parse(text).map(drop));
    }
    if let Ok(text) = &texts[1] {
        judge(&public, alipay::VerifyingKey::parse_all(text).map(drop));
    }
    for (source, text) in [&private, &public].iter().zip(&texts) {
        if let Err(error) = text {
            readable = false;
            object(&[source.key()], format!("{error:#}"));
        }
    }
    if readable && let Err(error) = payment_gateway(config, &Clock::system()) {
        object(&["payments.alipay_url", private.key(), public.key()], format!("{error:#}"));
    }
}

/// The payment gateway, if one is configured.
pub(super) fn payment_gateway(
    config: &config::Payments,
    clock: &Clock,
) -> anyhow::Result<Option<Arc<dyn PaymentGateway>>> {
    if !config.has_alipay() {
        return Ok(None);
    }
    let [private, public] = key_sources(config);
    let settings = alipay::Settings {
        gateway_url: &config.alipay_url,
        app_id: &config.alipay_app_id,
        seller_id: &config.alipay_seller_id,
        private_key: &private.read()?,
        public_keys: &public.read()?,
        public_url: &config.public_url,
        timeout: *config.request_timeout,
        refuse_after: *config.refuse_after,
    };
    Ok(Some(Arc::new(settings.open(clock.clone())?)))
}

/// Where a key is: one of the two is given, which was checked.
struct KeySource<'a> {
    keys: [&'static str; 2],
    value: &'a config::Secret,
    file: &'a str,
}

fn key_sources(config: &config::Payments) -> [KeySource<'_>; 2] {
    [
        KeySource {
            keys: ["payments.alipay_private_key", "payments.alipay_private_key_file"],
            value: &config.alipay_private_key,
            file: &config.alipay_private_key_file,
        },
        KeySource {
            keys: ["payments.alipay_public_key", "payments.alipay_public_key_file"],
            value: &config.alipay_public_key,
            file: &config.alipay_public_key_file,
        },
    ]
}

impl KeySource<'_> {
    /// The setting that is given.
    fn key(&self) -> &'static str {
        self.keys[usize::from(!self.file.is_empty())]
    }

    fn read(&self) -> anyhow::Result<String> {
        if self.file.is_empty() {
            return Ok(self.value.expose().to_owned());
        }
        let mut bytes = Vec::new();
        let read = File::open(self.file).and_then(|file| file.take(KEY_FILE_MAX).read_to_end(&mut bytes));
        read.with_context(|| format!("{} can't be read", self.file))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
