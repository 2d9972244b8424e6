//! One pass over the text of a document, before the parser sees it.

use super::{Exceeded, Limits};

/// The counts of one pass over the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Lexical tokens; a byte that begins none counts as one.
    pub tokens: usize,
    /// The deepest nesting of `{`, `[` and `(`.
    pub nesting: usize,
}

/// Counts tokens and nesting without understanding the text. Strings and comments are skipped as the lexer of the
/// GraphQL specification (September 2025, section 2.1) would. Stops at the first limit the text is over.
pub fn scan(text: &str, limits: &Limits) -> Result<Scan, Exceeded> {
    if text.len() > limits.bytes {
        return Err(Exceeded::Bytes(limits.bytes));
    }
    let bytes = text.as_bytes();
    let mut counted = Scan::default();
    let (mut at, mut open) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        if let Some(next) = ignored_end(bytes, at) {
            at = next;
            continue;
        }
        match byte {
            b'{' | b'[' | b'(' => {
                open += 1;
                counted.nesting = counted.nesting.max(open);
                if open > limits.nesting {
                    return Err(Exceeded::Nesting(limits.nesting));
                }
            }
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        at = token_end(bytes, at);
        counted.tokens += 1;
        if counted.tokens > limits.tokens {
            return Err(Exceeded::Tokens(limits.tokens));
        }
    }
    Ok(counted)
}

/// Where what is no token ends, if there is such at this place.
fn ignored_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at] {
        b' ' | b'\t' | b'\n' | b'\r' | b',' => Some(at + 1),
        0xEF if bytes[at..].starts_with(b"\xEF\xBB\xBF") => Some(at + 3),
        b'#' => Some(line_end(bytes, at)),
        _ => None,
    }
}

fn token_end(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => string_end(bytes, at),
        b'A'..=b'Z' | b'a'..=b'z' | b'_' => word_end(bytes, at),
        b'0'..=b'9' | b'-' => number_end(bytes, at),
        b'.' if bytes[at..].starts_with(b"...") => at + 3,
        _ => at + 1,
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(bytes.len(), |length| from + length)
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes[from..].iter().position(|byte| !inside(byte)).map_or(bytes.len(), |length| from + length)
}

/// A number runs on over digits, letters, a point before a digit, and a sign after an exponent's letter.
fn number_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        let runs_on = match byte {
            b'.' => bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
            b'+' | b'-' => matches!(bytes[at - 1], b'e' | b'E'),
            _ => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        if !runs_on {
            break;
        }
        at += 1;
    }
    at
}

/// Just behind the closing quote; for a string that is never closed, the end of its line (`"`) or the text (`"""`).
fn string_end(bytes: &[u8], from: usize) -> usize {
    if bytes[from..].starts_with(b"\"\"\"") {
        let mut at = from + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return at + 3;
            } else {
                at += 1;
            }
        }
        return bytes.len();
    }
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            b'\\' if !matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::graphql::edge::protection::guard::fuzzing::slow_count;
    use crate::api::graphql::edge::testing::limits;
    use proptest::prelude::*;

    fn count(text: &str) -> (usize, usize) {
        let limits = Limits { bytes: usize::MAX, tokens: usize::MAX, nesting: usize::MAX, ..limits() };
        let scan = scan(text, &limits).unwrap();
        (scan.tokens, scan.nesting)
    }

    #[test]
    fn counts_what_the_specification_calls_tokens() {
        for (text, expected) in [
            ("", (0, 0)),
            ("{ a }", (3, 1)),
            ("query Q($n: Int = -1.5e+10) { a(x: $n) ...F }", (21, 2)),
            ("{ a(s: \"} # \\\" {\") } # { [", (8, 2)),
            ("{ a(s: \"\"\"x \\\"\"\" { y\"\"\") }", (8, 2)),
            ("\u{feff}{a(l:[[1,2],[3]])}", (16, 4)),
            ("\"never closed { [\n{a}", (4, 1)),
            ("...@!|&=:$", (8, 0)),
        ] {
            assert_eq!(count(text), expected, "{text}");
            assert_eq!(slow_count(text), expected, "slow: {text}");
        }
    }

    #[test]
    fn stops_at_each_limit() {
        let limits = Limits { bytes: 100, tokens: 10, nesting: 3, ..limits() };
        assert_eq!(scan(&"a".repeat(101), &limits), Err(Exceeded::Bytes(100)));
        assert_eq!(scan(&"a ".repeat(11), &limits), Err(Exceeded::Tokens(10)));
        assert_eq!(scan("{[({", &limits), Err(Exceeded::Nesting(3)));
        assert!(scan("{[()]}", &limits).is_ok());
    }

    proptest! {
        #[test]
        fn agrees_with_the_slow_count(text in "([{}()\\[\\]\"#\\\\\n., \u{feff}é0-9a-e+_$!-]|\"\"\"|\\\\\"\"\"|\\.\\.\\.){0,60}") {
            prop_assert_eq!(count(&text), slow_count(&text));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(count(&text), slow_count(&text));
        }
    }
}
