//! The `Debug` output of a store: the names of its types, and no value.

use std::{any::TypeId, collections::HashSet, fmt};

use super::Store;

impl Store {
    /// Returns the names of the types of which `get` finds a value, sorted.
    pub(crate) fn type_names(&self) -> Vec<&'static str> {
        let mut seen = HashSet::<TypeId>::new();
        let mut names = Vec::new();
        // The nearest store first, and in each store the values set after sharing first. The first entry of a type
        // counts, also if it says that the value was removed.
        for store in self.ancestors() {
            let parts = store.lazy.get();
            let shared = parts.map(|parts| parts.shared.types()).into_iter().flatten();
            let initial = store.initial.types().chain(parts.into_iter().flat_map(|parts| parts.overflow.types()));
            for (id, name) in shared.chain(initial.map(|(id, name)| (id, Some(name)))) {
                if seen.insert(id) {
                    names.extend(name);
                }
            }
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

/// Formats the type names of a store as the field `values` of a struct called `name`.
pub(crate) fn fmt_types(f: &mut fmt::Formatter<'_>, name: &str, store: &Store) -> fmt::Result {
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

    f.debug_struct(name).field("values", &Names(store.type_names())).finish()
}
