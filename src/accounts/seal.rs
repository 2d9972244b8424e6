//! The form of access tokens. A token is opaque to clients: `doorbuster_` and bytes in base64url. Those of staff are 32 random bytes, which
//! mean nothing without their row in the database. Those of buyers are **sealed**: user, sign-in time and expiry, encrypted and
//! authenticated with a key of the shop that is not in the database, so that a node that has never seen a token knows whose it is.
//!
//! Bytes of a sealed token: the version 1, the key's ID (4), a nonce (12), and AES-256-GCM-SIV (RFC 8452) of the user's ID (16), when
//! they signed in and when the token expires (8 each: milliseconds since the Unix epoch, big-endian), with a tag of 16. Version and
//! key's ID are authenticated too. GCM-SIV instead of GCM: a nonce that comes twice, which random ones may after some billions of
//! tokens, reveals no key.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::kernel::{Rng, Timestamp, UserId};
use crate::model::accounts::TokenHash;

/// The prefix of every token, so that a leaked one is easy to search for.
const PREFIX: &str = "doorbuster_";
/// Random bytes of a token that is not sealed.
pub const RANDOM: usize = 32;
/// The version of sealed tokens.
const VERSION: u8 = 1;
/// The version and the ID of the key.
const HEAD: usize = 5;
/// User, sign-in time, expiry.
const CONTENTS: usize = 32;
/// The authentication tag.
const TAG: usize = 16;
/// Bytes of a sealed token.
const SEALED: usize = HEAD + NONCE_LEN + CONTENTS + TAG;
/// Characters of the longest token behind the prefix.
const LONGEST: usize = SEALED.div_ceil(3) * 4;
/// Separates this use of the shop's key from others.
const PURPOSE: &[u8] = b"doorbuster access token 1";

/// A token as a client shows it.
#[derive(Clone, Copy)]
pub struct Shown {
    /// The hash: what it is known and stored by.
    pub hash: TokenHash,
    sealed: Option<[u8; SEALED]>,
}

impl Shown {
    /// `None` when the text does not have the form of a token.
    pub fn parse(token: &str) -> Option<Self> {
        let text = token.strip_prefix(PREFIX)?.as_bytes();
        let mut bytes = [0; LONGEST];
        let length = BASE64URL_NOPAD.decode_len(text.len()).ok().filter(|length| [RANDOM, SEALED].contains(length))?;
        let bytes = &mut bytes[..length];
        BASE64URL_NOPAD.decode_mut(text, bytes).ok()?;
        let hash = Sha256::digest(&*bytes).into();
        Some(Self { hash, sealed: (&*bytes).try_into().ok() })
    }
}

/// The hash of a token; `None` when the text does not have the form of one.
pub fn hash_of(token: &str) -> Option<TokenHash> {
    Shown::parse(token).map(|shown| shown.hash)
}

/// The text of a token with these bytes, and its hash.
fn text_of(bytes: &[u8]) -> (String, TokenHash) {
    (format!("{PREFIX}{}", BASE64URL_NOPAD.encode(bytes)), Sha256::digest(bytes).into())
}

/// A token that means nothing by itself, and its hash.
pub fn random(rng: &Rng) -> (String, TokenHash) {
    text_of(&rng.bytes::<RANDOM>())
}

/// What is in a sealed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The buyer.
    pub user: UserId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When the token expires unless it was used since.
    pub expires_at: Timestamp,
}

/// What a node can say of a token by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The shop issued it. It may have been revoked since.
    Genuine(Contents),
    /// It names a key of the shop, and was not sealed with it.
    Forged,
    /// It is not sealed, or with a key that this node does not have.
    Unknown,
}

/// The keys that seal and open tokens: the first one seals, all open.
pub struct Seals(Vec<SealKey>);

struct SealKey {
    id: [u8; 4],
    key: LessSafeKey,
}

impl SealKey {
    fn new(secret: &[u8; 32]) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, PURPOSE).extract(secret);
        let mut id = [0; 4];
        // What the ID says of the key is said by no other text.
        secret.expand(&[b"id"], Length(4)).ok()?.fill(&mut id).ok()?;
        let key = secret.expand(&[b"key"], &AES_256_GCM_SIV).ok()?;
        Some(Self { id, key: LessSafeKey::new(UnboundKey::from(key)) })
    }
}

/// Bytes to derive from a key.
struct Length(usize);

