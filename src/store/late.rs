//! The values written after the store was shared: a small locked part, made by the first such write.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::type_key::{BuildTypeHasher, TypeKey};

/// Late values, behind a filter that spares the readers of other types the lock.
///
/// The lock is held for a look-up in the map and nothing else. Values go in and out as `Arc`s, so that their `Clone`,
/// their `Drop` and the callers' closures run after it is released.
#[derive(Default)]
pub(super) struct Late {
    /// The bits of all types ever written; none is taken back.
    written: AtomicU64,
    entries: OnceLock<Box<Mutex<Entries>>>,
}

type Entries = HashMap<TypeId, Entry, BuildTypeHasher>;

struct Entry {
    type_name: &'static str,
    /// `None`: removed, which hides what the seeds and the parents hold.
    value: Option<Arc<dyn Any + Send + Sync>>,
}

/// What the late part says of one type.
pub(super) enum Lookup<T> {
    /// Nothing: the seeds and the parents decide.
    Unwritten,
    Removed,
    Value(Arc<T>),
}

impl<T> Lookup<T> {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unwritten, Self::Unwritten) | (Self::Removed, Self::Removed) => true,
            (Self::Value(one), Self::Value(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl Late {
    pub(super) const fn new() -> Self {
        Self { written: AtomicU64::new(0), entries: OnceLock::new() }
    }

    pub(super) fn is_written(&self) -> bool {
        self.entries.get().is_some()
    }

    #[inline]
    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        // Whoever learned of a write from its writer also sees its bit; whoever races with it may see either.
        if self.written.load(Ordering::Acquire) & TypeKey::of::<T>().bit() == 0 {
            return Lookup::Unwritten;
        }
        self.locked_get()
    }

    /// Puts a value in place and gives back what stood there, for the caller to drop outside the lock.
    pub(super) fn set<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Lookup<T> {
        let mut entries = self.lock_for_writing::<T>();
        write(&mut entries, Some(value))
    }

    /// As [`set`](Self::set), provided that what stands there is still `expected`; else `None`.
    pub(super) fn replace<T: Send + Sync + 'static>(&self, expected: &Lookup<T>, value: Arc<T>) -> Option<Lookup<T>> {
        let mut entries = self.lock_for_writing::<T>();
        let found = read(&entries);
        // While the lock is held, the map holds what was found: its drop here is never the last.
        // A value that comes too late is a parameter, and those are dropped after the guard; a closure's would be before.
        if found.is_same(expected) { Some(write(&mut entries, Some(value))) } else { None }
    }

    /// As [`set`](Self::set), provided that no value stands there; else gives that one back beside the new one.
    pub(super) fn set_if_absent<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Result<(), Arc<T>> {
        let mut entries = self.lock_for_writing::<T>();
        match read::<T>(&entries) {
            Lookup::Value(winner) => Err(winner),
            Lookup::Unwritten | Lookup::Removed => {
                write(&mut entries, Some(value));
                Ok(())
            }
        }
    }

    /// Hides the type and gives back what stood there, for the caller to drop outside the lock.
    pub(super) fn remove<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        let mut entries = self.lock_for_writing::<T>();
        write(&mut entries, None)
    }

    /// Forgets the type as if it had never been written here.
    pub(super) fn forget<T: Send + Sync + 'static>(&mut self) -> Lookup<T> {
        let entries = self.entries.get_mut().map(|entries| entries.get_mut());
        let entry =
            entries.and_then(|entries| entries.unwrap_or_else(PoisonError::into_inner).remove(&TypeId::of::<T>()));
        lookup(entry)
    }

    /// Each type written, with its name if a value stands there.
    pub(super) fn types(&self) -> Vec<(TypeId, Option<&'static str>)> {
        let Some(entries) = self.entries.get() else {
            return Vec::new();
        };
        lock(entries).iter().map(|(id, entry)| (*id, entry.value.as_ref().map(|_| entry.type_name))).collect()
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Arc<dyn Any + Send + Sync>> {
        let entries = self.entries.take().map(|entries| entries.into_inner());
        let entries = entries.map(|entries| entries.unwrap_or_else(PoisonError::into_inner));
        entries.into_iter().flatten().filter_map(|(_, entry)| entry.value)
    }

    fn locked_get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        self.entries.get().map_or(Lookup::Unwritten, |entries| read(&lock(entries)))
    }

    fn lock_for_writing<T: 'static>(&self) -> MutexGuard<'_, Entries> {
        let entries = lock(self.entries.get_or_init(Box::default));
        self.written.fetch_or(TypeKey::of::<T>().bit(), Ordering::Release);
        entries
    }
}

// No code of a user runs under this lock, so a poisoned one guards entries that are whole.
fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: Send + Sync + 'static>(entries: &Entries) -> Lookup<T> {
    match entries.get(&TypeId::of::<T>()) {
        None => Lookup::Unwritten,
        Some(entry) => found(entry.value.clone()),
    }
}

fn write<T: Send + Sync + 'static>(entries: &mut Entries, value: Option<Arc<T>>) -> Lookup<T> {
    let entry = Entry { type_name: type_name::<T>(), value: value.map(|value| value as _) };
    lookup(entries.insert(TypeId::of::<T>(), entry))
}

fn lookup<T: Send + Sync + 'static>(entry: Option<Entry>) -> Lookup<T> {
    entry.map_or(Lookup::Unwritten, |entry| found(entry.value))
}

fn found<T: Send + Sync + 'static>(value: Option<Arc<dyn Any + Send + Sync>>) -> Lookup<T> {
    match value.and_then(|value| value.downcast().ok()) {
        Some(value) => Lookup::Value(value),
        None => Lookup::Removed,
    }
}
