//! Which parts of the log may have an event, so that one that is new is looked for in none.
//!
//! An index of all ids would be written at a place of its own for each event, since ids are random: as much for one as
//! otherwise for fifty, and the more the larger it is. So each part of the log has a range of the index for itself, and a
//! Bloom filter here. A filter that is wrong costs a look into that range, and nothing else.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use rusqlite::{Connection, Result, params};

use super::statements::Statements;

/// How many bits a number has within its part of the log; the indexes of events say the same.
const PART: u32 = 12;
/// How many bits the number of a part has within its group.
const GROUP: u32 = 6;
/// Places of a filter, 16 for each event of its part, and how many an event has: it is wrong once in 1,700 times.
const PLACES: usize = 1 << 16;
const EACH: u16 = 8;

/// An event by its id, in a part of the log.
pub(super) const KNOWN: &str = "SELECT 1 FROM event INDEXED BY event_identity
     WHERE no >> 12 = ?1 AND livemode = ?2 AND id = ?3 AND source = ?4";

/// All of them: the index has whatever is read.
const ALL: &str = "SELECT no, livemode, id, source FROM event INDEXED BY event_identity";

/// The first number and the last one.
const ENDS: &str = "SELECT (SELECT min(no) FROM event), (SELECT max(no) FROM event)";

/// What makes an event the same: its mode as `livemode`, its id, its source.
pub(super) type Identity<'a> = (bool, &'a str, &'a str);

/// The filters of 64 parts side by side: a place of all of them is one word.
type Filters = Box<[u64]>;

/// Where the events may be that are stored, or were: two bytes of memory for each. Of none that this writer stored, or found
/// when it started, it says that it cannot be.
#[derive(Debug, Default)]
pub(super) struct Identities {
    groups: BTreeMap<i64, Filters>,
    hasher: RandomState,
    news: News,
}

/// What is to be done after the next commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum News {
    #[default]
    Nothing,
    /// A group began, so the first ones may be over.
    Group,
    /// The log began anew, so all before it is gone.
    Log,
}

impl Identities {
    /// Reads those that are stored.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let (mut identities, mut all) = (Self::default(), connection.prepare(ALL)?);
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column).and_then(|text| Ok(text.as_str()?));
            identities.add(row.get(0)?, (row.get(1)?, text(2)?, text(3)?));
        }
        drop(rows);
        identities.news = News::Nothing;
        Ok(identities)
    }

    /// Notes an event that has this number now.
    pub(super) fn add(&mut self, no: i64, identity: Identity<'_>) {
        let (part, places) = (no >> PART, self.places(identity));
        let filters = self.groups.entry(part >> GROUP).or_insert_with(|| {
            self.news = News::Group;
            vec![0; PLACES].into_boxed_slice()
        });
        // As SQLite numbers where none is left.
        if no == 1 {
            self.news = News::Log;
        }
        for place in places {
            filters[place] |= 1 << (part & ((1 << GROUP) - 1));
        }
    }

    /// Whether an event is stored.
    pub(super) fn have(&self, identity: Identity<'_>, statements: &mut Statements<'_>) -> Result<bool> {
        let ((livemode, id, source), places) = (identity, self.places(identity));
        for (group, filters) in self.groups.iter().rev() {
            let mut may_have = places.clone().fold(u64::MAX, |all, place| all & filters[place]);
            while may_have != 0 {
                let part = (group << GROUP) + i64::from(may_have.trailing_zeros());
                if statements.find(KNOWN)?.exists(params![part, livemode, id, source])? {
                    return Ok(true);
                }
                may_have &= may_have - 1;
            }
        }
        Ok(false)
    }

    /// Lets go of what is forgotten, when a group or the whole log begins. After a commit, so that nothing of it comes back.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        match std::mem::take(&mut self.news) {
            News::Nothing => {}
            News::Group => {
                let stored = parts(connection, (i64::MIN, i64::MAX))?;
                let groups = stored.start >> GROUP..=(stored.end - 1) >> GROUP;
                self.groups.retain(|group, _| groups.contains(group));
            }
            News::Log => *self = Self::read(connection)?,
        }
        Ok(())
    }

    /// Its places: two halves of one hash make as many as are wanted.
    fn places(&self, identity: Identity<'_>) -> impl Iterator<Item = usize> + Clone + use<> {
        let hash = self.hasher.hash_one(identity);
        let (first, step) = (hash as u16, (hash >> 16) as u16 | 1);
        (0..EACH).map(move |number| first.wrapping_add(number.wrapping_mul(step)).into())
    }
}

