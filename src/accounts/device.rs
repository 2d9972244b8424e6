//! Devices with an earlier sign-in, which are not affected by wrong passwords from elsewhere.
//!
//! A device is known by a token that only the server can have made for this account: a random number, and its HMAC under the stored
//! hash of the account's password. So nothing is stored for it, all nodes know it, and a new password ends it. It signs nobody in.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::kernel::{Rng, UserId};

/// Bytes of the random number.
const NUMBER: usize = 16;

/// The longest text that is looked at: 48 bytes in base64.
const TEXT_MAX: usize = 64;

/// Which of the account's devices.
pub type Number = [u8; NUMBER];

/// What a device proves with that it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken(pub String);

impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceToken(***)")
    }
}

impl DeviceToken {
    /// For a device on which this user has just given the password.
    pub fn issue(rng: &Rng, user: UserId, password_hash: &str) -> Self {
        let number = rng.bytes::<NUMBER>();
        let proof = mac(user, password_hash, &number).map(|mac| mac.finalize().into_bytes());
        Self(BASE64URL_NOPAD.encode(&[&number[..], &proof.unwrap_or_default()[..]].concat()))
    }
}

/// The device, if the text is a token of this user's.
pub fn recognise(text: &str, user: UserId, password_hash: &str) -> Option<Number> {
    let bytes = BASE64URL_NOPAD.decode(Some(text).filter(|text| text.len() <= TEXT_MAX)?.as_bytes()).ok()?;
    let (number, proof) = bytes.split_first_chunk::<NUMBER>()?;
    mac(user, password_hash, number)?.verify_slice(proof).ok()?;
    Some(*number)
}

fn mac(user: UserId, password_hash: &str, number: &Number) -> Option<Hmac<Sha256>> {
    // Keys of all lengths are taken.
    let mac = Hmac::<Sha256>::new_from_slice(password_hash.as_bytes()).ok()?;
    Some(mac.chain_update(b"doorbuster device").chain_update(user.to_bytes()).chain_update(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_to_its_account_until_the_password_changes() {
        let rng = Rng::seeded(1);
        let (alice, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let DeviceToken(token) = DeviceToken::issue(&rng, alice, "hash");
        assert_eq!(token.len(), TEXT_MAX);
        let number = recognise(&token, alice, "hash").unwrap();
        let DeviceToken(other) = DeviceToken::issue(&rng, alice, "hash");
        assert_ne!(recognise(&other, alice, "hash"), Some(number));
        assert_eq!(recognise(&token, bob, "hash"), None);
        assert_eq!(recognise(&token, alice, "another hash"), None);
        let forged = BASE64URL_NOPAD.encode(&[7; 48]);
        for text in ["", "x", "é", &"é".repeat(40), &token[..60], &forged, &"A".repeat(10_000)] {
            assert_eq!(recognise(text, alice, "hash"), None, "{text:.20}");
        }
    }
}
