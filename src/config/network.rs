//! Networks of addresses: `"10.0.0.0/8"`, `"2001:db8::/32"`, `"192.0.2.7"`.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Parses the written form; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse().map(|address: IpAddr| address.into()));
        network
            .map(Self)
            .map_err(|_| format!("`{text}` is not a network; write it as \"10.0.0.0/8\" or \"2001:db8::/32\""))
    }

    /// Whether the address is in it. An IPv4 address written as IPv6 is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl JsonSchema for Network {
    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "network" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_are_understood() {
        let within = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(within("10.0.0.0/8", "10.1.2.3") && within("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!within("10.0.0.0/8", "11.1.2.3") && within("::1", "::1") && !within("::1", "::2"));
        assert!(Network::parse("10.0.0.0/33").is_err() && Network::parse("shop.example").is_err());
    }
}
