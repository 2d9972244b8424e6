//! Interprets `store.url`: the address of the server, and `sslmode` with the related parameters. They are removed from the URL, because
//! tokio-postgres supports fewer of them and its own default is plaintext without notice.
//! Pure: it reads no files and opens no connections.

use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};

use crate::kernel::errors::chain;
use crate::tls::{Identity, Roots};

/// The parameters that are taken out.
const OURS: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding", "sslnegotiation"];

/// What is wrong with a URL, without the URL's secrets.
pub type Refusal = String;

/// A server, and how the way to it is protected.
#[derive(Debug, Clone)]
pub struct Target {
    /// Everything that tokio-postgres has to know.
    pub server: Config,
    /// Whether and how connections are encrypted.
    pub protection: Protection,
}

/// Whether and how connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// They are not.
    Plain {
        /// The hosts among the server's that are other machines.
        exposed: Vec<String>,
    },
    /// They are, or there is none.
    Tls(Tls),
}

/// How connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// What the server's certificate must be.
    pub check: Check,
    /// The trusted authorities; `None` with [`Check::Nothing`].
    pub roots: Option<Roots>,
    /// Who this program is to the server.
    pub identity: Option<Identity>,
    /// Whether the server must prove in its answer to the password that it holds the certificate it has shown.
    pub binding: ChannelBinding,
    /// Whether TLS begins with the first byte, without PostgreSQL's question before it.
    pub direct: bool,
}

/// What a server's certificate must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Whatever it is: the password proves who the server is ([`Tls::binding`]).
    Nothing,
    /// Issued by one of the roots.
    Chain,
    /// That, and for the name of the host.
    Name,
}

impl Target {
    /// Reads `postgres://…`.
    pub fn parse(url: &str) -> Result<Self, Refusal> {
        let (url, asked) = Asked::take_out(url)?;
        let mut server: Config = url.parse().map_err(|error: tokio_postgres::Error| chain(&error))?;
        let (hosts, addresses) = (server.get_hosts().len(), server.get_hostaddrs().len());
        if hosts == 0 && addresses == 0 {
            return Err("has no host".to_owned());
        }
        if hosts != 0 && addresses != 0 && hosts != addresses {
            return Err(format!("has {hosts} hosts and {addresses} addresses (hostaddr): the numbers must be equal"));
        }
        let protection = asked.decide(&Place::all(&server))?;
        match &protection {
            Protection::Plain { .. } => {
                server.ssl_mode(SslMode::Disable);
            }
            Protection::Tls(tls) => {
                let negotiation = if tls.direct { SslNegotiation::Direct } else { SslNegotiation::Postgres };
                server.ssl_mode(SslMode::Require).ssl_negotiation(negotiation).channel_binding(tls.binding);
            }
        }
        Ok(Self { server, protection })
    }
}

/// Where one of the servers is.
struct Place {
    /// The name that its certificate must be for; none if only an address is known.
    name: Option<String>,
    /// Where packets go, as it was written.
    shown: String,
    is_socket: bool,
    is_this_machine: bool,
}

impl Place {
    fn all(server: &Config) -> Vec<Self> {
        let (hosts, addresses) = (server.get_hosts(), server.get_hostaddrs());
        let place = |at: usize| match (hosts.get(at), addresses.get(at)) {
            (Some(Host::Unix(path)), None) => {
                Self { name: None, shown: path.display().to_string(), is_socket: true, is_this_machine: true }
            }
            (Some(Host::Tcp(name)), None) => Self {
                name: Some(name.clone()),
                shown: name.clone(),
                is_socket: false,
                is_this_machine: is_this_machine(name),
            },
            // The address is what is spoken to, whatever the name.
            (host, address) => {
                let name = match host {
                    Some(Host::Tcp(name)) => Some(name.clone()),
                    _ => None,
                };
                let shown = address.map(ToString::to_string).unwrap_or_default();
                Self { name, is_socket: false, is_this_machine: is_this_machine(&shown), shown }
            }
        };
        (0..hosts.len().max(addresses.len())).map(place).collect()
    }

    /// Whether a certificate can be compared with it.
    fn must_have_a_name(&self) -> Result<(), Refusal> {
        if self.is_socket {
            return Err(format!(
                "{} is a socket, on which PostgreSQL does not support TLS: leave sslmode out",
                self.shown
            ));
        }
        let Some(name) = &self.name else {
            return Err(format!(
                "TLS needs the name in the certificate: set host=… in addition to hostaddr={}",
                self.shown
            ));
        };
        if ServerName::try_from(name.as_str()).is_err() {
            return Err(format!("\"{name}\" is not a host name or address for which a certificate can be issued"));
        }
        Ok(())
    }
}

/// A name that merely resolves to this machine is not enough, because DNS can be controlled by someone else.
fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The TLS parameters of the URL.
#[derive(Debug, Default)]
struct Asked([Option<String>; OURS.len()]);

