//! The values written after the store was shared, behind a lock and a filter in front of it.

use std::{
    any::{Any, TypeId, type_name},
    mem, ptr,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use super::type_key::TypeKey;
use crate::sync::{AtomicU64, Mutex, MutexGuard, const_fn};

/// The bits of all types ever written late: it spares the readers of other types the lock.
#[derive(Default)]
pub(super) struct WriteFilter(AtomicU64);

/// Values set after the store was shared, behind a lock.
///
/// The lock is held for a look-up, and to move a value into its slot or out of it. Meanwhile nothing is allocated, freed,
/// or dropped but a handle that is not the last: an allocator may read the current context, and so may a value's `Drop`.
/// A writer allocates before it takes the lock, and returns what it took out for the caller to drop.
#[derive(Default)]
pub(super) struct SharedValues(Mutex<Entries>);

/// How many types there is room for at first.
const ROOM: usize = 4;

/// One for each type ever written, sorted by type: shorter to search than a map is to hash while they are few, and they
/// can be no more than a program has types.
#[derive(Default)]
struct Entries(Vec<Entry>);

struct Entry {
    id: TypeId,
    type_name: &'static str,
    /// `None`: removed, which hides what the seeds and the parents hold.
    value: Option<Shared>,
}

type Shared = Arc<dyn Any + Send + Sync>;

/// What the late part says of one type.
pub(super) enum Lookup<T> {
    /// Nothing: the seeds and the parents decide.
    NotFound,
    Removed,
    Value(Arc<T>),
}

/// What a write replaced, or could not write. The caller drops it, outside the lock.
pub(super) type Leftover<T> = (Option<T>, [Option<Shared>; 2]);

impl WriteFilter {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Sets the bit of a type. Returns whether it was set before: if not, the type was never written.
    ///
    /// This comes before the write. A thread that learned of a write from its writer also sees the bit, since no bit is ever
    /// cleared. A thread that races with the write may see either.
    #[inline]
    pub(super) fn add<T: 'static>(&self) -> bool {
        let was_set = self.has::<T>();
        if !was_set {
            self.0.fetch_or(TypeKey::of::<T>().bit(), Ordering::Release);
        }
        was_set
    }

    #[inline]
    pub(super) fn has<T: 'static>(&self) -> bool {
        self.0.load(Ordering::Acquire) & TypeKey::of::<T>().bit() != 0
    }
}

impl SharedValues {
    /// An empty one with room for the first few types.
    pub(super) fn with_room() -> Self {
        Self(Mutex::new(Entries(Vec::with_capacity(ROOM))))
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        self.lock().get()
    }

    /// Sets a value. Pass `is_written: false` only if the type was never written here.
    pub(super) fn set<T: Send + Sync + 'static>(&self, value: T, is_written: bool) -> Leftover<T> {
        let result = if is_written { self.lock().replace_unshared(value) } else { Err(value) };
        let value = match result {
            Ok(replaced) => return (Some(replaced), [None, None]),
            Err(value) => value,
        };
        let mut value: Option<Shared> = Some(Arc::new(value));
        let replaced = self.with_slot::<T, _>(|slot, _| mem::replace(slot, value.take()));
        (None, [replaced, None])
    }

    /// As [`set`](Self::set), if the value is still the one that was `seen`. With `seen: None`, only if the type was never
    /// written.
    pub(super) fn compare_and_set<T>(&self, seen: Option<Arc<T>>, value: T) -> Result<Leftover<T>, Leftover<T>>
    where
        T: Send + Sync + 'static,
    {
        let (seen, value) = match seen {
            None => (None, value),
            Some(seen) => match self.lock().replace_seen(seen, value) {
                Ok(replaced) => return Ok((Some(replaced), [None, None])),
                Err((seen, value)) => (Some(seen), value),
            },
        };
        let mut value: Option<Shared> = Some(Arc::new(value));
        let written = self.with_slot::<T, _>(|slot, is_new| {
            let is_as_seen = seen.as_ref().map_or(is_new, |seen| holds(slot.as_ref(), seen));
            is_as_seen.then(|| mem::replace(slot, value.take()))
        });
        // No value is dropped here, at the end of the function: a panic in a drop there leaks what is returned.
        let seen = seen.map(|seen| -> Shared { seen });
        match written {
            Some(replaced) => Ok((None, [replaced, seen])),
            None => Err((None, [value, seen])),
        }
    }

    /// As [`set`](Self::set), provided that no value stands there; else gives that one back beside the new one.
    pub(super) fn set_if_absent<T>(&self, value: Arc<T>) -> Result<(), (Arc<T>, Arc<T>)>
    where
        T: Send + Sync + 'static,
    {
        let mut unused = Some(value);
        let winner = self.with_slot::<T, _>(|slot, _| {
            if slot.is_none() {
                *slot = unused.take().map(|value| -> Shared { value });
            }
            found(slot.clone())
        });
        match (winner, unused) {
            (Lookup::Value(winner), Some(unused)) => Err((winner, unused)),
            _ => Ok(()),
        }
    }

    /// Hides the type and gives back what stood there, for the caller to drop outside the lock.
    pub(super) fn remove<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        let (replaced, is_new) = self.with_slot::<T, _>(|slot, is_new| (slot.take(), is_new));
        if is_new { Lookup::NotFound } else { found(replaced) }
    }

    /// Forgets the type as if it had never been written here.
    pub(super) fn take_entry<T: Send + Sync + 'static>(&mut self) -> Lookup<T> {
        let entries = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        match entries.search::<T>() {
            Ok(index) => found(entries.0.remove(index).value),
            Err(_) => Lookup::NotFound,
        }
    }

    /// Each type written, with its name if a value stands there.
    pub(super) fn types(&self) -> Vec<(TypeId, Option<&'static str>)> {
        let mut types = Vec::new();
        loop {
            let entries = self.lock();
            let length = entries.0.len();
            if length <= types.capacity() {
                types.extend(entries.0.iter().map(|entry| (entry.id, entry.value.as_ref().map(|_| entry.type_name))));
                return types;
            }
            drop(entries);
            types = Vec::with_capacity(length);
        }
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
    pub(super) fn take(self) -> impl Iterator<Item = Shared> {
        let entries = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.0.into_iter().filter_map(|entry| entry.value)
    }

    /// Calls `f` under the lock with the slot of a type's value, and with whether the type is written for the first time.
    ///
    /// `f` moves values, and drops none: what it does not use, its caller must still own.
    fn with_slot<T: 'static, R>(&self, f: impl FnOnce(&mut Option<Shared>, bool) -> R) -> R {
        let mut room = Vec::new();
        loop {
            let mut entries = self.lock();
            match entries.search::<T>() {
                Ok(index) => return f(&mut entries.0[index].value, false),
                Err(index) if entries.has_room(&mut room) => return f(entries.insert::<T>(index), true),
                Err(_) => {
                    let capacity = (2 * entries.0.len()).max(ROOM);
                    drop(entries);
                    room = Vec::with_capacity(capacity);
                }
            }
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // no user code runs under it, so the entries are whole
    }
}

