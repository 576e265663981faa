//! What is printed of a store: the names of its types, never a value.

use std::{any::TypeId, collections::HashSet, fmt};

use super::Store;

impl Store {
    /// The names of the types that `get` finds, sorted.
    pub(crate) fn type_names(&self) -> Vec<&'static str> {
        let mut decided = HashSet::<TypeId>::new();
        let mut names = Vec::new();
        let mut next = Some(self);
        while let Some(store) = next {
            let parts = store.lazy.get();
            let shared = parts.map(|parts| parts.shared.types()).into_iter().flatten();
            let initial = store.initial.types().chain(parts.into_iter().flat_map(|parts| parts.overflow.types()));
            for (id, name) in shared.chain(initial.map(|(id, name)| (id, Some(name)))) {
                if decided.insert(id) {
                    names.extend(name);
                }
            }
            next = store.parent.as_deref();
        }
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_types(f, "Store", self)
    }
}

/// Prints the names of a store's types under the name of what holds it.
pub(crate) fn fmt_types(f: &mut fmt::Formatter<'_>, holder: &str, store: &Store) -> fmt::Result {
    struct Names(Vec<&'static str>);

    impl fmt::Debug for Names {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut set = f.debug_set();
            for name in &self.0 {
                set.entry(&format_args!("{name}"));
            }
            set.finish()
        }
    }

    f.debug_struct(holder).field("values", &Names(store.type_names())).finish()
}
