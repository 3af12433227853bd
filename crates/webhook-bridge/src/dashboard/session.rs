//! Sessions: who is signed in, in memory only, so that a restart signs everybody out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use tokio::time::Instant;

use crate::model::KeyDigest;

/// After how long without a request a session ends, and after how long in any case.
const IDLE: Duration = Duration::from_secs(2 * 3600);
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// How many there are at most; then the one that was idle for longest ends.
const MOST: usize = 1000;

/// What is kept of a session's id. The id has 256 random bits and is its holder's alone, so a plain digest is enough.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Of what a browser sent.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// All that are signed in. Each stands for the key it was begun with, and has no right of its own: who deletes the key ends
/// it.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<SessionId, Session>>);

struct Session {
    key: KeyDigest,
    began: Instant,
    used: Instant,
}

impl Session {
    fn lasts(&self, now: Instant) -> bool {
        now < self.ends()
    }

    fn ends(&self) -> Instant {
        (self.began + LONGEST).min(self.used + IDLE)
    }
}

impl Sessions {
    /// Begins a session for a key; gives the text that names it, which is kept nowhere.
    pub fn begin(&self, key: KeyDigest, now: Instant) -> String {
        let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut held = self.held();
        held.retain(|_, session| session.lasts(now));
        if held.len() >= MOST {
            let oldest = held.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                held.remove(&oldest);
            }
        }
        held.insert(SessionId::of(&text), Session { key, began: now, used: now });
        text
    }

    /// The key that a session stands for; it is used now, so it lasts on.
    pub fn renew(&self, id: SessionId, now: Instant) -> Option<KeyDigest> {
        let mut held = self.held();
        let session = held.get_mut(&id).filter(|session| session.lasts(now))?;
        session.used = now;
        Some(session.key)
    }

    /// The key that a session stands for, without using it.
    pub fn key(&self, id: SessionId, now: Instant) -> Option<KeyDigest> {
        self.held().get(&id).filter(|session| session.lasts(now)).map(|session| session.key)
    }

    /// Ends a session.
    pub fn end(&self, id: SessionId) {
        self.held().remove(&id);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("held", &self.held().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyDigest = KeyDigest([7; 32]);

    #[test]
    fn a_session_ends_when_it_is_idle_or_old_and_is_used_by_its_id_alone() {
        let (sessions, began) = (Sessions::default(), Instant::now());
        let text = sessions.begin(KEY, began);
        let id = SessionId::of(&text);
        assert_eq!((text.len(), sessions.renew(SessionId::of("guessed"), began)), (43, None));
        assert_ne!(text, sessions.begin(KEY, began));
        let mut now = began;
        while now + IDLE - Duration::from_secs(1) < began + LONGEST {
            now += IDLE - Duration::from_secs(1);
            assert_eq!(sessions.renew(id, now), Some(KEY), "used in time");
        }
        assert_eq!(sessions.renew(id, began + LONGEST), None, "old");
        let idle = SessionId::of(&sessions.begin(KEY, began));
        assert_eq!(sessions.key(idle, began + IDLE - Duration::from_secs(1)), Some(KEY));
        assert_eq!(sessions.renew(idle, began + IDLE), None, "a look did not use it");
    }

    #[test]
    fn there_are_never_more_than_so_many_and_the_idlest_goes() {
        let (sessions, began) = (Sessions::default(), Instant::now());
        let first = SessionId::of(&sessions.begin(KEY, began));
        let second = SessionId::of(&sessions.begin(KEY, began));
        let later = began + Duration::from_secs(1);
        sessions.renew(first, later);
        for _ in 2..=MOST {
            sessions.begin(KEY, later);
        }
        assert_eq!(sessions.held().len(), MOST);
        assert_eq!((sessions.key(first, later), sessions.key(second, later)), (Some(KEY), None));
        sessions.end(first);
        assert_eq!(sessions.key(first, later), None, "ended");
    }
}
