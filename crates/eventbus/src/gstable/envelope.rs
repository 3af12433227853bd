//! [`Envelope`]: the body of GStable's webhooks, to an event and back.
//!
//! | envelope | event |
//! |---|---|
//! | `eventId` · `eventType` | `id` · `type` |
//! | `occurrence` | `created_at`, read in the offset that is set; the text stays in `data.occurrence` |
//! | `payload.sessionData` and the like | `data.object`; its id is `object_id` |
//! | `payload.transaction` | `data.transaction` |
//! | `businessType` · `isSubscribable` | `data.businessType` · `data.isSubscribable` |
//! | anything else in the payload · around it | `data.payload` · `data.envelope` |
//! | the name of a resource of no known family | `data.payloadKey` |

use super::{Family, SOURCE, UtcOffset};
use crate::error::{Error, Result};
use crate::event::{AnyEvent, decode_strictly};
use crate::json::{Json, JsonMap};
use crate::object::object;

object! {
    /// The body of a webhook from GStable.
    pub struct Envelope {
        /// The event's id, `evt_…`; the same in every delivery of the event.
        pub event_id = "eventId": String,
        /// The event's type.
        pub event_type = "eventType": Option<String>,
        /// The kind of resource it is about; see [`Family`].
        pub business_type = "businessType": Option<String>,
        /// When it happened, `YYYY-MM-DD HH:mm:ss`, without a zone.
        pub occurrence: Option<String>,
        /// Whether the event can be subscribed to.
        pub is_subscribable = "isSubscribable": Option<bool>,
        /// The resource, under a name by its family, and the transaction beside it.
        pub payload: Option<JsonMap>,
    }
}

impl Envelope {
    /// Reads the body of a webhook, as strictly as [`AnyEvent::from_json`] reads an event.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable), naming the field and the rule.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        decode_strictly(json)
    }

    /// Makes an event of the envelope; its time is read in `offset`.
    ///
    /// Nothing is lost: [`from_event`](Self::from_event) gives the same envelope back. GStable knows no test mode, so the
    /// event is always live.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable), naming the field, when type, time, payload or the resource of a
    /// known family is missing or wrong.
    pub fn into_event(self, offset: UtcOffset) -> Result<AnyEvent> {
        if self.event_id.is_empty() {
            return Err(missing("eventId"));
        }
        let event_type = self.event_type.ok_or_else(|| missing("eventType"))?;
        let occurrence = self.occurrence.ok_or_else(|| missing("occurrence"))?;
        let payload = self.payload.ok_or_else(|| missing("payload"))?;
        let time = offset.instant(&occurrence).map_err(|error| Error::undecodable(error.to_string()))?;

        let family = family(&event_type, self.business_type.as_deref());
        let Resource { object, id, model, mut data } = Resource::take(family, payload)?;
        data.insert("occurrence", Json::from(occurrence));
        data.extend(self.business_type.map(|word| ("businessType", Json::from(word))));
        data.extend(self.is_subscribable.map(|flag| ("isSubscribable", Json::from(flag))));
        data.extend((!self.extra.is_empty()).then(|| ("envelope", Json::from(self.extra))));

        let time = Json::from(time.to_string());
        let data = [("object".to_owned(), object)].into_iter().chain(data).collect::<JsonMap>();
        let body = JsonMap::from_iter([
            ("id", Json::from(self.event_id)),
            ("livemode", Json::from(true)),
            ("type", Json::from(event_type)),
            ("source", Json::from(SOURCE)),
            ("api_version", Json::from("v1")),
            ("data", Json::from(data)),
            ("object_type", Json::from(model)),
            ("object_id", Json::from(id)),
            ("pending_webhooks", Json::from(0_i64)),
            ("metadata", Json::from(JsonMap::new())),
            ("created_at", time.clone()),
            ("updated_at", time),
        ]);
        AnyEvent::from_json(Json::from(body).text().to_owned())
    }

    /// Makes the envelope of an event of GStable's, also of one that never was an envelope.
    ///
    /// Members of `data` that the table above does not know go into the payload.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the event is not GStable's, or its body is not an event.
    pub fn from_event(event: &AnyEvent) -> Result<Self> {
        if event.source() != SOURCE {
            return Err(crate::catalogue::foreign(event, SOURCE));
        }
        let mut data = event.raw_data()?;
        let business_type = text(&mut data, "businessType")?;
        let occurrence = text(&mut data, "occurrence")?.unwrap_or_else(|| civil(&event.time().to_string()));
        let is_subscribable = data.remove("isSubscribable").map(|flag| flag.decode()).transpose()?;
        let extra = members(&mut data, "envelope")?;

        let family = family(event.event_type().as_str(), business_type.as_deref());
        let object = data.remove("object").filter(|object| family.is_some() || object.text() != "{}");
        let key =
            text(&mut data, "payloadKey")?.or_else(|| family.map(|family| family.payload_key.to_owned()));
        let key = key.unwrap_or_else(|| "data".to_owned());
        let mut payload: JsonMap = object.map(|object| (key, object)).into_iter().collect();
        let rest = members(&mut data, "payload")?;
        payload.extend(data);
        payload.extend(rest);

        let derived = || family.map(|family| family.business_type.to_owned());
        let kept_null = extra.contains_key("businessType");
        Ok(Self {
            event_id: event.id().as_str().to_owned(),
            event_type: Some(event.event_type().as_str().to_owned()),
            business_type: if kept_null { business_type } else { business_type.or_else(derived) },
            occurrence: Some(occurrence),
            is_subscribable,
            payload: Some(payload),
            extra,
        })
    }
}

