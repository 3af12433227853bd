//! Where a new group starts in each shard's log.

use eventbus::transport::{Body, Start};
use eventbus::{Error, ErrorKind, EventId, Result};

use crate::error::transient;
use crate::message::{EntryId, body, bytes, list};
use crate::shared::Shared;

/// How many entries are looked at together.
const PAGE: usize = 1000;

/// For each shard, the entry after which a new group begins.
pub(crate) async fn places(shared: &Shared, start: &Start) -> Result<Vec<String>> {
    let all = |place: String| Ok(vec![place; shared.shards.len()]);
    match start {
        Start::Now => all("$".to_owned()),
        Start::Beginning => all("0".to_owned()),
        Start::Time(time) => {
            let millis = u64::try_from(time.as_millis()).unwrap_or(0);
            all(EntryId { millis, number: 0 }.before().to_string())
        }
        Start::Event(id) => {
            let (shard, entry) = find(shared, id).await?;
            // Other shards have no order with this one but time.
            let mut starts = vec![EntryId { number: 0, ..entry }.before().to_string(); shared.shards.len()];
            starts[shard] = entry.before().to_string();
            Ok(starts)
        }
    }
}

/// Looks through the logs for an event.
async fn find(shared: &Shared, id: &EventId) -> Result<(usize, EntryId)> {
    for (shard, keys) in shared.shards.iter().enumerate() {
        let mut from = "-".to_owned();
        loop {
            let command =
                redis::cmd("XRANGE").arg(&keys.log).arg(&from).arg("+").arg("COUNT").arg(PAGE).to_owned();
            let page = shared
                .commands
                .query(&command)
                .await
                .map_err(|error| transient("looking for the event", error))?;
            let page = list(page).unwrap_or_default();
            let full = page.len() == PAGE;
            for entry in page {
                let mut entry = list(entry).unwrap_or_default().into_iter();
                let Some(place) = entry.next().and_then(bytes).and_then(|place| EntryId::parse(&place))
                else {
                    continue;
                };
                let fields = entry.next().and_then(list).unwrap_or_default();
                if matches!(body(fields, usize::MAX), Body::Event(event) if event.id() == id) {
                    return Ok((shard, place));
                }
                from = format!("({place}");
            }
            if !full {
                break;
            }
        }
    }
    Err(Error::new(ErrorKind::NotFound, format!("the event {id} is not in the log any more")))
}
