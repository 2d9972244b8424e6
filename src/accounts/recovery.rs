//! Recovery codes: used in place of a code by a user who has lost the authenticator device.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::kernel::{Rng, UserId};

/// Codes made at a time.
pub const CODES: usize = 10;
/// Random bytes of a code. Nobody can try 2^80 codes, not even with their hashes: nothing slower than SHA-256 is needed.
const BYTES: usize = 10;
/// Characters of a code.
const LETTERS: usize = 16;
/// Characters between two hyphens.
const GROUP: usize = 4;

/// What is stored of a code.
pub type CodeHash = [u8; 32];

/// A set of codes as they are shown, once.
pub fn generate(rng: &Rng) -> Vec<String> {
    let one = |_| {
        let letters = BASE32_NOPAD.encode(&rng.bytes::<BYTES>());
        let groups: Vec<&str> = (0..LETTERS).step_by(GROUP).filter_map(|at| letters.get(at..at + GROUP)).collect();
        groups.join("-")
    };
    (0..CODES).map(one).collect()
}

/// The hash of a code, in any case and however it is grouped; `None` when the text does not have the form of one.
pub fn hash(user: UserId, text: &str) -> Option<CodeHash> {
    let letters: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let letters = letters.to_ascii_uppercase();
    let bytes = Some(letters).filter(|letters| letters.len() == LETTERS)?;
    let bytes = BASE32_NOPAD.decode(bytes.as_bytes()).ok()?;
    Some(
        Sha256::new()
            .chain_update(b"doorbuster recovery code")
            .chain_update(user.to_bytes())
            .chain_update(bytes)
            .finalize()
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_different_and_their_spelling_does_not_matter() {
        let (alice, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let codes = generate(&Rng::seeded(1));
        let hashes: std::collections::HashSet<_> = codes.iter().map(|code| hash(alice, code).unwrap()).collect();
        assert_eq!(hashes.len(), CODES);
        let code = &codes[0];
        assert_eq!(code.len(), 19);
        for same in [code.to_lowercase(), code.replace('-', ""), format!(" {} ", code.replace('-', " "))] {
            assert_eq!(hash(alice, &same), hash(alice, code), "{same}");
        }
        assert_ne!(hash(bob, code), hash(alice, code));
        for text in ["", "123456", &code[1..], "é", "0000-0000-0000-0000"] {
            assert_eq!(hash(alice, text), None, "{text}");
        }
    }
}