/// What a payload holds: its resource, and the rest as members of an event's data.
struct Resource {
    object: Json,
    id: String,
    model: String,
    data: JsonMap,
}

impl Resource {
    fn take(family: Option<&Family>, mut payload: JsonMap) -> Result<Self> {
        let transaction = payload.remove("transaction");
        let mut data: JsonMap =
            transaction.map(|transaction| ("transaction", transaction)).into_iter().collect();
        let (object, id_field, model) = match family {
            Some(family) => {
                let key = family.payload_key;
                let object = payload.remove(key).ok_or_else(|| missing(&format!("payload.{key}")))?;
                (object, family.id_field.to_owned(), family.object_type.to_owned())
            }
            None => unknown(&mut payload, &mut data),
        };
        let fields: JsonMap = object.decode()?;
        let id = fields.get(&id_field).and_then(Json::as_str).unwrap_or_default().into_owned();
        data.extend((!payload.is_empty()).then(|| ("payload", Json::from(payload))));
        Ok(Self { object, id, model, data })
    }
}

/// Takes the resource of a family we do not know: the only object in the payload. `refundData` has `refundId` and is a
/// `Refund`, going by the families we know.
fn unknown(payload: &mut JsonMap, data: &mut JsonMap) -> (Json, String, String) {
    let objects: Vec<&str> =
        payload.iter().filter(|(_, value)| value.kind() == "object").map(|(key, _)| key).collect();
    let key = if let [key] = objects[..] { key.to_owned() } else { String::new() };
    let Some(object) = payload.remove(&key) else {
        return (Json::from(JsonMap::new()), String::new(), String::new());
    };
    let stem = key.strip_suffix("Data").unwrap_or(&key);
    let mut letters = stem.chars();
    let model = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    let id_field = format!("{stem}Id");
    data.insert("payloadKey", Json::from(key));
    (object, id_field, model)
}

fn family(event_type: &str, business_type: Option<&str>) -> Option<&'static Family> {
    Family::of_type(event_type).or_else(|| business_type.and_then(Family::of_business))
}

fn missing(field: &str) -> Error {
    Error::undecodable(format!("{field}: is missing"))
}

fn text(data: &mut JsonMap, name: &str) -> Result<Option<String>> {
    data.remove(name).map(|value| value.decode()).transpose()
}

fn members(data: &mut JsonMap, name: &str) -> Result<JsonMap> {
    data.remove(name).map_or_else(|| Ok(JsonMap::new()), |value| value.decode())
}

/// An ISO-8601 time as GStable writes it: no zone, no fraction.
fn civil(time: &str) -> String {
    time.split_once('.').map_or(time, |(seconds, _)| seconds).replace('T', " ")
}
