//! What must be so whatever the text: for the tests here, and for the fuzzer (`fuzz/`).

use apollo_compiler::ast::Document;

use super::{Limits, Measurer, operations, scan};

/// Panics where the guard is wrong about this text.
pub fn check(text: &str) {
    let all = usize::MAX;
    let open = Limits {
        bytes: all,
        tokens: all,
        nesting: all,
        aliases: all,
        root_fields: all,
        fields: all,
        depth: all,
        lists: all,
        cost: all,
        page_default: 20,
        page_max: 100,
        once: &["salePurchase"],
    };
    let counted = scan(text, &open).map(|scan| (scan.tokens, scan.nesting));
    assert_eq!(counted, Ok(slow_count(text)), "{text}");
    assert!(counted.is_ok_and(|(tokens, nesting)| tokens <= text.len() && nesting <= tokens));
    let limits = Limits { bytes: 32 * 1024, tokens: 2000, nesting: 40, ..open };
    if scan(text, &limits).is_ok()
        && let Ok(document) = Document::parse(text, "fuzz")
    {
        let mut measurer = Measurer::new(&document, None, &limits);
        for operation in operations(&document) {
            // An operation may be unfit; it may not take the process down.
            let _ = measurer.measure(operation);
        }
        let _ = measurer.check_walk();
    }
}

/// The same count by other means: cut off what the specification's lexer would, one token at a time.
pub fn slow_count(text: &str) -> (usize, usize) {
    let (mut rest, mut tokens, mut open, mut deepest) = (text, 0, 0_usize, 0);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        let Some(first) = rest.chars().next() else { return (tokens, deepest) };
        if first == '#' {
            rest = rest.split_once(['\n', '\r']).map_or("", |(_, after)| after);
            continue;
        }
        tokens += match first {
            '"' | '.' => 1,
            // The fast count sees bytes: a character that begins no token is as many as it has bytes.
            _ if !first.is_ascii() => first.len_utf8(),
            _ => 1,
        };
        match first {
            '{' | '[' | '(' => open += 1,
            '}' | ']' | ')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
        let length = token_length(rest, first);
        rest = &rest[length..];
    }
}

fn token_length(rest: &str, first: char) -> usize {
    if let Some(body) = rest.strip_prefix("\"\"\"") {
        let masked = body.replace("\\\"\"\"", "\u{1}\u{1}\u{1}\u{1}");
        return masked.find("\"\"\"").map_or(rest.len(), |end| end + 6);
    }
    if let Some(body) = rest.strip_prefix('"') {
        let line = body.split(['\n', '\r']).next().unwrap_or_default();
        let mut escaped = false;
        for (at, c) in line.char_indices() {
            match (escaped, c) {
                (true, _) => escaped = false,
                (false, '\\') => escaped = true,
                (false, '"') => return 1 + at + 1,
                _ => {}
            }
        }
        return 1 + line.len();
    }
    if rest.starts_with("...") {
        return 3;
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if word(first) && !first.is_ascii_digit() {
        return rest.find(|c| !word(c)).unwrap_or(rest.len());
    }
    if first.is_ascii_digit() || first == '-' {
        let chars: Vec<char> = rest.chars().collect();
        let more = (1..chars.len()).find(|&at| match chars[at] {
            '.' => !chars.get(at + 1).is_some_and(char::is_ascii_digit),
            '+' | '-' => !matches!(chars[at - 1], 'e' | 'E'),
            c => !word(c),
        });
        return more.unwrap_or(chars.len());
    }
    first.len_utf8()
}
