//! Standing in line for a shard. Its queue `owner` lets one consumer read at a time, the one that came first, and
//! everybody leaves a note there: whoever is given a note owns the shard, until its channel ends.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lapin::BasicProperties;
use tokio::time::{Instant, sleep};

use super::Tenure;
use super::incoming::has_left;
use super::shard::Source;
use crate::desk::{Deliveries, Desk, Settling};
use crate::error::late;
use crate::member::Member;
use crate::message::Parcel;
use crate::mover::Mover;
use crate::topology::{Maker, Names};

/// How often it is looked whether the former owner reads no more.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After how long it is told that it still does.
const LONG: Duration = Duration::from_secs(10);

/// Notes that are given to a member at once: what comes beside the first is thrown away.
const NOTES: u16 = 16;

/// Somebody in the line.
pub(super) struct Waiting {
    pub(super) tenure: Arc<Tenure>,
    pub(super) notes: Deliveries<Source>,
    /// Whether the former owner left in peace.
    pub(super) excused: bool,
}

impl Waiting {
    /// Joins the line.
    pub(super) async fn new(member: &Member, shard: usize, names: Names) -> lapin::Result<Self> {
        let link = member.shared.ordering.reach().await?;
        let (keeping, reading) = (Desk::open(&link).await?, Desk::open(&link).await?);
        let mover = Mover::on(&link, &keeping.channel).await?;
        let note = Parcel {
            exchange: String::new(),
            route: names.owner().to_string(),
            properties: BasicProperties::default().with_delivery_mode(2),
            body: bytes::Bytes::new(),
        };
        let notes = keeping.consume((names.owner(), "owner".into()), Settling::Needed(NOTES), Source::Note);
        let notes = notes.await?;
        if !mover.publish(&[note]).await.iter().all(crate::mover::Moved::is_stored) {
            return Err(late());
        }
        Ok(Self { tenure: Arc::new(Tenure { shard, names, keeping, reading, mover }), notes, excused: false })
    }

    /// Waits for the turn; gives the tag of the note.
    pub(super) async fn turn(&mut self) -> lapin::Result<u64> {
        loop {
            let Some((_, Some(note))) = self.notes.next().await else { return Err(late()) };
            self.tenure.keeping.came(note.delivery_tag);
            if !has_left(&note) {
                return Ok(note.delivery_tag);
            }
            self.excused = true;
            self.tenure.keeping.finish(&[note.delivery_tag]).await;
        }
    }
}

/// Waits until the former owner reads no more: its channels end one by one. `false` when this member is to read no more
/// before that.
pub(super) async fn alone(member: &Member, tenure: &Tenure) -> lapin::Result<bool> {
    let Tenure { names, keeping, .. } = tenure;
    let maker = Maker { link: &keeping.link, channel: &keeping.channel };
    let (begun, mut pause, mut trouble) = (Instant::now(), PAUSE, None);
    for queue in [names.kept(), names.held(), names.events()] {
        while maker.look(queue.clone()).await?.consumer_count() > 0 {
            if trouble.is_none() && begun.elapsed() >= LONG {
                let group = &member.spec.group;
                let text = format!(
                    "{queue} is read by somebody else, and {group} waits for its end: close what reads it"
                );
                trouble = Some(member.shared.troubled(text));
            }
            tokio::select! {
                () = member.ended(tenure.shard) => return Ok(false),
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }
    Ok(true)
}
