//! A folder of built files: selecting the stored variant for a client, and its headers.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;

/// For what may change with the next build.
pub const REVALIDATE: &str = "no-cache";
/// For names that contain a hash of the content.
pub const FOR_GOOD: &str = "public, max-age=31536000, immutable";

const NO_CODING: &str = "This file is stored compressed: accept br or gzip.\n";

/// A stored file.
pub struct File {
    /// The files.
    pub bytes: Cow<'static, [u8]>,
    /// Its SHA-256.
    pub hash: [u8; 32],
}

/// Finds a file by its path in the folder.
pub type Files = fn(&str) -> Option<File>;

/// The files of an embedded folder.
pub fn embedded<E: RustEmbed>(path: &str) -> Option<File> {
    E::get(path).map(|file| File { hash: file.metadata.sha256_hash(), bytes: file.data })
}

/// One plain name: no folders, nothing hidden.
pub fn is_file_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }

    const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The client's `Accept-Encoding`. Without one, anything goes (RFC 9110, 12.5.3): the plain file, and where there is none,
/// gzip, which old clients can read.
struct Accepted<'a>(Option<&'a str>);

impl<'a> Accepted<'a> {
    fn of(request: &'a HeaderMap) -> Self {
        Self(request.get(header::ACCEPT_ENCODING).map(|value| value.to_str().unwrap_or_default()))
    }

    fn allows(&self, coding: Coding, plain_is_stored: bool) -> bool {
        let Some(list) = self.0 else {
            return coding == Coding::Gzip && !plain_is_stored;
        };
        let weight = |wanted: &str| {
            list.split(',').find_map(|entry| {
                let (token, parameters) = entry.split_once(';').unwrap_or((entry, ""));
                token.trim().eq_ignore_ascii_case(wanted).then(|| quality(parameters))
            })
        };
        weight(coding.token()).or_else(|| weight("*")).is_some_and(|quality| quality > 0.0)
    }
}

fn quality(parameters: &str) -> f32 {
    let weight = parameters.trim().strip_prefix("q=").map(str::parse);
    weight.map_or(1.0, |parsed| parsed.unwrap_or(0.0))
}

/// The file at a path for a client.
pub enum Lookup {
    /// This.
    Found(Found),
    /// Only what the client can't read.
    NoCoding,
    /// Nothing.
    Absent,
}

impl Lookup {
    /// The best variant of the file that the client takes.
    pub fn of(files: Files, path: &str, request: &HeaderMap) -> Self {
        let (plain, accepted) = (files(path), Accepted::of(request));
        let mut varies = false;
        for coding in Coding::ALL {
            let Some(file) = files(&format!("{path}.{}", coding.extension())) else { continue };
            varies = true;
            if accepted.allows(coding, plain.is_some()) {
                return Self::Found(Found { file, coding: Some(coding), varies });
            }
        }
        match plain {
            Some(file) => Self::Found(Found { file, coding: None, varies }),
            None if varies => Self::NoCoding,
            None => Self::Absent,
        }
    }

    /// The answer for the file that the client knows as `name`; `None` when there is none.
    pub fn respond(self, request: &HeaderMap, name: &str, terms: &Terms) -> Option<Response> {
        match self {
            Self::Found(found) => Some(found.respond(request, name, terms)),
            Self::NoCoding => {
                let vary = [(header::VARY, "accept-encoding")];
                Some((StatusCode::NOT_ACCEPTABLE, vary, NO_CODING).into_response())
            }
            Self::Absent => None,
        }
    }
}

/// How a file is answered.
pub struct Terms {
    /// 200, or 404 for a page that says that there is none.
    pub status: StatusCode,
    /// `Cache-Control`.
    pub cache: &'static str,
    /// `Content-Security-Policy`.
    pub policy: HeaderValue,
}

impl Terms {
    /// For what is there.
    pub fn ok(cache: &'static str, policy: &'static str) -> Self {
        Self { status: StatusCode::OK, cache, policy: HeaderValue::from_static(policy) }
    }
}

/// A file as it is stored.
pub struct Found {
    file: File,
    coding: Option<Coding>,
    /// Another client would get another variant.
    varies: bool,
}

impl Found {
    /// The answer for the file that the client knows as `name`.
    pub fn respond(self, request: &HeaderMap, name: &str, terms: &Terms) -> Response {
        let tag = format!("\"{}\"", HEXLOWER.encode(&self.file.hash[..16]));
        let unchanged = terms.status == StatusCode::OK && is_known(request, &tag);
        let mut response = if unchanged {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            (terms.status, self.file.bytes).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, terms.policy.clone());
        let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        set(header::CACHE_CONTROL, terms.cache);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        if self.varies {
            set(header::VARY, "accept-encoding");
        }
        if let Some(coding) = self.coding
            && !unchanged
        {
            set(header::CONTENT_ENCODING, coding.token());
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        match HeaderValue::try_from(content_type(name)) {
            Ok(kind) if !unchanged => drop(headers.insert(header::CONTENT_TYPE, kind)),
            _ => drop(headers.remove(header::CONTENT_TYPE)),
        }
        response
    }
}

fn content_type(name: &str) -> String {
    // Not in the table of `mime_guess`.
    if name.ends_with(".webmanifest") {
        return "application/manifest+json".to_owned();
    }
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    if kind.type_() == mime_guess::mime::TEXT { format!("{kind}; charset=utf-8") } else { kind.to_string() }
}

fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|list| {
        list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    })
}
