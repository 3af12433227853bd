//! Its webhooks: create, update, list, detail, disable, enable, key refresh, remove.

use std::time::Duration;

use axum::extract::{Path, State};
use eventbus::Timestamp;
use eventbus::json::{Json, JsonMap};
use serde::Serialize;

use super::asked::{Asked, Described, Named, Replaced, signed};
use super::{Account, Answer, Done, Refusal, Sent};
use crate::api::Api;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Endpoint, EndpointChange, EndpointId, EndpointStatus, Expected, Mode, NewEndpoint, Rotation, Secret,
};
use crate::signing::GSTABLE;

/// Where an endpoint's metadata has its name, which only GStable's have.
const NAME: &str = "webhookName";

/// What ids begin with: GStable's, and the same one's here.
const PREFIXES: (&str, &str) = ("wkid_", "we_");

/// A webhook on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    webhook_id: String,
    webhook_name: String,
    webhook_url: String,
    webhook_description: String,
    subscribed_events: Vec<String>,
    /// Its secret: GStable shows it each time, and its client reads it nowhere else after a refresh.
    key: String,
    status: &'static str,
    create_at: String,
    update_at: String,
}

#[derive(Serialize)]
pub(super) struct List {
    webhooks: Vec<View>,
}

#[derive(Serialize)]
pub(super) struct Refreshed {
    #[serde(flatten)]
    done: Done,
    /// By an example of its client; its type has no such field.
    key: String,
}

type Reply<T> = Result<Answer<T>, Refusal>;

/// `POST /webhook/create`
pub(super) async fn create(
    State(api): State<Api>,
    account: Account,
    Sent(asked): Sent<Asked>,
) -> Reply<View> {
    let Described { name, description, wish } = asked.check(&api.gstable)?;
    let (new, secret) = signed(wish).create(&api, account.mode).await?;
    let metadata = JsonMap::from_iter([(NAME.to_owned(), Json::from(name))]);
    let (timeout, schedule) = (api.gstable.timeout, api.gstable.schedule.clone());
    let new = NewEndpoint { description, metadata, timeout, schedule, ..new };
    let made = api.store.create_endpoint_within(new, api.gstable.most, Timestamp::now()).await;
    let made = made.map_err(|error| match error.kind() {
        ErrorKind::Conflict => Refusal::coded(api.gstable.limit_code, error),
        _ => error.into(),
    });
    Ok(Answer(view(&api, made?, &secret)))
}

/// `POST /webhook/update`: what is not sent is gone.
pub(super) async fn update(
    State(api): State<Api>,
    account: Account,
    Sent(replaced): Sent<Replaced>,
) -> Reply<Done> {
    let (id, asked) = replaced.split()?;
    let endpoint = find(&api, account.mode, &id).await?;
    let Described { name, description, wish } = asked.check(&api.gstable)?;
    let change = wish.change(&api, &endpoint).await?;
    let mut metadata = endpoint.metadata.clone();
    metadata.insert(NAME.to_owned(), Json::from(name));
    // What else is attached must be what was just read.
    let expected = Expected::OneOf(vec![endpoint.version]);
    let (description, metadata) = (Some(description), Some(metadata));
    store(&api, endpoint, EndpointChange { description, metadata, expected, ..change }).await
}

/// `GET /webhook/list`: the newest first.
pub(super) async fn list(State(api): State<Api>, account: Account) -> Reply<List> {
    let mut webhooks = Vec::new();
    for endpoint in api.store.endpoints_of(account.mode, GSTABLE.name).await? {
        webhooks.push(revealed(&api, endpoint).await?);
    }
    Ok(Answer(List { webhooks }))
}

/// `GET /webhook/detail/{webhookId}`
pub(super) async fn detail(State(api): State<Api>, account: Account, Path(id): Path<String>) -> Reply<View> {
    Ok(Answer(revealed(&api, find(&api, account.mode, &id).await?).await?))
}

/// `POST /webhook/disable`
pub(super) async fn disable(
    State(api): State<Api>,
    account: Account,
    Sent(named): Sent<Named>,
) -> Reply<Done> {
    let status = api.gstable.inactive();
    turn(&api, account, (named, status)).await
}

/// `POST /webhook/enable`: also one that was paused.
pub(super) async fn enable(
    State(api): State<Api>,
    account: Account,
    Sent(named): Sent<Named>,
) -> Reply<Done> {
    turn(&api, account, (named, EndpointStatus::Enabled)).await
}

