//! A number for each type: the key of the list of initial values and of the write filter.

use std::{
    any::TypeId,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher},
};

/// Builds hashers for maps keyed by `TypeId`, which is a hash already.
pub(super) type BuildTypeHasher = BuildHasherDefault<TypeHasher>;

/// Half of a type's id. It is cheap to compare, and a constant after inlining.
///
/// Two types may have the same key, so code that finds a key also checks the type with `Any`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeKey(u64);

impl TypeKey {
    #[inline]
    pub(super) fn of<T: 'static>() -> Self {
        let mut hasher = TypeHasher::default();
        TypeId::of::<T>().hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns one bit of 64, for a filter of types.
    #[inline]
    pub(super) fn bit(self) -> u64 {
        1 << (self.0 % 64)
    }
}

/// Returns the 64 bits that a `TypeId` writes to its hasher.
#[derive(Default)]
pub(super) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    #[inline]
    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    // `TypeId` implements `Hash`, but does not guarantee that it calls `write_u64`.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = BuildHasherDefault::<DefaultHasher>::default().hash_one((self.0, bytes));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
