//! The whole table of `sslmode` and what goes with it.

use super::*;

/// A decision in a few words.
fn shown(url: &str) -> Result<String, Refusal> {
    let target = Target::parse(url)?;
    Ok(match target.protection {
        Protection::Plain { exposed } if exposed.is_empty() => "plain".to_owned(),
        Protection::Plain { exposed } => format!("plain to {}", exposed.join(", ")),
        Protection::Tls(tls) => {
            let roots = match tls.roots {
                None => String::new(),
                Some(Roots::System) => " of the system".to_owned(),
                Some(Roots::File(path)) => format!(" of {}", path.display()),
            };
            let identity = tls.identity.map(|own| format!(" as {} {}", own.certificate.display(), own.key.display()));
            let binding = match tls.binding {
                ChannelBinding::Require => " bound",
                ChannelBinding::Disable => " unbound",
                _ => "",
            };
            let direct = if tls.direct { " direct" } else { "" };
            format!("{:?}{roots}{}{binding}{direct}", tls.check, identity.unwrap_or_default())
        }
    })
}

#[test]
fn what_can_be_kept_is_kept() {
    for (url, expected) in [
        // Nothing is said: this machine and sockets as they always were, another machine in full.
        ("postgres://shop@127.0.0.1:5432/shop", "plain"),
        ("postgres://shop@127.8.9.1/shop", "plain"),
        ("postgres://shop@[::1]:5432/shop", "plain"),
        ("postgres://shop@[::ffff:127.0.0.1]/shop", "plain"),
        ("postgres://shop@LocalHost/shop", "plain"),
        ("postgresql://shop@%2Fvar%2Frun%2Fpostgresql/shop", "plain"),
        ("postgres:///shop?host=/var/run/postgresql", "plain"),
        ("postgres://shop@db.internal/shop?hostaddr=127.0.0.1", "plain"),
        ("postgres://shop:p@db/shop", "Name of the system"),
        ("postgres://db", "Name of the system"),
        ("postgres://shop:p@10.1.2.3/shop", "Name of the system"),
        ("postgres://shop@localhost.example/shop", "Name of the system"),
        ("postgres://shop@localhost/shop?hostaddr=10.1.2.3", "Name of the system"),
        ("postgres://shop@localhost,db/shop", "Name of the system"),
        ("postgres://shop:p@db/shop?sslrootcert=/etc/ca.pem", "Name of /etc/ca.pem"),
        ("postgres://shop:p@db/shop?channel_binding=require", "Name of the system bound"),
        // Plaintext when it is asked for by name.
        ("postgres://shop@db/shop?sslmode=disable", "plain to db"),
        ("postgres://shop@db/shop?hostaddr=10.1.2.3&sslmode=disable", "plain to 10.1.2.3"),
        ("postgres://shop@localhost,a,b/shop?sslmode=disable", "plain to a, b"),
        ("postgres://shop@127.0.0.1/shop?sslmode=disable&channel_binding=prefer&sslnegotiation=postgres", "plain"),
        // The name.
        ("postgres://shop@127.0.0.1/shop?sslmode=verify-full", "Name of the system"),
        ("postgres://shop@db/shop?sslmode=verify-full&sslrootcert=system", "Name of the system"),
        ("postgres://shop@db/shop?sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem", "Name of /etc/my ca.pem"),
        ("postgres://shop@db/shop?sslmode=verify-full&sslcert=/c&sslkey=/k", "Name of the system as /c /k"),
        ("postgres://shop@db/shop?sslmode=verify-full&sslnegotiation=direct", "Name of the system direct"),
        ("postgres://shop@db/shop?sslmode=verify-full&channel_binding=disable", "Name of the system unbound"),
        // The chain.
        ("postgres://shop@db/shop?sslmode=verify-ca&sslrootcert=/ca", "Chain of /ca"),
        ("postgres://shop@db/shop?sslmode=require&sslrootcert=/ca", "Chain of /ca"),
        ("postgres://shop@db/shop?sslmode=require&sslrootcert=/ca&channel_binding=require", "Chain of /ca bound"),
        // Who knows the password.
        ("postgres://shop@db/shop?sslmode=require&channel_binding=require", "Nothing bound"),
        ("postgres://shop@db/shop?ssl%6dode=disable", "plain to db"),
        ("postgres://shop@db/shop?sslmode=disable&", "plain to db"),
        ("postgres://shop:a?sslmode=prefer@db/shop?sslmode=disable", "plain to db"),
    ] {
        assert_eq!(shown(url).as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn what_can_not_be_kept_is_refused_with_the_reason() {
    for (url, reason) in [
        (
            "postgres://shop@db/shop?sslmode=prefer",
            "can fall back to plaintext without notice; write disable or verify-full",
        ),
        ("postgres://shop@127.0.0.1/shop?sslmode=allow", "can fall back to plaintext without notice"),
        ("postgres://shop@db/shop?sslmode=require", "does not authenticate the server"),
        ("postgres://shop@db/shop?sslmode=require&channel_binding=prefer", "does not authenticate the server"),
        ("postgres://shop@db/shop?sslmode=require&sslrootcert=system", "needs sslrootcert=FILE"),
        ("postgres://shop@db/shop?sslmode=require&sslrootcert=system&channel_binding=require", "sslrootcert=FILE"),
        ("postgres://shop@db/shop?sslmode=verify-ca", "needs sslrootcert=FILE"),
        ("postgres://shop@db/shop?sslmode=verify-ca&sslrootcert=system", "needs sslrootcert=FILE"),
        ("postgres://shop@db/shop?sslmode=verify_full", "sslmode=verify_full is not known"),
        ("postgres://shop@db/shop?sslmode=VERIFY-FULL", "is not known"),
        ("postgres://shop@db/shop?sslmode=", "sslmode is empty"),
        ("postgres://shop@db/shop?sslmode", "sslmode is empty"),
        ("postgres://shop@db/shop?sslmode=disable&sslmode=verify-full", "sslmode is given twice"),
        ("postgres://shop@db/shop?sslcert=/c", "sslcert is given without sslkey"),
        ("postgres://shop@db/shop?sslkey=/k", "sslkey is given without sslcert"),
        ("postgres://shop@db/shop?channel_binding=required", "channel_binding=required is not known"),
        ("postgres://shop@db/shop?sslnegotiation=tls", "sslnegotiation=tls is not known"),
        // Asked for, and silently left out elsewhere.
        ("postgres://shop@127.0.0.1/shop?sslrootcert=/ca", "are not encrypted by default"),
        ("postgres://shop@127.0.0.1/shop?channel_binding=require", "are not encrypted by default"),
        ("postgres://shop@db/shop?sslmode=disable&sslrootcert=/ca", "sslmode=disable turns encryption off"),
        ("postgres://shop@db/shop?sslmode=disable&sslcert=/c&sslkey=/k", "sslcert is given, but"),
        ("postgres://shop@db/shop?sslmode=disable&sslnegotiation=direct", "sslnegotiation is given, but"),
        // Places.
        ("postgres://shop@%2Frun%2Fpostgresql/shop?sslmode=verify-full", "/run/postgresql is a socket"),
        ("postgres://shop@%2Frun%2Fpostgresql,db/shop", "/run/postgresql is a socket"),
        ("postgres:///shop?hostaddr=10.1.2.3", "set host=… in addition to hostaddr=10.1.2.3"),
        ("postgres://shop@d%20b/shop", "\"d b\" is not a host name"),
        ("postgres://shop@a,b/shop?hostaddr=10.1.2.3", "2 hosts and 1 addresses"),
        ("postgres:///shop", "has no host"),
        ("postgres://", "has no host"),
        // What libpq knows besides, and this program does not.
        ("postgres://shop@db/shop?sslcrl=/crl", "unknown option `sslcrl`"),
        ("postgres://shop@db/shop?sslpassword=hunter2", "unknown option `sslpassword`"),
        ("postgres://shop@db:port/shop", "port"),
    ] {
        let refusal = shown(url).expect_err(url);
        assert!(refusal.contains(reason), "{url}: {refusal}");
        assert!(!refusal.contains("hunter2"), "{url}: {refusal}");
    }
}

#[test]
fn the_others_parameters_reach_the_driver_and_ours_do_not() {
    let url = "postgres://shop:s%40fe@db:5433/shop?sslmode=verify-full&application_name=a%20b&sslrootcert=/ca&options=-c%20x%3D1";
    let server = Target::parse(url).unwrap().server;
    assert_eq!(server.get_application_name(), Some("a b"));
    assert_eq!(server.get_options(), Some("-c x=1"));
    assert_eq!(server.get_password(), Some(&b"s@fe"[..]));
    assert_eq!((server.get_dbname(), server.get_ports()), (Some("shop"), &[5433][..]));
    assert_eq!(server.get_ssl_mode(), SslMode::Require);
    let plain = Target::parse("postgres://shop@127.0.0.1/shop").unwrap().server;
    assert_eq!(plain.get_ssl_mode(), SslMode::Disable, "never the driver's own default, which is prefer");
}

proptest::proptest! {
    /// Whatever is written, another machine is spoken to in plaintext only by who says so.
    #[test]
    fn plaintext_to_another_machine_is_never_an_accident(
        parts in proptest::collection::vec(
            ("(sslmode|sslrootcert|channel_binding|sslnegotiation|sslcert|sslkey|host|hostaddr)",
             r"(prefer|allow|require|verify-ca|verify-full|system|direct|/f|db|10\.0\.0\.1|127\.0\.0\.1|)"), 0..5),
        host in r"(db|10\.1\.2\.3|localhost\.evil|127\.0\.0\.1\.evil)",
    ) {
        let query: Vec<String> = parts.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let url = format!("postgres://u:p@{host}/shop?{}", query.join("&"));
        if let Ok(Target { protection: Protection::Plain { exposed }, server }) = Target::parse(&url) {
            proptest::prop_assert!(exposed.is_empty());
            let local = server.get_hostaddrs().iter().filter(|address| address.is_loopback()).count();
            proptest::prop_assert!(local == server.get_hosts().len(), "{}", url);
        }
    }
}
