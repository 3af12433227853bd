//! Models of publishers that wait for room.

use std::pin::pin;
use std::task::Context;

use futures::task::noop_waker;
use shuttle::future::block_on;
use shuttle::thread;

use super::sync::{Arc, AtomicU64, Ordering};
use super::waiters::Waiters;

#[derive(Default)]
struct Room {
    places: AtomicU64,
    waiters: Waiters,
}

impl Room {
    fn free(&self) {
        self.places.fetch_add(1, Ordering::SeqCst);
        self.waiters.wake();
    }

    async fn take(&self) {
        let taken = || {
            let less = |places: u64| places.checked_sub(1);
            self.places.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok().map(drop)
        };
        self.waiters.until(taken).await;
    }
}

/// As many places are freed as publishers wait for: each of them gets one, also beside one that gave up waiting.
pub fn who_waits_for_room_is_woken() {
    let room = Arc::new(Room::default());
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let room = Arc::clone(&room);
            thread::spawn(move || block_on(room.take()))
        })
        .collect();
    let impatient = {
        let room = Arc::clone(&room);
        thread::spawn(move || {
            let waker = noop_waker();
            let mut take = pin!(room.take());
            let taken = take.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if taken {
                room.free();
            }
        })
    };
    for _ in 0..2 {
        room.free();
        thread::yield_now();
    }
    waiting.into_iter().for_each(|publisher| publisher.join().expect("a publisher that got its room"));
    impatient.join().expect("a publisher that gave up");
    assert_eq!(room.places.load(Ordering::SeqCst), 0);
}
