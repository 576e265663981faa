//! Values set after sharing, behind a lock, and a filter with which most reads skip the lock.

use std::{
    any::{Any, TypeId, type_name},
    mem, ptr,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use super::type_key::TypeKey;
use crate::sync::{AtomicU64, Mutex, MutexGuard, const_fn};

/// A filter of 64 bits. Setting or removing a value after sharing sets the bit of its type. A read of a type whose bit
/// is not set skips the lock. Two types may have the same bit.
///
/// A writer calls [`add`](Self::add) before it writes, and a reader calls [`has`](Self::has) before it looks for a
/// value.
///
/// Invariant: if a write happens before a read of the same type, the read finds the bit set. The writer sets the bit,
/// or reads it as set, before it writes. This access therefore happens before the reader's load. By the coherence of
/// one atomic, the load then returns the number that this access stored or read, or a later one. Bits are never
/// cleared, so each of these numbers contains the bit. Coherence holds for every ordering, so `Relaxed` suffices. The
/// value itself is published by the lock.
///
/// A read that is concurrent with the first write may miss the bit. It then returns what was there before the write.
#[derive(Default)]
pub(super) struct WriteFilter(AtomicU64);

/// Values set after sharing.
///
/// Invariant: no user code runs under the lock. The `Drop` of a value is user code, and so is an allocator, which may
/// read the current context. So code under the lock only looks entries up, moves values, and clones handles to them. It
/// allocates and frees nothing, and drops a handle only while another one exists. A writer allocates before it takes
/// the lock, and drops a replaced value after it has released the lock.
#[derive(Default)]
pub(super) struct SharedValues(Mutex<Entries>);

const INITIAL_CAPACITY: usize = 4;

/// One entry for each type that was ever written, sorted by type.
///
/// While there are few entries, a binary search takes less time than hashing. There are never more than the program has
/// types.
#[derive(Default)]
struct Entries(Vec<Entry>);

struct Entry {
    id: TypeId,
    type_name: &'static str,
    /// `None` if the value was removed. Initial values and values of parents are then hidden too.
    value: Option<SharedValue>,
}

type SharedValue = Arc<dyn Any + Send + Sync>;

/// The result of a look-up among the values set after sharing.
pub(super) enum Lookup<T> {
    /// The type was never written. Look at the initial values, and then at the parents.
    NotFound,
    /// The value was removed. Do not look any further.
    Removed,
    Value(Arc<T>),
}

impl WriteFilter {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Sets the bit of a type. Returns whether it was set before.
    #[inline]
    pub(super) fn add<T: 'static>(&self) -> bool {
        let was_set = self.has::<T>();
        if !was_set {
            self.0.fetch_or(TypeKey::of::<T>().bit(), Ordering::Relaxed);
        }
        was_set
    }

    /// Returns whether the bit of a type is set. Two types may have the same bit.
    #[inline]
    pub(super) fn has<T: 'static>(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TypeKey::of::<T>().bit() != 0
    }
}

impl SharedValues {
    /// Creates an empty one with room for the first values.
    pub(super) fn preallocated() -> Self {
        Self(Mutex::new(Entries(Vec::with_capacity(INITIAL_CAPACITY))))
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        self.lock().get()
    }