/// `POST /webhook/key/refresh`: the former key signs nothing from now on, what waits neither.
pub(super) async fn refresh(
    State(api): State<Api>,
    account: Account,
    Sent(named): Sent<Named>,
) -> Reply<Refreshed> {
    let endpoint = find(&api, account.mode, &named.id()?).await?;
    let secret = GSTABLE.generate()?;
    let (sealed, now) = (api.vault.seal(&secret)?, Timestamp::now());
    let rotation = Rotation { secret: sealed, overlap: Duration::ZERO, now };
    let rotated = api.store.rotate_secret(endpoint.mode, endpoint.id, rotation).await?;
    rotated.ok_or_else(|| missing(&api))?;
    Ok(Answer(Refreshed { done: Done { success: true }, key: secret.reveal().to_owned() }))
}

/// `POST /webhook/remove`
pub(super) async fn remove(
    State(api): State<Api>,
    account: Account,
    Sent(named): Sent<Named>,
) -> Reply<Done> {
    let endpoint = find(&api, account.mode, &named.id()?).await?;
    let deleted = api.store.delete_endpoint(endpoint.mode, endpoint.id, Expected::Any).await?;
    deleted.ok_or_else(|| missing(&api))?;
    Ok(Answer(Done { success: true }))
}

async fn turn(api: &Api, account: Account, (named, status): (Named, EndpointStatus)) -> Reply<Done> {
    let endpoint = find(api, account.mode, &named.id()?).await?;
    store(api, endpoint, EndpointChange { status: Some(status), ..EndpointChange::default() }).await
}

async fn store(api: &Api, endpoint: Endpoint, change: EndpointChange) -> Reply<Done> {
    let changed = api.store.change_endpoint(endpoint.mode, endpoint.id, change).await?;
    changed.ok_or_else(|| missing(api))?;
    Ok(Answer(Done { success: true }))
}

/// The webhook of this id, if it is one of the account's, and signed as GStable's are.
async fn find(api: &Api, mode: Mode, id: &str) -> Result<Endpoint, Refusal> {
    let id = id.strip_prefix(PREFIXES.0).ok_or_else(|| missing(api))?;
    let found = api.store.endpoint(mode, EndpointId::new(format!("{}{id}", PREFIXES.1))).await?;
    found.filter(|endpoint| endpoint.format == GSTABLE.name).ok_or_else(|| missing(api))
}

fn missing(api: &Api) -> Refusal {
    let error = Error::new(ErrorKind::NotFound, "Webhook not found");
    Refusal::coded(api.gstable.not_found_code, error)
}

/// With its key, which is noted: whoever has that can sign.
async fn revealed(api: &Api, endpoint: Endpoint) -> Result<View, Refusal> {
    let sealed = api.store.signing_secret(endpoint.mode, endpoint.id.clone()).await?;
    let secret = api.vault.open_secret(&sealed.ok_or_else(|| missing(api))?)?;
    tracing::info!(endpoint = endpoint.id.as_str(), "its key was shown by GStable's API");
    Ok(view(api, endpoint, &secret))
}

fn view(api: &Api, endpoint: Endpoint, secret: &Secret) -> View {
    let time = |at: Timestamp| api.gstable.zone.text(at);
    let id = endpoint.id.as_str();
    let named = endpoint.metadata.get(NAME).and_then(|name| name.decode().ok());
    // One that was made elsewhere has no name.
    let host = || endpoint.url.as_url().host_str().unwrap_or_default().to_owned();
    View {
        webhook_id: format!("{}{}", PREFIXES.0, id.strip_prefix(PREFIXES.1).unwrap_or(id)),
        webhook_name: named.unwrap_or_else(host),
        webhook_url: endpoint.url.written().to_owned(),
        subscribed_events: endpoint.enabled_events.texts().to_vec(),
        key: secret.reveal().to_owned(),
        status: status(&endpoint),
        create_at: time(endpoint.created_at),
        update_at: time(endpoint.updated_at),
        webhook_description: endpoint.description,
    }
}

/// `paused` is what the bridge did, `inactive` what its owner did.
fn status(endpoint: &Endpoint) -> &'static str {
    match (endpoint.status, endpoint.disabled_reason) {
        (EndpointStatus::Enabled, _) => "active",
        (EndpointStatus::Disabled, Some(_)) => "paused",
        (EndpointStatus::Disabled | EndpointStatus::Paused, _) => "inactive",
    }
}
