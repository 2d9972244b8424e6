//! Files as people have them, and the words for what rustls says.

use std::time::Duration;

use rustls::pki_types::ServerName;

use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["db.internal".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Two providers are compiled in, so rustls does not choose by itself: who asks for its default would panic.
#[test]
fn a_client_can_be_built_with_the_default_of_the_process() {
    let ours = provider();
    let _config = rustls::ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    assert!(Arc::ptr_eq(&provider(), CryptoProvider::get_default().unwrap()));
    assert_eq!(format!("{:?}", ours.key_provider), format!("{:?}", aws_lc_rs::default_provider().key_provider));
}

#[test]
fn roots_are_read_from_files_of_any_kind_that_people_have() {
    let (first, key) = certificate();
    let (second, _) = certificate();
    let roots = |text: &str| Roots::File(file(text).path().to_owned());
    let read = |text: &str| {
        let file = file(text);
        Roots::File(file.path().to_owned()).read().map(|roots| roots.len()).map_err(|error| error.to_string())
    };
    assert_eq!(read(&format!("# ours\n{first}\n{second}")), Ok(2));
    assert_eq!(read(&first.replace('\n', "\r\n")), Ok(1));
    for (text, reason) in [
        ("", "contains no certificate in PEM format"),
        (key.as_str(), "contains no certificate in PEM format"),
        (&first[..first.len() / 2], "is damaged"),
        (&first.replacen("MII", "M*I", 1), "is damaged"),
        ("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "can't be a root"),
    ] {
        let refusal = read(text).expect_err(text);
        assert!(refusal.contains(reason), "{refusal}");
    }
    let gone = roots(&first).read().unwrap_err().to_string();
    assert!(gone.contains("can't be read: No such file"), "{gone}");
    let folder = Roots::File(std::env::temp_dir()).read().unwrap_err().to_string();
    assert!(folder.contains("can't be read"), "{folder}");
    let endless = Roots::File("/dev/zero".into()).read().unwrap_err().to_string();
    assert!(endless.contains("is larger than"), "{endless}");
}

#[test]
fn a_key_must_be_one_and_open() {
    let (first, key) = certificate();
    let read = |certificate: &str, key: &str| {
        let (certificate, key) = (file(certificate), file(key));
        let identity = Identity { certificate: certificate.path().to_owned(), key: key.path().to_owned() };
        identity.read().map(|(chain, _)| chain.len()).map_err(|error| error.to_string())
    };
    assert_eq!(read(&first, &key), Ok(1));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(read(&first, locked).unwrap_err().contains("has a passphrase"));
    assert!(read(&first, &first).unwrap_err().contains("contains no private key"));
    assert!(read(&key, &key).unwrap_err().contains("contains no certificate"));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_plain_words() {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let expected = ServerName::try_from("db").unwrap();
    let names = |presented: &[&str]| CertificateError::NotValidForNameContext {
        expected: expected.clone(),
        presented: presented.iter().map(ToString::to_string).collect(),
    };
    let file = Roots::File("/etc/ca.pem".into());
    for (error, words) in [
        (names(&["DnsName(\"db.internal\")"]), "the server's certificate is for db.internal, not db"),
        (names(&["DnsName(\"a\")", "IpAddress(10.0.0.1)"]), "the server's certificate is for a, 10.0.0.1, not db"),
        (names(&[]), "the server's certificate has no host name (subjectAltName), so it is not valid for db"),
        (
            CertificateError::ExpiredContext { time: at(1_800_000_000), not_after: at(1_700_000_000) },
            "the server's certificate expired on 2023-11-14 22:13 UTC",
        ),
        (
            CertificateError::NotValidYetContext { time: at(1), not_before: at(1_700_000_000) },
            "the server's certificate is not valid before 2023-11-14 22:13 UTC; or this machine's clock is wrong",
        ),
        (
            CertificateError::UnknownIssuer,
            "the server's certificate was not issued by any authority in /etc/ca.pem; or the server does not send its \
             intermediate certificates",
        ),
    ] {
        assert_eq!(explain(&Error::InvalidCertificate(error), Some(&file), false), words);
    }
    let alert = |alert, with_identity| explain(&Error::AlertReceived(alert), None, with_identity);
    assert_eq!(alert(AlertDescription::CertificateRequired, false), "the server requires a client certificate");
    assert_eq!(
        alert(AlertDescription::UnknownCA, true),
        "the server rejected this program's own certificate (UnknownCA)"
    );
    assert_eq!(
        alert(AlertDescription::HandshakeFailure, true),
        "the server ended the TLS handshake (HandshakeFailure)"
    );
}

#[test]
fn the_cause_is_found_however_deep_it_is_wrapped() {
    let inner = io::Error::new(io::ErrorKind::InvalidData, Error::DecryptError);
    let outer = io::Error::other(inner);
    assert_eq!(cause(&outer), Some(&Error::DecryptError));
    assert_eq!(cause(&io::Error::other("something else")), None);
    assert_eq!(cause(&io::Error::from(io::ErrorKind::TimedOut)), None);
}
