//! Models of the log and the bell over it.

use std::future::poll_fn;

use shuttle::future::block_on;
use shuttle::thread;

use super::bell::{Bell, Sleeper};
use super::log::{Cursor, SEGMENT, Tail};
use super::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

const WRITERS: u64 = 2;
const EACH: u64 = 3;
/// Entries that are there before; the next ones cross the end of a segment.
const BEFORE: u64 = SEGMENT as u64 - 2;

/// An entry: who wrote it, and its number.
type Entry = (u64, u64);

struct Log {
    tail: Mutex<Tail<Entry>>,
    published: AtomicU64,
    bell: Bell,
}

impl Log {
    fn new() -> Self {
        let mut tail = Tail::new();
        (0..BEFORE).for_each(|number| tail.append((WRITERS, number)));
        let published = AtomicU64::new(0);
        tail.publish(&published);
        Self { tail: Mutex::new(tail), published, bell: Bell::new() }
    }

    fn write(&self, writer: u64) {
        for number in 0..EACH {
            let mut tail = lock(&self.tail);
            tail.append((writer, number));
            tail.publish(&self.published);
            drop(tail);
            self.bell.ring();
        }
    }

    /// Reads as many entries as are written in all, asleep when there are none.
    fn read(&self, mut cursor: Cursor<Entry>) -> Vec<Entry> {
        let sleeper = Sleeper::new();
        self.bell.join(&sleeper);
        let mut seen = Vec::new();
        while seen.len() < (WRITERS * EACH) as usize {
            let mut take = || cursor.take(self.published.load(Ordering::SeqCst), 2);
            let run = block_on(poll_fn(|context| self.bell.poll(&sleeper, context, &mut take)));
            seen.extend((run.from..run.from + run.len).map(|offset| *run.segment.entry(offset)));
        }
        self.bell.leave(&sleeper);
        seen
    }
}

/// Two writers append under a lock and ring; two readers sleep through nothing and see every entry once, in order.
pub fn readers_see_every_entry_once_in_order() {
    let log = Arc::new(Log::new());
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (log, cursor) = (Arc::clone(&log), lock(&log.tail).cursor());
            thread::spawn(move || log.read(cursor))
        })
        .collect();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        thread::spawn(move || log.write(writer));
    }
    let seen: Vec<Vec<Entry>> =
        readers.into_iter().map(|reader| reader.join().expect("a reader that ends")).collect();
    assert_eq!(seen[0], seen[1], "both readers see one order");
    for writer in 0..WRITERS {
        let numbers = seen[0].iter().filter(|(of, _)| *of == writer).map(|(_, number)| *number);
        assert!(numbers.eq(0..EACH), "{seen:?}");
    }
}
