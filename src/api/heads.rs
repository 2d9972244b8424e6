//! Requests that say in two ways how long they are, or leave it open where they end. The HTTP library takes `Transfer-Encoding` and
//! drops `Content-Length`; a proxy in front that does it the other way round would take the rest for another request (request
//! smuggling). So the head is looked at before the library has it.
//!
//! Only the framing is read: where a head ends, and how long its body is. After a request with `Transfer-Encoding`, or for another
//! protocol, nothing more is looked at, and the connection ends with its answer ([`ends_connection`]).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Version};

/// The bytes that the library takes for the end of a head.
pub const END: &[u8] = b"\r\n\r\n";

/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Where the client's bytes are.
#[derive(Debug)]
pub enum Heads {
    /// Within a head.
    Head {
        /// The line that has begun, as far as it matters: [`LINE`] bytes.
        line: Vec<u8>,
        /// It is the first line of the request.
        first: bool,
        /// The findings so far.
        found: Found,
    },
    /// Within a body that has so many bytes more.
    Body(u64),
    /// Nothing is looked at any more.
    Passing,
}

/// The longest part of a line that is kept: longer than any line that matters here, `Content-Length` with all its digits included.
const LINE: usize = 64;

/// How a head defines the body that follows.
#[derive(Debug, Default, Clone, Copy)]
pub struct Found {
    length: Option<u64>,
    encoded: bool,
    upgrade: bool,
}

impl Default for Heads {
    fn default() -> Self {
        Self::Head { line: Vec::new(), first: true, found: Found::default() }
    }
}

