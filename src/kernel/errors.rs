//! Errors with what caused them.

use std::error::Error;

/// The error and its causes in one line, each once: many libraries repeat the cause in their own text.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("could not read the bill")]
        Silent(#[source] io::Error),
        #[error("could not read the bill: {0}")]
        Repeated(#[source] io::Error),
    }

    #[test]
    fn causes_are_listed_once() {
        let full = || io::Error::other("disk full");
        let expected = "could not read the bill: disk full";
        assert_eq!(chain(&Outer::Silent(full())), expected);
        assert_eq!(chain(&Outer::Repeated(full())), expected);
        assert_eq!(chain(&full()), "disk full");
    }
}
