//! A locked file: the system unlocks it when its process ends, however that happens.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// The lock of whoever holds the lease. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    path: PathBuf,
    held: Arc<Mutex<HashMap<Uuid, File>>>,
}

impl Lock {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: Arc::default() }
    }

    /// Takes or keeps the lock for `holder`; says whether it has it.
    pub(super) fn take(&self, holder: Uuid) -> io::Result<bool> {
        let mut held = self.held();
        if held.contains_key(&holder) {
            return Ok(true);
        }
        let file = File::options().create(true).append(true).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {
                held.insert(holder, file);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn release(&self, holder: Uuid) {
        self.held().remove(&holder);
    }

    // Nothing panics while the lock is held.
    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