/// The parts of the log with events from a number on and before another one, the first to the last.
pub(super) fn parts(connection: &Connection, (from, before): (i64, i64)) -> Result<Range<i64>> {
    let ends = connection.prepare_cached(ENDS)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some::<i64>(first), Some::<i64>(last)) = ends else { return Ok(0..0) };
    Ok(first.max(from) >> PART..(last.min(before.saturating_sub(1)) >> PART) + 1)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    /// Numbers in two parts of the first group, and in others.
    const NUMBERS: [i64; 5] = [1, 4095, 4096, 300_000, 9_000_000];

    fn store(connection: &Connection, no: i64) {
        let event = "INSERT INTO event (no, livemode, source, id, type, occurred_at, received_at, body)
             VALUES (?1, 1, 'shop', 'e' || ?1, 'a.b', 0, 0, x'')";
        connection.execute(event, [no]).unwrap();
    }

    fn filled() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        NUMBERS.into_iter().for_each(|no| store(&connection, no));
        connection
    }

    fn have(identities: &Identities, connection: &Connection, identity: Identity<'_>) -> bool {
        identities.have(identity, &mut Statements::of(connection)).unwrap()
    }

    #[test]
    fn an_event_is_known_wherever_it_stands_and_no_other_is() {
        let connection = filled();
        let identities = Identities::read(&connection).unwrap();
        for no in NUMBERS {
            let id = format!("e{no}");
            assert!(have(&identities, &connection, (true, &id, "shop")), "{id}");
            assert!(!have(&identities, &connection, (false, &id, "shop")), "{id} of the other mode");
            assert!(!have(&identities, &connection, (true, &id, "other")), "{id} of another source");
        }
        assert!(!have(&identities, &connection, (true, "e2", "shop")));
    }

    #[test]
    fn what_is_not_stored_is_not_known_whatever_the_filter_says() {
        let connection = filled();
        let mut identities = Identities::read(&connection).unwrap();
        identities.add(2, (true, "undone", "shop"));
        assert!(!have(&identities, &connection, (true, "undone", "shop")));
    }

    #[test]
    fn only_what_is_forgotten_is_let_go_of() {
        let connection = filled();
        let mut identities = Identities::read(&connection).unwrap();
        connection.execute("DELETE FROM event WHERE no < 300000", []).unwrap();
        store(&connection, 20_000_000);
        identities.add(20_000_000, (true, "e20000000", "shop"));
        identities.settle(&connection).unwrap();
        assert_eq!(identities.groups.len(), 3);
        for no in [300_000, 9_000_000, 20_000_000] {
            assert!(have(&identities, &connection, (true, &format!("e{no}"), "shop")), "{no}");
        }
    }

    #[test]
    fn of_a_log_that_begins_anew_nothing_before_it_is_known() {
        let connection = filled();
        let mut identities = Identities::read(&connection).unwrap();
        connection.execute("DELETE FROM event", []).unwrap();
        for no in [1, 2] {
            store(&connection, no);
            identities.add(no, (true, &format!("e{no}"), "shop"));
        }
        identities.settle(&connection).unwrap();
        let set = |filters: &Filters| filters.iter().filter(|place| **place != 0).count();
        assert!(identities.groups.values().map(set).sum::<usize>() <= 2 * usize::from(EACH));
        for id in ["e1", "e2"] {
            assert!(have(&identities, &connection, (true, id, "shop")), "{id}");
        }
    }

    #[test]
    fn a_filter_of_a_full_part_is_seldom_wrong() {
        let (mut identities, name) = (Identities::default(), |number: u32| format!("evt_{number}"));
        (0..4096).for_each(|number| identities.add(number.into(), (true, &name(number), "shop")));
        let filters = &identities.groups[&0];
        let may_have =
            |number| identities.places((true, &name(number), "shop")).all(|place| filters[place] & 1 != 0);
        assert!((0..4096).all(may_have));
        let wrong = (4096..104_096).filter(|number| may_have(*number)).count();
        assert!(wrong < 150, "{wrong} of 100,000");
    }

    /// Reading them at the start reads the index alone, and no body.
    #[test]
    fn they_are_read_from_the_index() {
        let connection = filled();
        let plan = |row: &rusqlite::Row<'_>| row.get::<_, String>(3);
        let plan = connection.query_row(&format!("EXPLAIN QUERY PLAN {ALL}"), [], plan).unwrap();
        assert_eq!(plan, "SCAN event USING COVERING INDEX event_identity");
    }
}