impl Heads {
    /// Looks at the next bytes. The end of a head with both headers is made unreadable: so the library answers 400 and closes, once it
    /// sees where a head ends. `true`: [`END`] is to follow these bytes.
    pub fn look(&mut self, bytes: &mut [u8]) -> bool {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::Passing => return false,
                Self::Body(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= taken as u64;
                    at += taken;
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::Head { line, .. } => {
                    let rest = &bytes[at..];
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let part = &rest[..end.map_or(rest.len(), |end| end + 1)];
                    line.extend_from_slice(&part[..part.len().min(LINE - line.len())]);
                    at += part.len();
                    if end.is_some() && self.line_ended() {
                        bytes[at - 1] = 0;
                        *self = Self::Passing;
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whether the head that ends here has both headers.
    fn line_ended(&mut self) -> bool {
        let Self::Head { line, first, found } = self else { return false };
        let text = line.trim_ascii_end();
        match (text.is_empty(), *first) {
            // Empty lines before a request do not count.
            (true, true) => {}
            (true, false) => {
                let Found { length, encoded, upgrade } = *found;
                *self = match length {
                    _ if encoded || upgrade => Self::Passing,
                    Some(length) if length > 0 => Self::Body(length),
                    _ => Self::default(),
                };
                return encoded && length.is_some();
            }
            (false, true) if line.starts_with(PREFACE) => *self = Self::Passing,
            (false, true) => *first = false,
            (false, false) => found.read(text, line.len() == LINE),
        }
        if let Self::Head { line, .. } = self {
            line.clear();
        }
        false
    }
}

impl Found {
    fn read(&mut self, line: &[u8], is_cut: bool) {
        // Most lines are not about this.
        if !matches!(line[0].to_ascii_lowercase(), b'c' | b't' | b'u') {
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str().as_bytes()) {
            // What is no number is refused by the library.
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            self.length = Some(number.unwrap_or_default());
            // One that is padded so that it can't be read here is no better than two.
            self.encoded |= is_cut;
        } else if name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes()) {
            self.encoded = true;
        } else if name.eq_ignore_ascii_case(UPGRADE.as_str().as_bytes()) {
            self.upgrade |= value.eq_ignore_ascii_case(b"websocket");
        }
    }
}

/// Whether a connection of HTTP/1 ends with the answer to this request, because what follows it is not looked at.
pub fn ends_connection(headers: &HeaderMap) -> bool {
    let websocket = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.contains_key(TRANSFER_ENCODING) || headers.get_all(UPGRADE).iter().any(websocket)
}

/// Whether the body is coded in no other way than in chunks, once. The library looks at the last coding only, and hands out the rest as
/// it came.
pub fn coding_is_known(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}

/// Whether the request names its host as HTTP wants it: in HTTP/1.1 once (RFC 9112, section 3.2).
pub fn host_is_clear(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    let Some(host) = hosts.next() else { return version != Version::HTTP_11 };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    hosts.next().is_none() && host.as_bytes().iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "POST /graphql HTTP/1.1\r\nHost: a\r\n";

    /// Whether the library gets to see what was sent, however it arrives.
    fn passes(sent: &str) -> bool {
        let seen = |chunk: usize| {
            let (mut heads, mut bytes) = (Heads::default(), sent.as_bytes().to_vec());
            let mut spoilt = false;
            for chunk in bytes.chunks_mut(chunk) {
                spoilt |= heads.look(chunk);
            }
            assert_eq!(spoilt, bytes != sent.as_bytes());
            !spoilt
        };
        let passes = seen(sent.len());
        assert!((1..sent.len()).all(|chunk| seen(chunk) == passes), "{sent:?}");
        passes
    }

    #[test]
    fn a_request_has_one_length() {
        let both = [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "transfer-encoding:chunked\r\ncontent-length:0\r\n",
        ];
        for headers in both {
            assert!(!passes(&format!("{POST}{headers}\r\n0\r\n\r\n")), "{headers}");
            assert!(!passes(&format!("{POST}{headers}\n0\r\n\r\n")), "{headers}");
            assert!(!passes(&format!("{POST}Content-Length: 3\r\n\r\n{{}}\n{POST}{headers}\r\n")), "the second");
            assert!(!passes(&format!("{POST}Content-Length: {}4\r\n\r\n", " ".repeat(80))), "padded");
            assert!(!passes(&format!("\r\n{POST}X-Long: {}\r\n{headers}\r\n", "x".repeat(200))), "{headers}");
        }
        for headers in ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", "Upgrade: websocket\r\n", "X: y\r\n"]
        {
            assert!(passes(&format!("{POST}{headers}\r\n{{  }}")), "{headers}");
        }
    }

    #[test]
    fn bodies_are_not_read_as_heads() {
        let both = format!("{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(passes(&format!("{POST}Content-Length: {}\r\n\r\n{both}", both.len())));
        assert!(!passes(&format!("{POST}Content-Length: {}\r\n\r\n{both}{both}", both.len())));
        assert!(passes(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n{both}")), "it ends the connection");
        assert!(passes(&format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{both}")));
    }

    #[test]
    fn a_body_comes_in_chunks_and_nothing_else() {
        let known = |codings: &[&str]| {
            coding_is_known(&codings.iter().map(|coding| (TRANSFER_ENCODING, coding.parse().unwrap())).collect())
        };
        assert!(known(&[]) && known(&["chunked"]) && known(&["Chunked"]));
        for codings in
            [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["gzip", "chunked"], &["x"]]
        {
            assert!(!known(codings), "{codings:?}");
        }
    }

    #[test]
    fn a_host_is_named_once() {
        let clear = |version, hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (http::header::HOST, host.parse().unwrap())).collect();
            host_is_clear(version, &hosts)
        };
        assert!(clear(Version::HTTP_11, &["shop.example:8080"]) && clear(Version::HTTP_11, &["[::1]:80"]));
        assert!(clear(Version::HTTP_11, &[""]) && clear(Version::HTTP_10, &[]) && clear(Version::HTTP_2, &[]));
        assert!(!clear(Version::HTTP_11, &[]) && !clear(Version::HTTP_11, &["a", "a"]));
        assert!(
            !clear(Version::HTTP_11, &["a b"])
                && !clear(Version::HTTP_11, &["a/b"])
                && !clear(Version::HTTP_10, &["a@b"])
        );
    }
}
