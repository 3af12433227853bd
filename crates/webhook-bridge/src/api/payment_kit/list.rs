//! How its client asks for a list, in every spelling that its types and guides have.

use serde_json::{Map, Value};

use crate::api::wish::within;
use crate::error::{Error, Result};
use crate::model::{Direction, EndpointField, EndpointId, EndpointPage, Start};

/// How many are listed when nothing is said, and at most.
const LIMIT: (u32, u32) = (20, 100);
/// The most fields a list is ordered by.
const FIELDS: usize = 6;

/// Reads `page`, `pageSize`, `size`, `limit`, `starting_after`, `ending_before` and `order`; others are ignored, as callers
/// send some that were never there.
pub(super) fn page(query: &Map<String, Value>) -> Result<EndpointPage> {
    let size = ["pageSize", "size", "limit"].into_iter().find(|name| query.contains_key(*name));
    let limit = size.map(|name| number(query, name)).transpose()?.flatten().unwrap_or(LIMIT.0).min(LIMIT.1);
    let order = order(query.get("order"))?;
    let one =
        |name: &str| query.get(name).and_then(Value::as_str).filter(|id| !id.is_empty()).map(EndpointId::new);
    let start = match (one("starting_after"), one("ending_before")) {
        (None, None) => {
            let page = number(query, "page")?.unwrap_or(1);
            Start::Skip(u64::from(page - 1) * u64::from(limit))
        }
        (Some(id), None) => Start::After(id),
        (None, Some(id)) => Start::Before(id),
        (Some(_), Some(_)) => {
            return Err(Error::invalid("starting_after, ending_before: exclude each other"));
        }
    };
    let by_age = order.first().is_none_or(|(field, _)| *field == EndpointField::CreatedAt);
    if !by_age && !matches!(start, Start::Skip(_)) {
        return Err(Error::invalid("order: must be by created_at where a list starts at an endpoint"));
    }
    Ok(EndpointPage { order, start, limit })
}

/// A number from 1; an empty text is how `null` is sent, and says nothing.
fn number(query: &Map<String, Value>, name: &str) -> Result<Option<u32>> {
    let text = match query.get(name) {
        None => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(value) => value.as_str(),
    };
    let number = text.and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| Error::invalid(format!("{name}: must be a number from 1")))?;
    within(name, Some(number), 1..=u32::MAX)
}

/// `created_at:DESC`, a list of those, or a list of pairs.
fn order(value: Option<&Value>) -> Result<Vec<(EndpointField, Direction)>> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => text.split(',').filter(|text| !text.is_empty()).map(term).collect(),
        Some(Value::Array(list)) if list.len() <= FIELDS => list.iter().map(pair).collect(),
        Some(_) => Err(Error::invalid("order: must be such as created_at:DESC")),
    }
}

fn pair(value: &Value) -> Result<(EndpointField, Direction)> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match value {
        Value::String(text) => term(text),
        Value::Array(pair) if pair.len() == 2 => {
            term(&format!("{}:{}", text(pair.first()), text(pair.last())))
        }
        _ => Err(Error::invalid("order: must be such as created_at:DESC")),
    }
}

fn term(text: &str) -> Result<(EndpointField, Direction)> {
    let (field, direction) = text.split_once(':').unwrap_or((text, "DESC"));
    let direction = match direction.trim().to_ascii_uppercase().as_str() {
        "ASC" => Direction::Ascending,
        "DESC" => Direction::Descending,
        _ => return Err(Error::invalid("order: must end in ASC or DESC")),
    };
    Ok((EndpointField::parse(field.trim())?, direction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::parse_query;

    fn read(query: &str) -> Result<EndpointPage> {
        page(&parse_query(query).unwrap())
    }

    #[test]
    fn a_page_is_asked_for_in_every_spelling_there_is() {
        for (query, skip, limit) in [
            ("", 0, 20),
            ("page=1&pageSize=5", 0, 5),
            ("page=3&pageSize=5", 10, 5),
            ("page=2&size=100", 100, 100),
            ("limit=7&other=x", 0, 7),
            ("page=&pageSize=", 0, 20),
            ("size=1000&page=2", 100, 100),
        ] {
            let page = read(query).unwrap();
            assert_eq!((page.start, page.limit), (Start::Skip(skip), limit), "{query}");
        }
        assert_eq!(read("starting_after=we_1").unwrap().start, Start::After(EndpointId::new("we_1")));
        assert_eq!(read("ending_before=we_1").unwrap().start, Start::Before(EndpointId::new("we_1")));
    }

    #[test]
    fn an_order_is_asked_for_in_every_spelling_there_is() {
        let (newest, oldest) = (
            (EndpointField::CreatedAt, Direction::Descending),
            (EndpointField::CreatedAt, Direction::Ascending),
        );
        let by_url = (EndpointField::Url, Direction::Ascending);
        for (query, order) in [
            ("", vec![]),
            ("order=created_at%3ADESC", vec![newest]),
            ("order=created_at:asc", vec![oldest]),
            ("order=created_at", vec![newest]),
            ("order=url:ASC,created_at:DESC", vec![by_url, newest]),
            ("order%5B0%5D=url%3AASC&order%5B1%5D=created_at%3ADESC", vec![by_url, newest]),
            ("order%5B0%5D%5B0%5D=created_at&order%5B0%5D%5B1%5D=ASC", vec![oldest]),
            ("order[0][0]=url&order[0][1]=ASC&order[1][0]=created_at&order[1][1]=DESC", vec![by_url, newest]),
        ] {
            assert_eq!(read(query).unwrap().order, order, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_listed_so_is_refused() {
        for query in [
            "page=0",
            "pageSize=-1",
            "page=x",
            "page[a]=1",
            "order=secret",
            "order=created_at:UP",
            "order[a]=1",
            "order[0][0]=url",
            "starting_after=a&ending_before=b",
            "starting_after=a&order=url",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