impl Asked {
    /// The URL without our parameters, and those.
    fn take_out(url: &str) -> Result<(String, Self), Refusal> {
        let mut asked = Self::default();
        // tokio-postgres takes everything before an `@` for the user, also a `?`; so must this.
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let after_user = url[after_scheme..].find('@').map_or(after_scheme, |at| after_scheme + at + 1);
        let Some(query) = url[after_user..].find('?').map(|at| after_user + at) else {
            return Ok((url.to_owned(), asked));
        };
        let mut others = Vec::new();
        for part in url[query + 1..].split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let key = percent_decode_str(key).decode_utf8_lossy();
            let Some(at) = OURS.iter().position(|known| *known == key) else {
                others.push(part);
                continue;
            };
            let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("{key} is not UTF-8"))?;
            if value.is_empty() {
                return Err(format!("{key} is empty: give it a value or leave it out"));
            }
            if asked.0[at].replace(value.into_owned()).is_some() {
                return Err(format!("{key} is given twice"));
            }
        }
        let mark = if others.is_empty() { "" } else { "?" };
        Ok((format!("{}{mark}{}", &url[..query], others.join("&")), asked))
    }

    fn get(&self, key: &str) -> Option<&str> {
        let at = OURS.iter().position(|known| *known == key)?;
        self.0[at].as_deref()
    }

    fn decide(&self, places: &[Place]) -> Result<Protection, Refusal> {
        let (binding, direct, roots) = (self.binding()?, self.direct()?, self.roots());
        let identity = self.identity()?;
        let check = match self.get("sslmode") {
            None if places.iter().all(|place| place.is_this_machine) => {
                self.must_ask_nothing("connections to this machine are not encrypted by default")?;
                return Ok(Protection::Plain { exposed: Vec::new() });
            }
            Some("disable") => {
                self.must_ask_nothing("sslmode=disable turns encryption off")?;
                let exposed = places.iter().filter(|place| !place.is_this_machine);
                return Ok(Protection::Plain { exposed: exposed.map(|place| place.shown.clone()).collect() });
            }
            None | Some("verify-full") => Check::Name,
            Some("verify-ca") => match roots {
                Some(Roots::File(_)) => Check::Chain,
                _ => return Err(PUBLIC_ROOTS.replace("MODE", "verify-ca")),
            },
            Some("require") => match roots {
                Some(Roots::File(_)) => Check::Chain,
                Some(Roots::System) => return Err(PUBLIC_ROOTS.replace("MODE", "require")),
                None if binding == ChannelBinding::Require => Check::Nothing,
                None => return Err(BLIND.to_owned()),
            },
            Some(mode @ ("allow" | "prefer")) => {
                return Err(format!(
                    "sslmode={mode} can fall back to plaintext without notice; write disable or verify-full"
                ));
            }
            Some(mode) => {
                return Err(format!("sslmode={mode} is not known; write verify-full, verify-ca, require or disable"));
            }
        };
        places.iter().try_for_each(Place::must_have_a_name)?;
        let roots = if check == Check::Name { roots.or(Some(Roots::System)) } else { roots };
        Ok(Protection::Tls(Tls { check, roots, identity, binding, direct }))
    }

    /// Parameters that plaintext can't satisfy must not be ignored without notice.
    fn must_ask_nothing(&self, because: &str) -> Result<(), Refusal> {
        let files = ["sslrootcert", "sslcert", "sslkey"].into_iter().find(|key| self.get(key).is_some());
        let demand = [("channel_binding", "require"), ("sslnegotiation", "direct")];
        let demand = demand.into_iter().find(|(key, value)| self.get(key) == Some(value)).map(|(key, _)| key);
        match files.or(demand) {
            Some(key) => Err(format!("{key} is given, but {because}: write sslmode=verify-full or leave {key} out")),
            None => Ok(()),
        }
    }

    fn roots(&self) -> Option<Roots> {
        self.get("sslrootcert").map(|roots| if roots == "system" { Roots::System } else { Roots::File(roots.into()) })
    }

    fn identity(&self) -> Result<Option<Identity>, Refusal> {
        match (self.get("sslcert").map(PathBuf::from), self.get("sslkey").map(PathBuf::from)) {
            (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => Err("sslcert is given without sslkey: both are needed".to_owned()),
            (None, Some(_)) => Err("sslkey is given without sslcert: both are needed".to_owned()),
        }
    }

    fn binding(&self) -> Result<ChannelBinding, Refusal> {
        match self.get("channel_binding") {
            None | Some("prefer") => Ok(ChannelBinding::Prefer),
            Some("require") => Ok(ChannelBinding::Require),
            Some("disable") => Ok(ChannelBinding::Disable),
            Some(other) => Err(format!("channel_binding={other} is not known; write prefer, require or disable")),
        }
    }

    fn direct(&self) -> Result<bool, Refusal> {
        match self.get("sslnegotiation") {
            None | Some("postgres") => Ok(false),
            Some("direct") => Ok(true),
            Some(other) => Err(format!("sslnegotiation={other} is not known; write postgres or direct")),
        }
    }
}

const BLIND: &str = "sslmode=require alone does not authenticate the server; write verify-full, or add sslrootcert=FILE or \
                     channel_binding=require";

/// Anyone can get a certificate from a public authority for their own name.
const PUBLIC_ROOTS: &str = "sslmode=MODE verifies the issuer of the certificate but not its name, so it needs sslrootcert=FILE \
                            with a private authority; or write verify-full";

#[cfg(test)]
mod tests;