    /// Sets a value. With `maybe_written`, first tries to reuse the allocation of a value that was written before.
    pub(super) fn set<T: Send + Sync + 'static>(&self, value: T, maybe_written: bool) {
        let reused = if maybe_written { self.lock().replace_unshared(value) } else { Err(value) };
        let Err(value) = reused else { return };
        let mut value: Option<SharedValue> = Some(Arc::new(value));
        let replaced = self.with_slot::<T, _>(|slot, _| mem::replace(slot, value.take()));
        drop(replaced);
    }

    /// Sets a value if the type's value is still the `expected` one. With `None`, sets it if the type was never
    /// written. Returns whether it was set.
    pub(super) fn compare_and_set<T: Send + Sync + 'static>(&self, expected: Option<Arc<T>>, value: T) -> bool {
        let (expected, value) = match expected {
            None => (None, value),
            Some(expected) => {
                let reused = self.lock().replace_expected(expected, value);
                let Err((expected, value)) = reused else { return true };
                (Some(expected), value)
            }
        };
        let mut value: Option<SharedValue> = Some(Arc::new(value));
        let replaced = self.with_slot::<T, _>(|slot, is_new| {
            let is_expected = expected.as_ref().map_or(is_new, |expected| ptr_eq(slot.as_ref(), expected));
            is_expected.then(|| mem::replace(slot, value.take()))
        });
        replaced.is_some()
    }

    /// Sets a value if there is none. Otherwise drops it and returns the value that is there.
    pub(super) fn set_if_absent<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Option<Arc<T>> {
        let mut unused = Some(value);
        let current = self.with_slot::<T, _>(|slot, _| {
            if slot.is_none() {
                *slot = unused.take().map(|value| -> SharedValue { value });
                return None;
            }
            slot.clone()
        });
        // If this were dropped at the end of the function, a panic in its drop could leak the return value.
        drop(unused);
        current.and_then(|value| value.downcast().ok())
    }

    /// Records that a value was removed, which also hides initial values and those of parents. Returns `false` if that
    /// was recorded before.
    pub(super) fn remove<T: Send + Sync + 'static>(&self) -> bool {
        let (removed, is_new) = self.with_slot::<T, _>(|slot, is_new| (slot.take(), is_new));
        is_new || removed.is_some()
    }

    /// Takes out the entry of a type, as if the type had never been written.
    pub(super) fn take_entry<T: Send + Sync + 'static>(&mut self) -> Lookup<T> {
        let entries = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        match entries.search::<T>() {
            Ok(index) => Lookup::of_entry(entries.0.remove(index).value),
            Err(_) => Lookup::NotFound,
        }
    }

    /// The type of each entry, with its name unless the value was removed.
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

    /// Takes the values out one by one, so that a panic in the drop of one does not affect the others.
    pub(super) fn take(self) -> impl Iterator<Item = SharedValue> {
        let entries = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        entries.0.into_iter().filter_map(|entry| entry.value)
    }

    /// Calls `f` under the lock with the slot of a type's value, and with whether the type was never written before.
    ///
    /// `f` must not drop a value. It returns the value, or leaves it in a captured variable that outlives the lock.
    fn with_slot<T: 'static, R>(&self, f: impl FnOnce(&mut Option<SharedValue>, bool) -> R) -> R {
        let mut spare = Vec::new(); // declared before the guard, so it is freed after the lock was released
        loop {
            let mut entries = self.lock();
            match entries.search::<T>() {
                Ok(index) => return f(&mut entries.0[index].value, false),
                Err(index) if entries.reserve_one(&mut spare) => return f(entries.insert::<T>(index), true),
                Err(_) => {
                    let capacity = (2 * entries.0.len()).max(INITIAL_CAPACITY);
                    drop(entries);
                    spare = Vec::with_capacity(capacity);
                }
            }
        }
    }

    // No user code runs under this lock, so a poisoned one guards entries that are whole.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Returns the index of a type's entry, or as an error the index at which to insert it.
    #[inline]
    fn search<T: 'static>(&self) -> Result<usize, usize> {
        self.0.binary_search_by_key(&TypeId::of::<T>(), |entry| entry.id)
    }

    #[inline]
    fn get<T: Send + Sync + 'static>(&self) -> Lookup<T> {
        match self.search::<T>() {
            Ok(index) => Lookup::of_entry(self.0[index].value.clone()),
            Err(_) => Lookup::NotFound,
        }
    }

    /// Makes room for one more entry without an allocation. If the vector is full, moves all entries to `spare`, if
    /// that is larger. Returns whether there is room.
    fn reserve_one(&mut self, spare: &mut Vec<Entry>) -> bool {
        let length = self.0.len();
        if length == self.0.capacity() && length < spare.capacity() {
            spare.append(&mut self.0);
            mem::swap(spare, &mut self.0);
        }
        length < self.0.capacity()
    }

    fn insert<T: 'static>(&mut self, index: usize) -> &mut Option<SharedValue> {
        self.0.insert(index, Entry { id: TypeId::of::<T>(), type_name: type_name::<T>(), value: None });
        &mut self.0[index].value
    }

    /// Replaces a value in its allocation, if no other handle to it exists. Returns the replaced value, or `value` as
    /// an error.
    fn replace_unshared<T: Send + Sync + 'static>(&mut self, value: T) -> Result<T, T> {
        let slot = self.search::<T>().ok().and_then(|index| self.0[index].value.as_mut());
        match slot.and_then(Arc::get_mut).and_then(|current| current.downcast_mut()) {
            Some(current) => Ok(mem::replace(current, value)),
            None => Err(value),
        }
    }

    /// Replaces the `expected` value in its allocation, if the slot and `expected` are the only handles to it. Returns
    /// the replaced value, or both arguments as an error.
    fn replace_expected<T>(&mut self, mut expected: Arc<T>, value: T) -> Result<T, (Arc<T>, T)>
    where
        T: Send + Sync + 'static,
    {
        let slot = self.search::<T>().ok().map(|index| &mut self.0[index].value);
        let Some(slot) = slot.filter(|slot| ptr_eq(slot.as_ref(), &expected)) else { return Err((expected, value)) };
        *slot = None; // drops a handle, and not the value: `expected` is a handle too
        if let Some(current) = Arc::get_mut(&mut expected) {
            let replaced = mem::replace(current, value);
            *slot = Some(expected);
            return Ok(replaced);
        }
        *slot = Some(Arc::clone(&expected) as SharedValue);
        Err((expected, value))
    }
}

impl<T: Send + Sync + 'static> Lookup<T> {
    /// The result for a type that has an entry with this value.
    #[inline]
    fn of_entry(value: Option<SharedValue>) -> Self {
        match value.and_then(|value| value.downcast().ok()) {
            Some(value) => Self::Value(value),
            None => Self::Removed,
        }
    }
}

/// [`Arc::ptr_eq`] for a slot and a handle with a type.
#[inline]
fn ptr_eq<T>(slot: Option<&SharedValue>, value: &Arc<T>) -> bool {
    slot.is_some_and(|current| ptr::addr_eq(Arc::as_ptr(current), Arc::as_ptr(value)))
}