impl Entries {
    /// Where the entry of a type stands, or else would.
    #[inline]
    fn search<T: 'static>(&self) -> Result<usize, usize> {
        self.0.binary_search_by_key(&TypeId::of::<T>(), |entry| entry.id)
    }

    #[inline]
    fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        match self.search::<T>() {
            Ok(index) => found(self.0[index].value.clone()),
            Err(_) => Lookup::NotFound,
        }
    }

    /// Whether one more entry can be inserted without an allocation, if need be after a move to `room`.
    fn has_room(&mut self, room: &mut Vec<Entry>) -> bool {
        let length = self.0.len();
        if length == self.0.capacity() && length < room.capacity() {
            room.append(&mut self.0);
            mem::swap(room, &mut self.0);
        }
        length < self.0.capacity()
    }

    fn insert<T: 'static>(&mut self, index: usize) -> &mut Option<Shared> {
        self.0.insert(index, Entry { id: TypeId::of::<T>(), type_name: type_name::<T>(), value: None });
        &mut self.0[index].value
    }

    /// Replaces a value that has no other handle, in its slot, which saves an allocation.
    fn replace_unshared<T: Send + Sync + 'static>(&mut self, value: T) -> Result<T, T> {
        let slot = self.search::<T>().ok().and_then(|index| self.0[index].value.as_mut());
        match slot.and_then(Arc::get_mut).and_then(|held| held.downcast_mut()) {
            Some(held) => Ok(mem::replace(held, value)),
            None => Err(value),
        }
    }

    /// As [`replace_unshared`](Self::replace_unshared), if the value is the one that was `seen`.
    fn replace_seen<T>(&mut self, mut seen: Arc<T>, value: T) -> Result<T, (Arc<T>, T)>
    where
        T: Send + Sync + 'static,
    {
        let slot = self.search::<T>().ok().map(|index| &mut self.0[index].value);
        let Some(slot) = slot.filter(|slot| holds(slot.as_ref(), &seen)) else { return Err((seen, value)) };
        *slot = None; // `seen` is a handle too, so no value is dropped
        if let Some(held) = Arc::get_mut(&mut seen) {
            let replaced = mem::replace(held, value);
            *slot = Some(seen);
            return Ok(replaced);
        }
        *slot = Some(Arc::clone(&seen) as Shared);
        Err((seen, value))
    }
}

#[inline]
fn holds<T>(slot: Option<&Shared>, value: &Arc<T>) -> bool {
    slot.is_some_and(|held| ptr::addr_eq(Arc::as_ptr(held), Arc::as_ptr(value)))
}

#[inline]
fn found<T: Send + Sync + 'static>(value: Option<Shared>) -> Lookup<T> {
    match value.and_then(|value| value.downcast().ok()) {
        Some(value) => Lookup::Value(value),
        None => Lookup::Removed,
    }
}
