//! Rules for names and passwords.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfkc};

use crate::kernel::text::is_line;

/// The shortest and longest username, in characters.
const USERNAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=32;
/// The shortest password, in bytes.
const PASSWORD_MIN: usize = 8;
/// The longest password, in bytes.
const PASSWORD_MAX: usize = 128;
/// The longest display name, in characters.
const DISPLAY_NAME_MAX: usize = 64;

/// Why nobody was signed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignUpRefusal {
    /// The shop takes no new accounts.
    SignUpClosed,
    /// The username is too short, too long, or has other characters.
    UsernameInvalid,
    /// Somebody has this username.
    UsernameTaken,
    /// The password is too short.
    PasswordTooShort,
    /// The password is too long.
    PasswordTooLong,
    /// The display name shows nothing, is too long, or has line breaks or other controls.
    DisplayNameInvalid,
}

impl SignUpRefusal {
    /// A sentence for the person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::SignUpClosed => "This shop does not accept new accounts.",
            Self::UsernameInvalid => {
                "The username must have 3 to 32 characters of a-z, 0-9, _, - and ., and begin with a letter or digit."
            }
            Self::UsernameTaken => "This username is already taken.",
            Self::PasswordTooShort => "The password must have at least 8 characters.",
            Self::PasswordTooLong => "The password must have at most 128 bytes.",
            Self::DisplayNameInvalid => {
                "The display name must have 1 to 64 characters on one line, with at least one visible character."
            }
        }
    }
}

/// The one form of a username: ASCII lower case. `None` when it can't be one.
///
/// Only ASCII is folded: Unicode has other characters whose lower case is an ASCII letter, and a name must not have two
/// spellings that look alike.
pub fn username(text: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let first = text.as_bytes().first()?;
    let valid = USERNAME_LENGTH.contains(&text.len()) && text.bytes().all(allowed) && first.is_ascii_alphanumeric();
    valid.then(|| text.to_ascii_lowercase())
}

/// What is wrong with a password, if anything. What is hashed must be long enough, what is typed short enough.
pub fn password(text: &str) -> Option<SignUpRefusal> {
    if text.len() > PASSWORD_MAX {
        return Some(SignUpRefusal::PasswordTooLong);
    }
    (normalized(text).len() < PASSWORD_MIN).then_some(SignUpRefusal::PasswordTooShort)
}

/// The one form of a password (NFKC): keyboards and systems differ in how they write the same characters.
pub fn normalized(password: &str) -> Cow<'_, str> {
    if password.is_ascii() || is_nfkc(password) { password.into() } else { password.nfkc().collect::<String>().into() }
}

/// The display name without the space around it. `None` when it can't be one.
pub fn display_name(text: &str) -> Option<String> {
    let name = text.trim();
    is_line(name, DISPLAY_NAME_MAX).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usernames_have_one_spelling() {
        assert_eq!(username("Alice.B-1_x").as_deref(), Some("alice.b-1_x"));
        assert_eq!(username("9lives").as_deref(), Some("9lives"));
        assert_eq!(username(&"a".repeat(32)), Some("a".repeat(32)));
        let tricks = [
            "",
            "ab",
            &"a".repeat(33),
            "_abc",
            ".abc",
            "-abc",
            " alice",
            "alice ",
            "al ice",
            "al\u{0000}ice",
            "alice\n",
            "\u{212A}elvin",   // Kelvin sign, whose lower case is k
            "\u{FF41}lice",    // full-width a
            "\u{0430}lice",    // Cyrillic a
            "ali\u{200B}ce",   // zero-width space
            "alice\u{0301}",   // combining accent
            "\u{0130}stanbul", // dotted capital I
            "a\u{202E}ecil",   // right-to-left override
            "alice@example.com",
            "a/b/c",
        ];
        for trick in tricks {
            assert_eq!(username(trick), None, "{trick:?}");
        }
    }

    #[test]
    fn passwords_are_8_to_128_bytes_of_anything() {
        assert_eq!(password("1234567"), Some(SignUpRefusal::PasswordTooShort));
        assert_eq!(password("12345678"), None);
        assert_eq!(password("\0 \n\t密码"), None);
        assert_eq!(password(&"x".repeat(128)), None);
        assert_eq!(password(&"x".repeat(129)), Some(SignUpRefusal::PasswordTooLong));
        assert_eq!(password(&"密".repeat(43)), Some(SignUpRefusal::PasswordTooLong));
        assert_eq!(password("１２３４５６７"), Some(SignUpRefusal::PasswordTooShort), "it is 1234567");
        assert_eq!(password("１２３４５６７８"), None);
    }

    #[test]
    fn display_names_are_visible() {
        assert_eq!(display_name("  李 雷 ").as_deref(), Some("李 雷"));
        assert_eq!(display_name("👩‍🚀").as_deref(), Some("👩‍🚀"));
        assert_eq!(display_name(&"é".repeat(64)), Some("é".repeat(64)));
        let tricks = [
            "",
            "   ",
            "\u{3000}",
            &"é".repeat(65),
            "a\u{0007}b",
            "a\nb",
            "\u{200B}",
            "\u{200D}",
            "bo\u{202E}b",
            "\u{2060}",
        ];
        for trick in tricks {
            assert_eq!(display_name(trick), None, "{trick:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_username_is_its_own_normal_form(text in "\\PC{0,40}|[a-zA-Z0-9._-]{0,40}") {
            if let Some(name) = username(&text) {
                prop_assert_eq!(username(&name), Some(name.clone()));
                prop_assert!(name.is_ascii() && !name.bytes().any(|b| b.is_ascii_uppercase()));
            }
        }
    }
}
