//! A type as a number: what the lists, maps and filters of a store are keyed by.

use std::{
    any::TypeId,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher},
};

/// Builds hashers for maps keyed by `TypeId`, which is a hash already.
pub(super) type BuildTypeHasher = BuildHasherDefault<TypeHasher>;

/// Half of a type's id: enough to tell most types apart, cheap to compare and a constant after inlining.
///
/// Two types may share a key, so whoever finds a key still asks `Any` for the type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeKey(u64);

impl TypeKey {
    #[inline]
    pub(super) fn of<T: 'static>() -> Self {
        let mut hasher = TypeHasher::default();
        TypeId::of::<T>().hash(&mut hasher);
        Self(hasher.finish())
    }

    /// One bit of sixty-four, for a filter over types.
    #[inline]
    pub(super) fn bit(self) -> u64 {
        1 << (self.0 % 64)
    }
}

/// Hands on the 64 bits that `TypeId` feeds to a hasher.
#[derive(Default)]
pub(super) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    #[inline]
    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    // `TypeId` promises to implement `Hash`, not to call `write_u64`.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = BuildHasherDefault::<DefaultHasher>::default().hash_one((self.0, bytes));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
