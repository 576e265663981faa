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
pub(super) struct Written(AtomicU64);

/// Late values, behind a lock.
///
/// It is held for a look-up, and to move a value into a place made for it, and for nothing else. Values go out as `Arc`s
/// or as what they are, so that their `Clone`, their `Drop` and the callers' closures run after it is released.
#[derive(Default)]
pub(super) struct Late(Mutex<Entries>);

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
    Unwritten,
    Removed,
    Value(Arc<T>),
}

/// What a write has replaced, for the caller to drop outside the lock: a value whose place was used again, or one that
/// somebody may be reading.
type Former<T> = (Option<T>, Option<Shared>);

/// What has not been written, for the caller to drop outside the lock.
type Unused<T> = (Option<Arc<T>>, T);

impl Written {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Comes before the write. Whoever learned of a write from its writer also sees its bit, be it set by him or before,
    /// since none is ever taken back; whoever races with it may see either.
    #[inline]
    pub(super) fn add<T: 'static>(&self) {
        if !self.has::<T>() {
            self.0.fetch_or(TypeKey::of::<T>().bit(), Ordering::Release);
        }
    }

    #[inline]
    pub(super) fn has<T: 'static>(&self) -> bool {
        self.0.load(Ordering::Acquire) & TypeKey::of::<T>().bit() != 0
    }
}

impl Late {
    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        self.lock().get()
    }

    pub(super) fn set<T: Send + Sync + 'static>(&self, value: T) -> Former<T> {
        let mut entries = self.lock();
        let index = entries.search::<T>();
        let place = entries.place::<T>(index);
        // Where nobody reads the former value, the new one takes its very place, which saves an allocation.
        match place.as_mut().and_then(Arc::get_mut).and_then(|former| former.downcast_mut()) {
            Some(former) => (Some(mem::replace(former, value)), None),
            None => (None, place.replace(Arc::new(value))),
        }
    }

    /// As [`set`](Self::set), provided that what stands there is still what was `seen`, or that the type was never written
    /// if that is none; else gives both back.
    pub(super) fn replace<T>(&self, seen: Option<Arc<T>>, value: T) -> Result<Former<T>, Unused<T>>
    where
        T: Send + Sync + 'static,
    {
        let mut entries = self.lock();
        let (place, mut seen) = match (seen, entries.search::<T>()) {
            (None, Err(index)) => {
                *entries.place::<T>(Err(index)) = Some(Arc::new(value));
                return Ok((None, None));
            }
            (Some(seen), Ok(index)) if entries.holds(index, &seen) => (entries.place::<T>(Ok(index)), seen),
            // Neither is dropped here, not even after the guard: a panic in a drop at the end of a function leaks what
            // that returns.
            (seen, _) => return Err((seen, value)),
        };
        // `seen` is a handle too, so no value is dropped here. From here on it goes back into the place, or to the caller.
        *place = None;
        if let Some(former) = Arc::get_mut(&mut seen) {
            let former = mem::replace(former, value);
            *place = Some(seen);
            return Ok((Some(former), None));
        }
        *place = Some(Arc::new(value));
        Ok((None, Some(seen)))
    }

    /// As [`set`](Self::set), provided that no value stands there; else gives that one back beside the new one.
    pub(super) fn set_if_absent<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Result<(), Arc<T>> {
        let mut entries = self.lock();
        if let Lookup::Value(winner) = entries.get::<T>() {
            return Err(winner);
        }
        let index = entries.search::<T>();
        *entries.place::<T>(index) = Some(value);
        Ok(())
    }

    /// Hides the type and gives back what stood there, for the caller to drop outside the lock.
    pub(super) fn remove<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        let mut entries = self.lock();
        let index = entries.search::<T>();
        let former = entries.place::<T>(index).take();
        if index.is_ok() { found(former) } else { Lookup::Unwritten }
    }

    /// Forgets the type as if it had never been written here.
    pub(super) fn forget<T: Send + Sync + 'static>(&mut self) -> Lookup<T> {
        let entries = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        match entries.search::<T>() {
            Ok(index) => found(entries.0.remove(index).value),
            Err(_) => Lookup::Unwritten,
        }
    }

    /// Each type written, with its name if a value stands there.
    pub(super) fn types(&self) -> Vec<(TypeId, Option<&'static str>)> {
        self.lock().0.iter().map(|entry| (entry.id, entry.value.as_ref().map(|_| entry.type_name))).collect()
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
    pub(super) fn take(self) -> impl Iterator<Item = Shared> {
        let entries = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.0.into_iter().filter_map(|entry| entry.value)
    }

    // No code of a user runs under this lock, so a poisoned one guards entries that are whole.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            Err(_) => Lookup::Unwritten,
        }
    }

    #[inline]
    fn holds<T>(&self, index: usize, value: &Arc<T>) -> bool {
        self.0[index].value.as_ref().is_some_and(|held| ptr::addr_eq(Arc::as_ptr(held), Arc::as_ptr(value)))
    }

    /// Where the value of a type is to stand, of which the search said `index`.
    #[inline]
    fn place<T: 'static>(&mut self, index: Result<usize, usize>) -> &mut Option<Shared> {
        let index = index.unwrap_or_else(|index| {
            self.0.insert(index, Entry { id: TypeId::of::<T>(), type_name: type_name::<T>(), value: None });
            index
        });
        &mut self.0[index].value
    }
}

#[inline]
fn found<T: Send + Sync + 'static>(value: Option<Shared>) -> Lookup<T> {
    match value.and_then(|value| value.downcast().ok()) {
        Some(value) => Lookup::Value(value),
        None => Lookup::Removed,
    }
}
