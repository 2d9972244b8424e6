//! What people may read of what others wrote: names, titles, reasons. One rule for all of them, by the properties that Unicode gives
//! its characters, so that emoji, flags and all scripts pass.

use icu_properties::props::{
    BidiControl, BinaryProperty as _, DefaultIgnorableCodePoint, EnumeratedProperty as _, GeneralCategory as Category,
    NoncharacterCodePoint, WhiteSpace,
};

/// A pattern of dots without a dot: a letter by its properties, and nothing to the eye.
const BRAILLE_BLANK: char = '\u{2800}';

/// Whether the text can be shown on one line: something of it is visible, it has at most so many characters, and neither controls,
/// line breaks, nor directions that reach beyond it.
pub fn is_line(text: &str, most: usize) -> bool {
    let text = text.trim();
    text.chars().count() <= most
        && text.chars().any(is_visible)
        && text.chars().all(|c| {
            is_plain(c) && !matches!(Category::for_char(c), Category::LineSeparator | Category::ParagraphSeparator)
        })
        && directions_end(text)
}

/// The same for a text that may have several lines, or none.
pub fn is_block(text: &str, most: usize) -> bool {
    text.chars().count() <= most
        && text.chars().all(|c| is_plain(c) || matches!(c, '\n' | '\r' | '\t'))
        && text.lines().all(directions_end)
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !NoncharacterCodePoint::for_char(c)
}

/// Whether the character alone shows something. Accents and joiners need another one.
fn is_visible(c: char) -> bool {
    let hidden = matches!(
        Category::for_char(c),
        Category::Control | Category::Format | Category::NonspacingMark | Category::EnclosingMark
    );
    !hidden && c != BRAILLE_BLANK && !WhiteSpace::for_char(c) && !DefaultIgnorableCodePoint::for_char(c)
}

/// Whether all changes of direction end with the text. Outside of isolates they would turn what stands around it; overrides, which
/// write letters backwards, are for posing as another.
fn directions_end(text: &str) -> bool {
    let mut open = 0_u32;
    for c in text.chars().filter(|c| BidiControl::for_char(*c)) {
        match c {
            '\u{2066}'..='\u{2068}' => open += 1,
            '\u{2069}' if open > 0 => open -= 1,
            '\u{202D}' | '\u{202E}' => return false,
            _ if open > 0 => {}
            _ => return false,
        }
    }
    open == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_something_and_end_where_they_end() {
        let longest = "é".repeat(64);
        for fine in [
            "李 雷",
            "👩‍🚀",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "🇨🇳",
            "❤️",
            "1️⃣",
            "نام‌ها",
            "क्‍ष",
            "\u{2067}שלום\u{200F}!\u{2069} hello",
            "  around  ",
            "e\u{0301}",
            "\u{E000}",
            &longest,
        ] {
            assert!(is_line(fine, 64), "{fine:?}");
        }
        let too_long = "é".repeat(65);
        for wrong in [
            "",
            "   ",
            "\u{3000}",
            "\u{200B}",
            "\u{200D}",
            "\u{2060}",
            "\u{3164}",
            "\u{115F}\u{1160}",
            "\u{2800}\u{2800}",
            "\u{0301}",
            "\u{FE0F}",
            "\u{E0067}",
            "\u{2067}\u{2069}",
            "a\u{0007}b",
            "a\nb",
            "a\u{0085}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\u{FFFE}b",
            "bo\u{202E}b",
            "bo\u{202A}b\u{202C}",
            "bo\u{200E}b",
            "bo\u{061C}b",
            "\u{2067}open",
            "closed\u{2069}",
            "\u{2069}\u{2067}x",
            "\u{2067}\u{202E}x\u{202C}\u{2069}",
            &too_long,
        ] {
            assert!(!is_line(wrong, 64), "{wrong:?}");
        }
    }

    #[test]
    fn blocks_may_have_lines() {
        assert!(is_block("", 9) && is_block("a\r\n\tb\n", 9) && is_block("a\u{2028}b", 9));
        for wrong in ["a\0b", "\u{2067}a\nb\u{2069}", "a\u{202E}b", "0123456789"] {
            assert!(!is_block(wrong, 9), "{wrong:?}");
        }
    }
}
