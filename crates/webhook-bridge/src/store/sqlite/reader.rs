//! Reading beside the writer: a few connections, each for one call at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::error::{Error, ErrorKind, Result};

/// How many read at once.
const CONNECTIONS: usize = 4;

/// Read-only connections, opened when first needed.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(path: &Path) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Self { path: Arc::new(path.to_owned()), idle: Arc::default(), permits }
    }

    /// Reads, off the async threads.
    pub(super) async fn call<A, F>(&self, work: F) -> Result<A>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<A> + Send + 'static,
        A: Send + 'static,
    {
        let closed = |_| Error::new(ErrorKind::Closed, "the store is closed");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let reader = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = reader.connection()?;
            let answer = work(&connection).map_err(|cause| super::error(&cause))?;
            reader.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(answer)
        });
        read.await.map_err(|cause| {
            Error::new(ErrorKind::Internal, "a read of the store ended").with_source(cause)
        })?
    }

    fn connection(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&*self.path, flags)?;
            super::file::plan_once(&connection)?;
            Ok(connection)
        };
        idle.map_or_else(open, Ok).map_err(|cause| super::error(&cause))
    }

    /// Lets go of the file once the reads under way are done.
    pub(super) async fn close(&self) {
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        if let Ok(permits) = self.permits.acquire_many(all).await {
            permits.forget();
            self.permits.close();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
