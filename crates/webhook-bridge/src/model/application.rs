//! Who the bridge sends for.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The application the bridge sends for, as formats name it that tell their receivers: Blocklet Server's `$sender`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its DID.
    pub did: String,
    /// Its public key, `0x` and hex digits.
    pub pk: String,
    /// Where it is.
    pub url: String,
    /// What people call it.
    pub name: String,
}

impl Application {
    /// Checks that nothing is missing and the URL is one.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the field.
    pub fn check(&self) -> Result<()> {
        let invalid = |rule: &str| Err(Error::invalid(format!("application.{rule}")));
        for (name, text) in [("did", &self.did), ("name", &self.name)] {
            if text.trim().is_empty() {
                return invalid(&format!("{name}: must not be empty"));
            }
        }
        let digits = self.pk.strip_prefix("0x").unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return invalid("pk: must be 0x and hex digits");
        }
        match url::Url::parse(&self.url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
            _ => invalid("url: must be a URL with https:// or http://"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_with_a_field_missing_or_wrong_is_refused_by_its_name() {
        let good = ["z1", "0xd7", "https://a.example", "A"];
        let made = |fields: [&str; 4]| {
            let [did, pk, url, name] = fields.map(str::to_owned);
            Application { did, pk, url, name }
        };
        made(good).check().unwrap();
        for (at, text, field) in
            [(0, " ", "did"), (1, "0x", "pk"), (1, "d7", "pk"), (2, "a.example", "url"), (3, "", "name")]
        {
            let mut fields = good;
            fields[at] = text;
            let message = made(fields).check().unwrap_err().to_string();
            assert!(message.contains(&format!("application.{field}")), "{message}");
        }
    }
}
