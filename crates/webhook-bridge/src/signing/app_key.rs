//! Payment Kit's signature on requests to us: what `@blocklet/payment-js` sends instead of an API key.
//!
//! Verified as `verifySig` of `@blocklet/sdk` 1.17 does (`lib/middlewares/component.js`), and no stricter, because its
//! clients are written for it: there is no nonce, so a request may be sent again until its `exp`, which the sender chooses.

use std::fmt;

use http::{HeaderMap, Method};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;
use serde_json::{Map, Value};
use sha3::{Digest as _, Sha3_256};

use super::component::COMPONENT;
use super::unhex;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// The key of the application whose components call: its public part, and the secret one where it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKey {
    public: [u8; 32],
    secret: Option<Secret>,
}

/// A request as it came, as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, as on the wire.
    pub path: &'a str,
    /// Its query, as [`parse_query`](super::parse_query) reads it.
    pub query: &'a Map<String, Value>,
    /// Its body; an empty object where there was none.
    pub body: &'a Value,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// What is signed; the canonical form sorts it.
#[derive(Serialize)]
struct Signed<'a> {
    iat: i64,
    exp: i64,
    body: &'a Value,
    query: &'a Map<String, Value>,
    method: &'a str,
    url: &'a str,
}

impl AppKey {
    /// Parses a key: `0x` and either the 32 bytes of a public key, or the 64 of `BLOCKLET_APP_SK`, in hex.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::invalid("must be 0x and a public key in 64 hex digits, or BLOCKLET_APP_SK");
        let bytes =
            text.strip_prefix("0x").and_then(|digits| unhex(digits.as_bytes())).ok_or_else(invalid)?;
        if let Ok(public) = bytes.as_slice().try_into() {
            return Ok(Self { public, secret: None });
        }
        let secret = Secret::new(text);
        COMPONENT.check(&secret).map_err(|_| invalid())?;
        let public = bytes[32..].try_into().map_err(|_| invalid())?;
        Ok(Self { public, secret: Some(secret) })
    }

    /// What Payment Kit signs its webhooks with, where it is known.
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Verifies the signature of a request.
    ///
    /// # Errors
    /// [`Unauthorized`](ErrorKind::Unauthorized) for a signature that is wrong or out of date;
    /// [`Invalid`](ErrorKind::Invalid) when there is none although there are its times.
    pub fn verify(&self, call: &Call<'_>) -> Result<()> {
        let wrong = || Error::new(ErrorKind::Unauthorized, "verify sig failed");
        let text = |name: &'static str| call.headers.get(name).and_then(|value| value.to_str().ok());
        // Beyond 2⁵³ the receiver's language has other numbers than ours.
        let seconds = |name| text(name)?.parse::<i64>().ok().filter(|at| (0..1_i64 << 53).contains(at));
        let (iat, exp) =
            seconds("x-component-sig-iat").zip(seconds("x-component-sig-exp")).ok_or_else(wrong)?;
        if exp < call.now {
            return Err(wrong());
        }
        let signature = text("x-component-sig").ok_or_else(|| Error::invalid("Bad Request"))?;
        let signature =
            signature.strip_prefix("0x").and_then(|digits| unhex(digits.as_bytes())).ok_or_else(wrong)?;
        // A proxy that strips the path it is mounted at says so; the sender signs the whole one.
        let prefix = text("x-path-prefix").filter(|prefix| !call.path.starts_with(prefix));
        let mounted = prefix.map(|prefix| {
            format!("{}/{}", prefix.trim_end_matches('/'), call.path.strip_prefix('/').unwrap_or(call.path))
        });
        let signed = |url: &str| -> Result<bool> {
            let digest = Sha3_256::digest(canonical(call, (iat, exp), url)?);
            Ok(UnparsedPublicKey::new(&ED25519, &self.public).verify(&digest, &signature).is_ok())
        };
        let right = signed(call.path)? || mounted.is_some_and(|url| signed(&url).unwrap_or(false));
        if right { Ok(()) } else { Err(wrong()) }
    }
}

