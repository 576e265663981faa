//! The initial values of a store. Only `&mut Store` inserts them, so they never change after the store is shared.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    iter,
    mem::{self, ManuallyDrop},
};

use super::type_key::{BuildTypeHasher, TypeKey};

/// How many values the list holds. Further values go into the map.
const MAX_LIST_LENGTH: usize = 8;

/// The first initial values of a store, in a linked list, latest first.
///
/// Most requests have fewer than five values. In a list of boxed nodes each value takes one allocation, and reading the
/// latest takes a few instructions. The drop of the store [takes](Self::take) or [frees](Self::free) the list.
#[derive(Default)]
pub(super) struct InitialValues(ManuallyDrop<Option<Box<Node>>>);

/// Initial values beyond the length of the list, in a map, so that a read among hundreds of values stays fast.
#[derive(Default)]
pub(super) struct InitialOverflow(HashMap<TypeId, Box<Node>, BuildTypeHasher>);

pub(super) struct Node<T: ?Sized = dyn Any + Send + Sync> {
    key: TypeKey,
    /// The function, not the name that it returns: a function pointer is half the size of a `&str`.
    type_name: fn() -> &'static str,
    next: Option<Box<Node>>,
    value: T,
}

impl InitialValues {
    pub(super) const fn new() -> Self {
        Self(ManuallyDrop::new(None))
    }

    /// Does the same as [`get`](Self::get), but looks only at the first node with the key of the type. If that node
    /// holds another type, the function returns `None`, even if a later node holds the value. `get` continues the
    /// search after that node. This function does not, which saves instructions in most reads.
    #[inline]
    pub(super) fn get_fast<T: Send + Sync + 'static>(&self) -> Option<&T> {
        find(self.0.as_deref(), TypeKey::of::<T>())?.value.downcast_ref()
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let mut next = self.0.as_deref();
        while let Some(node) = find(next, TypeKey::of::<T>()) {
            if let Some(value) = node.value.downcast_ref() {
                return Some(value);
            }
            next = node.next.as_deref();
        }
        None
    }

    /// Inserts a value and returns the value that it replaces. Returns the value as an error if the list is full.
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Result<Option<T>, T> {
        let key = TypeKey::of::<T>();
        let mut length = 0;
        let mut next = &mut *self.0;
        while let Some(node) = next {
            if node.key == key {
                if let Some(existing) = node.value.downcast_mut() {
                    return Ok(Some(mem::replace(existing, value)));
                }
            }
            length += 1;
            next = &mut node.next;
        }
        if length == MAX_LIST_LENGTH {
            return Err(value);
        }
        let next = self.0.take();
        self.0 = ManuallyDrop::new(Some(Node::boxed(value, next)));
        Ok(None)
    }

    /// The type of each value, with its name.
    pub(super) fn types(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        iter::successors(self.0.as_deref(), |node| node.next.as_deref()).map(Node::type_of_value)
    }

    /// Drops all values together. Only for values that have no destructor.
    #[inline]
    pub(super) fn free(&mut self) {
        drop(self.0.take());
    }

    /// Takes the values out one by one, so that a panic in the drop of one does not affect the others.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Box<Node>> {
        let mut list = self.0.take();
        iter::from_fn(move || {
            let mut node = list.take()?;
            list = node.next.take();
            Some(node)
        })
    }
}

impl InitialOverflow {
    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.value.downcast_ref()
    }

    /// Inserts a value and returns the value that it replaces.
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        if let Some(existing) = self.0.get_mut(&TypeId::of::<T>()).and_then(|node| node.value.downcast_mut()) {
            return Some(mem::replace(existing, value));
        }
        self.0.insert(TypeId::of::<T>(), Node::boxed(value, None));
        None
    }

    /// The type of each value, with its name.
    pub(super) fn types(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        self.0.values().map(|node| node.type_of_value())
    }

    /// Takes the values out one by one, so that a panic in the drop of one does not affect the others.
    pub(super) fn take(self) -> impl Iterator<Item = Box<Node>> {
        self.0.into_values()
    }
}

/// Returns the first node with this key, from `next` on.
#[inline]
fn find(mut next: Option<&Node>, key: TypeKey) -> Option<&Node> {
    while let Some(node) = next {
        if node.key == key {
            return Some(node);
        }
        next = node.next.as_deref();
    }
    None
}

impl<T: Send + Sync + 'static> Node<T> {
    fn boxed(value: T, next: Option<Box<Node>>) -> Box<Node> {
        Box::new(Self { key: TypeKey::of::<T>(), type_name: type_name::<T>, next, value })
    }
}

impl Node {
    fn type_of_value(&self) -> (TypeId, &'static str) {
        (self.value.type_id(), (self.type_name)())
    }
}
