//! What the included sources find under `dashmap`: a map behind one of the scheduler's locks, so that threads that meet
//! in it are explored too. Only what the sources use; iterating goes over a copy, which a sharded map may give as well.

use std::collections::HashMap;
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use shuttle::sync::{Mutex, MutexGuard};

/// A map that threads share.
#[derive(Debug)]
pub struct DashMap<K, V, S> {
    entries: Mutex<HashMap<K, V>>,
    hasher: PhantomData<S>,
}

/// An entry, with the lock of the map.
#[derive(Debug)]
pub(crate) struct Entry<'a, K, V> {
    entries: MutexGuard<'a, HashMap<K, V>>,
    key: K,
}

/// A value of a copy of the map.
pub(crate) struct Value<V>(V);

impl<K, V, S> Default for DashMap<K, V, S> {
    fn default() -> Self {
        Self { entries: Mutex::new(HashMap::new()), hasher: PhantomData }
    }
}

impl<K: Eq + Hash + Clone, V, S> DashMap<K, V, S> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn insert(&self, key: K, value: V) -> Option<V> {
        self.lock().insert(key, value)
    }

    pub(crate) fn get(&self, key: &K) -> Option<Entry<'_, K, V>> {
        let entries = self.lock();
        entries.contains_key(key).then(|| Entry { entries, key: key.clone() })
    }

    pub(crate) fn remove_if(&self, key: &K, condition: impl FnOnce(&K, &V) -> bool) -> Option<(K, V)> {
        let mut entries = self.lock();
        let holds = entries.get(key).is_some_and(|value| condition(key, value));
        if holds { entries.remove_entry(key) } else { None }
    }

    pub(crate) fn entry(&self, key: K) -> Entry<'_, K, V> {
        Entry { entries: self.lock(), key }
    }

    pub(crate) fn iter(&self) -> std::vec::IntoIter<Value<V>>
    where
        V: Clone,
    {
        self.lock().values().cloned().map(Value).collect::<Vec<_>>().into_iter()
    }
}

impl<K: Eq + Hash + Clone, V: Default> Entry<'_, K, V> {
    pub(crate) fn or_default(mut self) -> Self {
        self.entries.entry(self.key.clone()).or_default();
        self
    }
}

impl<K: Eq + Hash, V> Deref for Entry<'_, K, V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.entries[&self.key]
    }
}

impl<K: Eq + Hash, V> DerefMut for Entry<'_, K, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.entries.get_mut(&self.key).expect("an entry that is there")
    }
}

impl<V> Value<V> {
    pub(crate) fn value(&self) -> &V {
        &self.0
    }
}

impl<V> Deref for Value<V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.0
    }
}
