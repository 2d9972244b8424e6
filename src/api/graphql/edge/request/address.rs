//! The address of the client, also behind proxies.
//!
//! Anybody can write a header, so it is read from the right, where our own proxies wrote, and only as far as they did: the
//! first address that is none of theirs is the client. What stands to the left of it is the client's word.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::{self, AddressHeader, Section};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Finds clients behind proxies.
pub struct Addresses {
    config: Section<config::Access>,
}

impl Addresses {
    /// Believes the proxies that the configuration names.
    pub const fn new(config: Section<config::Access>) -> Self {
        Self { config }
    }

    /// Where a request over a connection from `peer` came from, as far as that can be known.
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.client(peer.to_canonical(), headers)
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let config = self.config.now();
        let trusts = |address: IpAddr| config.trusted_proxies.iter().any(|network| network.contains(address));
        let (name, parse): (_, fn(&str) -> Option<IpAddr>) = match config.address_header {
            AddressHeader::XForwardedFor => (X_FORWARDED_FOR, node),
            AddressHeader::Forwarded => (header::FORWARDED, forwarded_for),
        };
        let mut known = peer;
        if !trusts(known) {
            return known;
        }
        // Several lines of one header are one list.
        for value in headers.get_all(&name).iter().rev() {
            for entry in value.to_str().unwrap_or_default().rsplit(',') {
                match parse(entry) {
                    Some(address) => known = address,
                    None => return known,
                }
                if !trusts(known) {
                    return known;
                }
            }
        }
        known
    }
}

/// The `for` of one element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element
        .split(';')
        .find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        })
        .and_then(node)
}

/// An address, with or without a port, brackets and quotes.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn client(peer: &str, header: AddressHeader, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap()).to_vec();
        let name = if header == AddressHeader::Forwarded { header::FORWARDED } else { X_FORWARDED_FOR };
        let headers = lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect();
        let mut config = config::Config::default_embedded().access;
        (config.trusted_proxies, config.address_header) = (trusted, header);
        Addresses::new(config.into()).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_not_ours_is_the_client() {
        for (peer, lines, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1", "10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, junk, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("fd00::1", &["[2001:db8::7]:80"], "2001:db8::7"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, AddressHeader::XForwardedFor, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_understood_where_it_is_the_one() {
        let client = |line| client("10.0.0.1", AddressHeader::Forwarded, &[line]);
        assert_eq!(client("for=203.0.113.9, For=\"[2001:db8::7]:80\";proto=https;by=10.0.0.1"), "2001:db8::7");
        assert_eq!(client("for=unknown"), "10.0.0.1");
        assert_eq!(client("proto=https"), "10.0.0.1");
        assert_eq!(client("for=_hidden, for=10.3.3.3"), "10.3.3.3");
    }

    proptest! {
        /// Whatever a client writes, its own proxy's entry decides.
        #[test]
        fn nothing_that_a_client_writes_changes_who_it_is(word in "[ -~]{0,80}") {
            let line = format!("{word}, 198.51.100.1, 10.1.1.1");
            prop_assert_eq!(client("10.0.0.1", AddressHeader::XForwardedFor, &[&line]), "198.51.100.1");
            let line = format!("{word}, for=198.51.100.1");
            prop_assert_eq!(client("10.0.0.1", AddressHeader::Forwarded, &[&line]), "198.51.100.1");
        }
    }
}