impl aws_lc_rs::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Seals {
    /// `None` without a key.
    pub fn new(secrets: &[[u8; 32]]) -> Option<Self> {
        let keys: Vec<_> = secrets.iter().filter_map(SealKey::new).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// A token, and its hash. `None` if it can't be encrypted.
    pub fn seal(&self, rng: &Rng, contents: &Contents) -> Option<(String, TokenHash)> {
        let key = self.0.first()?;
        let nonce = rng.bytes::<NONCE_LEN>();
        let mut bytes = [0; SEALED];
        let (head, rest) = bytes.split_at_mut(HEAD);
        head[0] = VERSION;
        head[1..].copy_from_slice(&key.id);
        let (nonce_place, rest) = rest.split_at_mut(NONCE_LEN);
        nonce_place.copy_from_slice(&nonce);
        let (text, tag_place) = rest.split_at_mut(CONTENTS);
        text[..16].copy_from_slice(&contents.user.to_bytes());
        text[16..24].copy_from_slice(&contents.created_at.as_millis().to_be_bytes());
        text[24..].copy_from_slice(&contents.expires_at.as_millis().to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.key.seal_in_place_separate_tag(nonce, Aad::from(&*head), text).ok()?;
        tag_place.copy_from_slice(tag.as_ref());
        Some(text_of(&bytes))
    }

    /// The user that an unverified token names.
    pub fn open(&self, shown: &Shown) -> Opened {
        let Some(mut bytes) = shown.sealed else { return Opened::Unknown };
        let (head, rest) = bytes.split_at_mut(HEAD);
        let key = self.0.iter().find(|key| head[0] == VERSION && head[1..] == key.id);
        let Some(key) = key else { return Opened::Unknown };
        let (nonce, text) = rest.split_at_mut(NONCE_LEN);
        let Ok(nonce) = Nonce::try_assume_unique_for_key(nonce) else { return Opened::Forged };
        match key.key.open_in_place(nonce, Aad::from(&*head), text) {
            Ok(contents) => Contents::read(contents).map_or(Opened::Forged, Opened::Genuine),
            Err(_) => Opened::Forged,
        }
    }
}

impl Contents {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (user, times) = bytes.split_first_chunk::<16>()?;
        let (created_at, expires_at) = times.split_first_chunk::<8>()?;
        let time = |bytes: [u8; 8]| Timestamp::from_millis(i64::from_be_bytes(bytes));
        let (created_at, expires_at) = (time(*created_at), time(expires_at.try_into().ok()?));
        Some(Self { user: UserId::from_bytes(*user), created_at, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: Contents = Contents {
        user: UserId::from_bytes([7; 16]),
        created_at: Timestamp::from_millis(1_795_428_000_000),
        expires_at: Timestamp::from_millis(1_796_637_600_000),
    };

    fn opened(seals: &Seals, token: &str) -> Opened {
        Shown::parse(token).map_or(Opened::Unknown, |shown| seals.open(&shown))
    }

    #[test]
    fn a_node_with_the_key_reads_what_another_has_sealed() {
        let (rng, one, two) = (Rng::seeded(1), Seals::new(&[[1; 32]]).unwrap(), Seals::new(&[[1; 32]]).unwrap());
        let (token, hash) = one.seal(&rng, &CONTENTS).unwrap();
        assert_eq!(opened(&two, &token), Opened::Genuine(CONTENTS));
        assert_eq!(hash_of(&token), Some(hash));
        let (again, other) = one.seal(&rng, &CONTENTS).unwrap();
        assert!(again != token && other != hash, "two sign-ins of one moment are two tokens");
        assert!(
            !BASE64URL_NOPAD
                .decode(token.strip_prefix(PREFIX).unwrap().as_bytes())
                .unwrap()
                .windows(4)
                .any(|four| four == [7; 4])
        );
    }

    #[test]
    fn no_byte_can_be_changed() {
        let (rng, seals) = (Rng::seeded(2), Seals::new(&[[1; 32]]).unwrap());
        let (token, _) = seals.seal(&rng, &CONTENTS).unwrap();
        let bytes = BASE64URL_NOPAD.decode(token.strip_prefix(PREFIX).unwrap().as_bytes()).unwrap();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                let expected = if place < HEAD { Opened::Unknown } else { Opened::Forged };
                assert_eq!(opened(&seals, &text_of(&changed).0), expected, "byte {place}, bit {bit}");
            }
        }
        for cut in 0..bytes.len() {
            assert_eq!(opened(&seals, &text_of(&bytes[..cut]).0), Opened::Unknown);
        }
    }

    #[test]
    fn a_key_is_replaced_in_two_steps() {
        let rng = Rng::seeded(3);
        let [old, both, new] =
            [&[[1; 32]][..], &[[2; 32], [1; 32]], &[[2; 32]]].map(|secrets| Seals::new(secrets).unwrap());
        let (before, after) = (old.seal(&rng, &CONTENTS).unwrap().0, both.seal(&rng, &CONTENTS).unwrap().0);
        assert_eq!(opened(&both, &before), Opened::Genuine(CONTENTS));
        assert_eq!(opened(&new, &after), Opened::Genuine(CONTENTS));
        assert_eq!(opened(&old, &after), Opened::Unknown);
        assert_eq!(opened(&new, &before), Opened::Unknown);
        assert!(Seals::new(&[]).is_none());
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let rng = Rng::seeded(4);
        let (token, hash) = random(&rng);
        assert_eq!(hash_of(&token), Some(hash));
        assert_eq!(opened(&Seals::new(&[[1; 32]]).unwrap(), &token), Opened::Unknown);
        let longer = format!("{token}A");
        let text = token.strip_prefix(PREFIX).unwrap();
        let padded = format!("{token}=");
        let other = format!("Doorbuster_{text}");
        let long = format!("{PREFIX}{}", "A".repeat(100_000));
        for wrong in ["", PREFIX, text, &longer, &padded, &other, &long, "doorbuster_ü"] {
            assert_eq!(hash_of(wrong), None, "{:?}", wrong.get(..20));
        }
    }
}
