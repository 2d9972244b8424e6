//! RSA keys of the "RSA2" scheme: SHA-256 with RSASSA-PKCS1-v1_5, 2048 bits or more.
//!
//! The vendor's tools and portals hand keys out in several dresses: PKCS#1 or PKCS#8, with PEM armour or as one line of
//! Base64, with either line ending. All are accepted; what a key is, is found by trying.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKey};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use data_encoding::BASE64;

/// The smallest modulus that the scheme allows, in bytes: 2048 bits.
const MODULUS_MIN: usize = 256;
/// A line in front of a key's armour by which the sandbox marks keys that it made.
pub const SANDBOX_MARK: &str = "alipay-sandbox: a key for tests, worth nothing";

/// Why a key was refused. Never says anything of the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor Base64.
    #[error("not a key in PEM or Base64")]
    Encoding,
    /// Decoded, but not an RSA key of the wanted half.
    #[error(
        "not an RSA key of the required kind (PKCS#1 or PKCS#8 for a private key, SubjectPublicKeyInfo for a public key)"
    )]
    Kind,
    /// Fewer than 2048 bits.
    #[error("shorter than 2048 bits")]
    TooShort,
    /// The library could not make a key.
    #[error("a key could not be generated")]
    Generate,
}

/// The text with real line breaks, and without what surrounds it. Env files and secret stores that hold one line write the breaks as
/// `\n`, and some put quotes around it.
fn plain(text: &str) -> String {
    let text = text.replace("\\r", "\r").replace("\\n", "\n");
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}')).to_owned()
}

/// The bytes inside of the armour, or of the one line.
fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let inner = match text.split_once("-----BEGIN ") {
        Some((_, rest)) => {
            let (_, rest) = rest.split_once("-----").ok_or(KeyError::Encoding)?;
            rest.split_once("-----END ").ok_or(KeyError::Encoding)?.0
        }
        None => text,
    };
    let line: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    if line.is_empty() {
        return Err(KeyError::Encoding);
    }
    BASE64.decode(line.as_bytes()).map_err(|_| KeyError::Encoding)
}

/// A private key: signs. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<KeyPair>,
    from_sandbox: bool,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads PKCS#8 or PKCS#1, armoured or one line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let der = decode(&plain(text))?;
        let pair = KeyPair::from_pkcs8(&der).or_else(|error| match error.to_string().as_str() {
            "TooSmall" => Err(error),
            _ => KeyPair::from_der(&der),
        });
        let pair = pair.map_err(|error| match error.to_string().as_str() {
            "TooSmall" => KeyError::TooShort,
            _ => KeyError::Kind,
        })?;
        if pair.public_modulus_len() < MODULUS_MIN {
            return Err(KeyError::TooShort);
        }
        Ok(Self { pair: Arc::new(pair), from_sandbox: text.contains(SANDBOX_MARK) })
    }

    /// A new key of 2048 bits, from the operating system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        Ok(Self { pair: Arc::new(pair), from_sandbox: true })
    }

    /// The public half.
    pub fn public(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::from_der(self.pair.public_key().as_ref(), self.from_sandbox)
    }

    /// The signature of `message` in Base64, one line. Deterministic: the same message gives the same text.
    pub fn sign(&self, message: &(impl AsRef<[u8]> + ?Sized)) -> Result<String, SignError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        // The padding is deterministic; the source of randomness is part of the library's signature only.
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_ref(), &mut signature)
            .map_err(|_| SignError)?;
        Ok(BASE64.encode(&signature))
    }

    /// The key as PKCS#8 in PEM, marked as one of the sandbox's.
    pub fn to_sandbox_pem(&self) -> Result<String, KeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| KeyError::Generate)?;
        Ok(armour("PRIVATE KEY", der.as_ref()))
    }
}

/// The library refused to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signing failed")]
pub struct SignError;

/// A public key: verifies. Two are equal when they are the same key, however they were written.
#[derive(Clone)]
pub struct VerifyingKey {
    parsed: Arc<ParsedPublicKey>,
    pkcs1: Arc<[u8]>,
    from_sandbox: bool,
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.pkcs1 == other.pkcs1
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey")
    }
}

impl VerifyingKey {
    /// Reads a `SubjectPublicKeyInfo` (or PKCS#1), armoured or one line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&decode(&plain(text))?, text.contains(SANDBOX_MARK))
    }

    /// Reads one or more keys: armoured ones one after the other, bare ones on lines of their own.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        const END: &str = "-----END ";
        let text = plain(text);
        if !text.contains("-----BEGIN ") {
            return text.split_ascii_whitespace().map(Self::parse).collect();
        }
        let mut keys = Vec::new();
        let mut rest = text.as_str();
        while let Some(end) = rest.find(END) {
            let after = end + END.len() + rest[end + END.len()..].find("-----").ok_or(KeyError::Encoding)? + 5;
            keys.push(Self::parse(&rest[..after])?);
            rest = &rest[after..];
        }
        if rest.trim().is_empty() { Ok(keys) } else { Err(KeyError::Encoding) }
    }

    fn from_der(der: &[u8], from_sandbox: bool) -> Result<Self, KeyError> {
        let public = PublicKey::from_der(der).map_err(|_| KeyError::Kind)?;
        if public.modulus_len() < MODULUS_MIN {
            return Err(KeyError::TooShort);
        }
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref()).map_err(|_| KeyError::Kind)?;
        Ok(Self { parsed: Arc::new(parsed), pkcs1: public.as_ref().into(), from_sandbox })
    }

    /// Whether `signature` (Base64, strictly) is this key's for `message`.
    pub fn verifies(&self, message: &(impl AsRef<[u8]> + ?Sized), signature: &str) -> bool {
        BASE64
            .decode(signature.as_bytes())
            .is_ok_and(|signature| self.parsed.verify_sig(message.as_ref(), &signature).is_ok())
    }

    /// Whether the sandbox made it. A key in one line has lost its mark.
    pub const fn is_from_sandbox(&self) -> bool {
        self.from_sandbox
    }

    /// The key as `SubjectPublicKeyInfo` in PEM, marked as one of the sandbox's.
    pub fn to_sandbox_pem(&self) -> Result<String, KeyError> {
        let public = PublicKey::from_der(&self.pkcs1).map_err(|_| KeyError::Kind)?;
        let der: PublicKeyX509Der<'_> = public.as_der().map_err(|_| KeyError::Generate)?;
        Ok(armour("PUBLIC KEY", der.as_ref()))
    }
}

fn armour(label: &str, der: &[u8]) -> String {
    let line = BASE64.encode(der);
    let mut text = format!("{SANDBOX_MARK}\n-----BEGIN {label}-----\n");
    for chunk in line.as_bytes().chunks(64) {
        text.extend(chunk.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}
