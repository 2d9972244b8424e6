//! The content security policies of pages.

use axum::http::HeaderValue;

/// Only what GraphiQL needs: its editor sets styles from code, has its fonts in the style sheet and runs workers.
pub const GRAPHIQL: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A picture opened on its own runs and loads nothing.
pub const PICTURE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Features of browsers that the storefront never uses. Those that it leaves out, such as writing to the clipboard, stay as
/// browsers have them.
pub const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()";

/// The policy of the storefront's pages: they may only load images of these origins from other hosts.
pub fn storefront(picture_origins: &[String], public_url: &str) -> Option<HeaderValue> {
    let pictures = [&["data:".to_owned()], picture_origins].concat().join(" ");
    // Older Safari does not take `'self'` for the sockets of the same host.
    let host = public_url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let sockets = host.filter(|host| is_host(host)).map(|host| format!(" wss://{host}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' {pictures}; \
         connect-src 'self'{sockets}; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::try_from(policy).ok()
}

/// A name or an address, and perhaps a port: nothing that would end the policy's directive.
fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storefront_loads_nothing_from_elsewhere_unless_it_is_set() {
        let plain = storefront(&[], "http://127.0.0.1:8080").unwrap();
        assert_eq!(
            plain,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'"
        );
        let set = storefront(&["https://img.example".into()], "https://shop.example/base").unwrap();
        let set = set.to_str().unwrap();
        for odd in ["https://a b/", "https://x;script-src *", "https://"] {
            assert_eq!(storefront(&[], odd), Some(plain.clone()), "{odd}");
        }
        assert!(
            set.contains("img-src 'self' data: https://img.example; connect-src 'self' wss://shop.example;"),
            "{set}"
        );
    }
}
