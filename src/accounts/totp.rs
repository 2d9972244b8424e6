//! Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds. That is what all authenticator apps support.

use aws_lc_rs::{constant_time, hmac};
use data_encoding::BASE32_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::kernel::Timestamp;

/// Bytes of a secret: as many as the hash has (RFC 4226, section 4).
pub const SECRET_BYTES: usize = 20;
/// Digits of a code.
const DIGITS: usize = 6;
/// Milliseconds of a time step.
const STEP: i64 = 30_000;
/// Steps before and after the present one whose codes are accepted: clocks differ, and typing takes a while.
const TOLERANCE: i64 = 1;

/// A secret shared with an authenticator app.
pub type Secret = [u8; SECRET_BYTES];

/// Characters that stay as they are in a label or a parameter.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The time step of a moment.
pub fn step_of(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(STEP)
}

/// The code of a time step.
pub fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    // Dynamic truncation (RFC 4226, section 5.3): the last half byte says where.
    let at = usize::from(bytes.last().copied().unwrap_or_default() & 0xf);
    let word = bytes.iter().skip(at).take(4).fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) & 0x7fff_ffff;
    format!("{:0DIGITS$}", word % 10_u32.pow(DIGITS as u32))
}

/// The time step that the code belongs to, if it is one of those accepted now: the latest, should there be several. It takes as long
/// for a wrong code as for a right one.
pub fn matching(secret: &[u8], text: &str, now: Timestamp) -> Option<i64> {
    let present = step_of(now);
    let mut found = None;
    for step in present - TOLERANCE..=present + TOLERANCE {
        if constant_time::verify_slices_are_equal(code(secret, step).as_bytes(), text.as_bytes()).is_ok() {
            found = Some(step);
        }
    }
    found
}

/// Whether the text has the form of a code.
pub fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The secret as people type it.
pub fn text(secret: &Secret) -> String {
    BASE32_NOPAD.encode(secret)
}

/// What a QR code for authenticator apps says (the key URI format).
pub fn url(issuer: &str, username: &str, secret: &Secret) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let (issuer, username, secret) = (encoded(issuer), encoded(username), text(secret));
    format!("otpauth://totp/{issuer}:{username}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B: the last six of the eight digits.
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = step_of(Timestamp::from_millis(seconds * 1000));
            assert_eq!(code(RFC, step), expected, "{seconds}");
        }
        // RFC 4226, appendix D: counters 0 to 9.
        let hotp = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, expected) in (0..).zip(hotp) {
            assert_eq!(code(RFC, counter), expected, "{counter}");
        }
    }

    #[test]
    fn the_codes_of_the_neighbouring_steps_are_accepted_and_no_others() {
        let now = Timestamp::from_millis(1_795_428_000_000);
        let present = step_of(now);
        for (step, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let found = matching(RFC, &code(RFC, present + step), now);
            assert_eq!(found, accepted.then_some(present + step), "{step}");
        }
        for text in ["", "000000", "28708", "2870820", "２８７０８２", "abcdef"] {
            assert_eq!(matching(RFC, text, now), None, "{text}");
        }
    }

    #[test]
    fn the_url_names_the_shop_and_the_user() {
        let url = url("Bob's & Co: 店", "alice", b"12345678901234567890");
        let expected = "otpauth://totp/Bob%27s%20%26%20Co%3A%20%E5%BA%97:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                        &issuer=Bob%27s%20%26%20Co%3A%20%E5%BA%97&algorithm=SHA1&digits=6&period=30";
        assert_eq!(url, expected);
    }
}
