//! The values a store was seeded with: written by its one owner, frozen once it is shared.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    iter,
    mem::{self, ManuallyDrop},
};

use super::type_key::{BuildTypeHasher, TypeKey};

/// So many values stand in the list; those that come after stand in the map.
const MAX_LISTED: usize = 8;

/// A short list, newest first.
///
/// Most requests carry fewer than five values. A list of boxed nodes costs them one allocation a value and a read of
/// the first a handful of instructions. It is [taken](Self::take) apart by the drop of its store and by nothing else.
#[derive(Default)]
pub(super) struct InitialValues(ManuallyDrop<Option<Box<Node>>>);

/// The values that found no place in the list: a read among hundreds takes no longer than one among ten.
#[derive(Default)]
pub(super) struct InitialOverflow(HashMap<TypeId, Box<Node>, BuildTypeHasher>);

pub(super) struct Node<T: ?Sized = dyn Any + Send + Sync> {
    key: TypeKey,
    /// A function and not its result, which takes twice the room.
    type_name: fn() -> &'static str,
    next: Option<Box<Node>>,
    value: T,
}

impl InitialValues {
    pub(super) const fn new() -> Self {
        Self(ManuallyDrop::new(None))
    }

    /// As [`get`](Self::get), but what stands behind a type with the same key is not found.
    #[inline]
    pub(super) fn first<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let key = TypeKey::of::<T>();
        let mut next = &*self.0;
        while let Some(node) = next {
            if node.key == key {
                return node.value.downcast_ref();
            }
            next = &node.next;
        }
        None
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let key = TypeKey::of::<T>();
        let mut next = &*self.0;
        while let Some(node) = next {
            if node.key == key {
                if let Some(value) = node.value.downcast_ref() {
                    return Some(value);
                }
            }
            next = &node.next;
        }
        None
    }

    /// Puts a value in and gives back the one that it replaces; `Err` if there is no place for one more.
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Result<Option<T>, T> {
        let key = TypeKey::of::<T>();
        let mut listed = 0;
        let mut next = &mut *self.0;
        while let Some(node) = next {
            if node.key == key {
                if let Some(held) = node.value.downcast_mut() {
                    return Ok(Some(mem::replace(held, value)));
                }
            }
            listed += 1;
            next = &mut node.next;
        }
        if listed == MAX_LISTED {
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

    /// Frees the values, none of which runs code for that.
    #[inline]
    pub(super) fn free(&mut self) {
        drop(self.0.take());
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
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

    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        if let Some(held) = self.0.get_mut(&TypeId::of::<T>()).and_then(|node| node.value.downcast_mut()) {
            return Some(mem::replace(held, value));
        }
        self.0.insert(TypeId::of::<T>(), Node::boxed(value, None));
        None
    }

    /// The type of each value, with its name.
    pub(super) fn types(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        self.0.values().map(|node| node.type_of_value())
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
    pub(super) fn take(self) -> impl Iterator<Item = Box<Node>> {
        self.0.into_values()
    }
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
