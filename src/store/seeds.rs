//! The values a store was seeded with: written by its one owner, frozen once it is shared.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    mem,
};

use super::type_key::{BuildTypeHasher, TypeKey};

/// So many values stand in the list; those that come after stand in the map.
const LISTED: usize = 8;

/// A short list, newest first, and a map for what comes after.
///
/// Most requests carry fewer than five values. A list of boxed nodes costs them one allocation a value and a read of
/// the first a handful of instructions; the map keeps a read among hundreds flat.
#[derive(Default)]
pub(super) struct Seeds {
    list: Option<Box<Node>>,
    rest: Option<Box<Rest>>,
}

/// Boxed, since few stores have one.
#[derive(Default)]
struct Rest {
    by_type: HashMap<TypeId, Box<Node>, BuildTypeHasher>,
}

pub(super) struct Node<T: ?Sized = dyn Any + Send + Sync> {
    key: TypeKey,
    type_name: &'static str,
    next: Option<Box<Node>>,
    value: T,
}

impl Seeds {
    pub(super) const fn new() -> Self {
        Self { list: None, rest: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        // The list is filled first and nothing is ever taken out.
        self.list.is_none()
    }

    #[inline]
    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let key = TypeKey::of::<T>();
        let mut next = &self.list;
        while let Some(node) = next {
            if node.key == key {
                if let Some(value) = node.value.downcast_ref() {
                    return Some(value);
                }
            }
            next = &node.next;
        }
        self.rest.as_ref()?.by_type.get(&TypeId::of::<T>())?.value.downcast_ref()
    }

    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        if let Some(held) = self.get_mut() {
            return Some(mem::replace(held, value));
        }
        let mut node = Box::new(Node { key: TypeKey::of::<T>(), type_name: type_name::<T>(), next: None, value });
        if self.listed().count() < LISTED {
            node.next = self.list.take();
            self.list = Some(node);
        } else {
            self.rest.get_or_insert_default().by_type.insert(TypeId::of::<T>(), node);
        }
        None
    }

    /// The type of each value, with its name.
    pub(super) fn types(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        let rest = self.rest.iter().flat_map(|rest| rest.by_type.values());
        self.listed().chain(rest.map(|node| &**node)).map(|node| (node.value.type_id(), node.type_name))
    }

    /// Takes the values out one by one, so that the drop of each is a step of its own.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Box<Node>> {
        let mut list = self.list.take();
        let listed = std::iter::from_fn(move || {
            let mut node = list.take()?;
            list = node.next.take();
            Some(node)
        });
        listed.chain(self.rest.take().into_iter().flat_map(|rest| rest.by_type.into_values()))
    }

    fn get_mut<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        let key = TypeKey::of::<T>();
        let mut next = &mut self.list;
        while let Some(node) = next {
            if node.key == key && node.value.is::<T>() {
                return node.value.downcast_mut();
            }
            next = &mut node.next;
        }
        self.rest.as_mut()?.by_type.get_mut(&TypeId::of::<T>())?.value.downcast_mut()
    }

    fn listed(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.list.as_deref(), |node| node.next.as_deref())
    }
}
