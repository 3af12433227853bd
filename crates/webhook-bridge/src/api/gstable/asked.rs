//! What is asked of a webhook, within GStable's limits.

use eventbus::gstable::SOURCE;
use eventbus::{Pattern, catalogue};
use serde::Deserialize;

use super::GstableConfig;
use crate::api::wish::Wish;
use crate::error::{Error, Result};
use crate::model::EnabledEvents;
use crate::signing::GSTABLE;

/// The longest name, URL and description, in characters.
const LONGEST: (usize, usize, usize) = (100, 1000, 1000);

/// A webhook as it is to be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    webhook_name: Option<String>,
    webhook_url: Option<String>,
    webhook_description: Option<String>,
    subscribed_events: Option<Vec<String>>,
}

/// Which webhook, and how it is to be: what is not sent is gone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replaced {
    webhook_id: Option<String>,
    #[serde(flatten)]
    asked: Asked,
}

/// Which webhook.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    webhook_id: Option<String>,
}

/// What was asked for, of which an endpoint knows less.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) description: String,
    /// The rest, for the guard to judge.
    pub(super) wish: Wish,
}

impl Asked {
    /// Checks what is asked for, but for where it goes.
    pub(super) fn check(self, config: &GstableConfig) -> Result<Described> {
        let name = required("webhookName", self.webhook_name)?;
        let url = required("webhookUrl", self.webhook_url)?;
        let description = self.webhook_description.unwrap_or_default();
        within("webhookName", &name, LONGEST.0)?;
        within("webhookUrl", &url, LONGEST.1)?;
        within("webhookDescription", &description, LONGEST.2)?;
        let events = self.subscribed_events.unwrap_or_default();
        if !config.unknown_events {
            known(&events)?;
        }
        let wish = Wish { url: Some(url), enabled_events: Some(events), ..Wish::default() };
        Ok(Described { name, description, wish })
    }
}

impl Replaced {
    /// Which, and how it is to be.
    pub(super) fn split(self) -> Result<(String, Asked)> {
        Ok((required("webhookId", self.webhook_id)?, self.asked))
    }
}

impl Named {
    pub(super) fn id(self) -> Result<String> {
        required("webhookId", self.webhook_id)
    }
}

/// To be signed as GStable does.
pub(super) fn signed(wish: Wish) -> Wish {
    Wish { signature: Some(GSTABLE.name.to_owned()), ..wish }
}

fn required(field: &str, text: Option<String>) -> Result<String> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| Error::invalid(format!("{field}: is required")))
}

fn within(field: &str, text: &str, most: usize) -> Result<()> {
    match text.chars().count() <= most {
        true => Ok(()),
        false => Err(Error::invalid(format!("{field}: must have at most {most} characters"))),
    }
}

/// Whether each is of GStable's catalogue, or a pattern that something in it matches.
fn known(texts: &[String]) -> Result<()> {
    let known = |pattern: &Pattern| {
        catalogue().any(|entry| entry.source == SOURCE && pattern.matches(entry.event_type))
    };
    let events = EnabledEvents::parse(texts.to_vec())?;
    let unknown = events.patterns().iter().zip(texts).find(|(pattern, _)| !known(pattern));
    unknown.map_or(Ok(()), |(_, text)| Err(Error::invalid(format!("subscribedEvents: {text} is not listed"))))
}
