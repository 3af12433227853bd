//! What is handed in: bodies byte for byte, secrets, rules.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use webhook_bridge::model::Secret;
use webhook_bridge::signing::Rule;

use super::failure::Failure;

/// The bytes of a file, or of standard input.
pub(super) fn body(file: Option<&Path>) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    match file {
        Some(path) => {
            let unread = |error| Failure::Usage(format!("--file {}: {error}", path.display()));
            bytes = std::fs::read(path).map_err(unread)?;
        }
        None => {
            let unread = |error| Failure::Usage(format!("standard input: {error}"));
            std::io::stdin().read_to_end(&mut bytes).map_err(unread)?;
        }
    }
    Ok(bytes.into())
}

/// A secret, or the file it is in: everybody on a machine can read what stands on a command line.
pub(super) fn secret(text: &str) -> Result<Secret, Failure> {
    let Some(path) = text.strip_prefix('@') else { return Ok(Secret::new(text)) };
    let unread = |error| Failure::Usage(format!("--secret {text}: {error}"));
    Ok(Secret::new(std::fs::read_to_string(path).map_err(unread)?.trim()))
}

/// What `hmac` signs, and where.
pub(super) fn rule(text: Option<&str>) -> Result<Rule, Failure> {
    let missing = "hmac needs to know what is signed, and where: --hmac '{\"header\":\"x-hub-signature-256\",\
                   \"prefix\":\"sha256=\",\"id\":\"header:x-github-delivery\",\"type\":\"header:x-github-event\"}'";
    let rule: Rule = json(text.ok_or_else(|| Failure::Usage(missing.to_owned()))?)?;
    rule.check().map_err(|error| Failure::configuration(&error))?;
    Ok(rule)
}

pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Usage(format!("{text}: {error}")))
}
