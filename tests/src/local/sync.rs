//! The primitives the included sources share, as the scheduler's.

pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
pub(super) use shuttle::sync::{Mutex, MutexGuard};
pub(super) use std::sync::Arc;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
