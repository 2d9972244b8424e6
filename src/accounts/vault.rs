//! How secrets of second factors are stored: encrypted with AES-256-GCM if the shop has a key (`accounts.second_factor_key`).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::totp::Secret;
use crate::config;
use crate::kernel::{Rng, UserId};

/// The first byte of what is stored.
const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// Why a stored secret can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It is encrypted and there is no key, or another one.
    #[error(
        "a second factor can't be decrypted: accounts.second_factor_key is missing or another one than it was encrypted with"
    )]
    Key,
    /// It is not what this program stores.
    #[error("a stored second factor is damaged")]
    Damaged,
}

/// Encrypts and decrypts secrets.
pub struct Vault(Option<LessSafeKey>);

impl Vault {
    /// With the key of the configuration, if it has one.
    pub fn new(config: &config::Accounts) -> Self {
        let key = config.second_factor_key_bytes();
        Self(key.and_then(|key| UnboundKey::new(&AES_256_GCM, &key).ok()).map(LessSafeKey::new))
    }

    /// What is stored of a user's secret.
    pub fn seal(&self, rng: &Rng, user: UserId, secret: &Secret) -> Result<Vec<u8>, VaultError> {
        let Some(key) = &self.0 else { return Ok([&[PLAIN][..], secret].concat()) };
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut text = secret.to_vec();
        // Bound to the user ID, so that one user's secret can't be copied into another user's row.
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(user.to_bytes()), &mut text)
            .map_err(|_| VaultError::Damaged)?;
        Ok([&[SEALED][..], &nonce, &text].concat())
    }

    /// The secret that was stored so.
    pub fn open(&self, user: UserId, stored: &[u8]) -> Result<Secret, VaultError> {
        match stored.split_first() {
            Some((&PLAIN, secret)) => secret.try_into().map_err(|_| VaultError::Damaged),
            Some((&SEALED, rest)) => {
                let key = self.0.as_ref().ok_or(VaultError::Key)?;
                let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Damaged)?;
                let mut text = text.to_vec();
                let opened =
                    key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(user.to_bytes()), &mut text);
                let secret: &[u8] = opened.map_err(|_| VaultError::Key)?;
                secret.try_into().map_err(|_| VaultError::Damaged)
            }
            _ => Err(VaultError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Secret as Text};

    fn vault(key: &str) -> Vault {
        let mut config = Config::default_embedded().accounts;
        config.second_factor_key = Text::new(key);
        Vault::new(&config)
    }

    #[test]
    fn secrets_are_read_back_with_the_same_key_and_by_the_same_user_only() {
        let (rng, secret) = (Rng::seeded(1), *b"12345678901234567890");
        let (alice, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let key = |byte| data_encoding::BASE64.encode(&[byte; 32]);
        let (none, one, other) = (vault(""), vault(&key(1)), vault(&key(2)));
        let sealed = one.seal(&rng, alice, &secret).unwrap();
        assert_eq!(one.open(alice, &sealed), Ok(secret));
        assert!(!sealed.windows(4).any(|four| secret.starts_with(four)));
        assert_ne!(one.seal(&rng, alice, &secret).unwrap(), sealed, "no nonce is used twice");
        for (vault, user) in [(&one, bob), (&other, alice), (&none, alice)] {
            assert_eq!(vault.open(user, &sealed), Err(VaultError::Key));
        }
        let plain = none.seal(&rng, alice, &secret).unwrap();
        assert_eq!(one.open(alice, &plain), Ok(secret), "a key may be added later");
        for damaged in [&[][..], &[PLAIN, 1], &[SEALED, 1], &[7; 30]] {
            assert_eq!(one.open(alice, damaged), Err(VaultError::Damaged));
        }
    }
}