/// The text that is hashed.
fn canonical(call: &Call<'_>, (iat, exp): (i64, i64), url: &str) -> Result<Vec<u8>> {
    let method = call.method.as_str().to_ascii_lowercase();
    let signed = Signed { iat, exp, body: call.body, query: call.query, method: &method, url };
    serde_json_canonicalizer::to_vec(&signed)
        .map_err(|cause| Error::invalid("the body has no canonical form").with_source(cause))
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppKey(0x{}{})", super::hex(&self.public), if self.secret.is_some() { ", …" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::parse_query;
    use super::*;

    const PUBLIC: &str = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    /// Made by the real signer, with what the real `verifySig` answered to it and to what was made of it.
    #[derive(Deserialize)]
    struct Vector {
        method: String,
        wire_path: String,
        wire_body: String,
        headers: Map<String, Value>,
        #[serde(rename = "http_status_from_real_verifySig")]
        answers: std::collections::BTreeMap<String, u16>,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("app_key/vectors.json")).unwrap()
    }

    impl Vector {
        fn header(&mut self, name: &str, value: &str) {
            self.headers.insert(name.to_owned(), Value::from(value));
        }

        /// Changes the request as the case says, and tells when it arrives.
        fn change(&mut self, case: &str) -> i64 {
            let signature = self.headers["x-component-sig"].as_str().unwrap().to_owned();
            let mut now = 1_767_225_601;
            match case {
                "as_signed" => {}
                "reordered_and_spaced_body" => {
                    let body: Value = serde_json::from_str(&self.wire_body).unwrap();
                    self.wire_body = serde_json::to_string_pretty(&body).unwrap();
                }
                "tampered_body" => self.wire_body = self.wire_body.replace("active", "Active"),
                "tampered_query" if self.wire_path.contains('?') => self.wire_path.push_str("&x=1"),
                "tampered_query" => self.wire_path.push_str("?x=1"),
                "other_path" => self.wire_path = self.wire_path.replacen("/api/", "/", 1),
                "other_path_with_x_path_prefix" => {
                    self.wire_path = self.wire_path.replacen("/api/", "/", 1);
                    self.header("x-path-prefix", "/api");
                }
                "only_sig_header_missing" => drop(self.headers.remove("x-component-sig")),
                "all_sig_headers_missing" => self.headers.clear(),
                "sig_with_0x_removed" => self.header("x-component-sig", &signature[2..]),
                "sig_upper_case_hex" => {
                    self.header("x-component-sig", &format!("0x{}", signature[2..].to_uppercase()));
                }
                "iat_changed" => self.header("x-component-sig-iat", "1767225601"),
                "exp_extended" => self.header("x-component-sig-exp", "1767225901"),
                "no_iat_exp" => self.headers.retain(|name, _| name == "x-component-sig"),
                "version_header_changed" => self.header("x-component-sig-version", "0"),
                "at_exp" => now = 1_767_225_900,
                "one_second_after_exp" => now = 1_767_225_901,
                "a_day_before_iat" => now -= 86_400,
                case => panic!("{case} is new"),
            }
            now
        }

        fn verify(&self, now: i64) -> u16 {
            let (path, query) = self.wire_path.split_once('?').unwrap_or((&self.wire_path, ""));
            let body = if self.wire_body.is_empty() { "{}" } else { &self.wire_body };
            let mut headers = HeaderMap::new();
            for (name, value) in &self.headers {
                let name: http::HeaderName = name.parse().unwrap();
                headers.insert(name, value.as_str().unwrap().parse().unwrap());
            }
            let call = Call {
                method: &self.method.parse().unwrap(),
                path,
                query: &parse_query(query).unwrap(),
                body: &serde_json::from_str(body).unwrap(),
                headers: &headers,
                now,
            };
            match AppKey::parse(PUBLIC).unwrap().verify(&call) {
                Ok(()) => 200,
                Err(error) if error.kind() == ErrorKind::Invalid => 400,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unauthorized);
                    401
                }
            }
        }
    }

    #[test]
    fn requests_are_judged_as_the_real_verifier_judges_them() {
        for at in 0..vectors().len() {
            for (case, &answer) in &vectors()[at].answers {
                let mut vector = vectors().remove(at);
                let now = vector.change(case);
                assert_eq!(vector.verify(now), answer, "{} {case}", vector.method);
            }
        }
    }

    #[test]
    fn a_key_is_public_or_whole_and_never_shown() {
        let secret = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let (public, whole) = (AppKey::parse(PUBLIC).unwrap(), AppKey::parse(secret).unwrap());
        assert_eq!((public.public, public.secret()), (whole.public, None));
        assert_eq!(whole.secret().unwrap().reveal(), secret);
        assert!(!format!("{whole:?}").contains("9d61b19d"));
        for text in ["", "0x", &PUBLIC[2..], &PUBLIC[..64], "0xzz", &secret.replace("d75a", "d75b")] {
            assert!(AppKey::parse(text).is_err(), "{text}");
        }
    }
}
