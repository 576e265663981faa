//! Values of a store, keyed by type.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tower_request_context::{RequestContext, Store};

#[derive(Clone, Debug, PartialEq)]
struct Name(&'static str);

/// Twenty types, more than the inline list of initial values holds.
#[derive(Clone, Debug, PartialEq)]
struct Numbered<const N: usize>(usize);

macro_rules! for_twenty {
    ($do:ident) => {
        $do!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)
    };
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn values_of_different_types_are_independent() {
    let store = Store::new().with_value(Name("initial")).with_value(7_u8).with_value(7_u16);
    assert_eq!(store.get(), Some(Name("initial")));
    assert_eq!(store.get(), Some(7_u8));
    assert_eq!(store.get(), Some(7_u16));
    assert_eq!(store.get::<u32>(), None);
}

#[test]
fn twenty_values_are_read_replaced_and_listed() {
    let mut store = Store::new();
    macro_rules! check {
        ($($n:literal),*) => {
            $(assert_eq!(store.insert(Numbered::<$n>($n)), None);)*
            $(assert_eq!(store.get(), Some(Numbered::<$n>($n)));)*
            $(assert_eq!(store.insert(Numbered::<$n>(100 + $n)), Some(Numbered::<$n>($n)));)*
            $(assert_eq!(store.get(), Some(Numbered::<$n>(100 + $n)));)*
            $(assert!(format!("{store:?}").contains(concat!("Numbered<", $n, ">")));)*
        };
    }
    for_twenty!(check);
    assert!(!store.contains::<Numbered<20>>());
}

#[test]
fn every_value_is_dropped_once_despite_panics() {
    struct Panics<const N: usize> {
        _counted: Counted,
    }

    impl<const N: usize> Drop for Panics<N> {
        fn drop(&mut self) {
            panic!("value {N} panics in its drop");
        }
    }

    let drops = Arc::new(AtomicUsize::new(0));
    let mut store = Store::new();
    macro_rules! fill {
        ($($n:literal),*) => {
            $(store.insert(Panics::<$n> { _counted: Counted(drops.clone()) });)*
            $(store.set(Panics::<{ 100 + $n }> { _counted: Counted(drops.clone()) });)*
        };
    }
    for_twenty!(fill);
    drop(store);
    assert_eq!(drops.load(Ordering::SeqCst), 40);
}

#[test]
fn panicking_panic_payload_does_not_stop_other_drops() {
    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("in the drop of the payload");
        }
    }

    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::panic_any(Payload);
        }
    }

    let drops = Arc::default();
    drop(Store::new().with_value(Counted(Arc::clone(&drops))).with_value(Panics));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn values_set_later_are_dropped_before_initial_ones() {
    struct Named<const N: usize>(Arc<Mutex<Vec<usize>>>);

    impl<const N: usize> Drop for Named<N> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(N);
        }
    }

    let drops = Arc::<Mutex<Vec<usize>>>::default();
    let store = Store::new().with_value(Named::<1>(Arc::clone(&drops)));
    store.set(Named::<2>(Arc::clone(&drops)));
    drop(store.with_value(Named::<3>(Arc::clone(&drops))));
    let drops = drops.lock().unwrap();
    assert_eq!((drops.len(), drops[0]), (3, 2), "{drops:?}");
}

#[test]
fn panic_in_a_drop_during_a_panic_does_not_abort() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }

    let unwound = std::panic::catch_unwind(|| {
        let _store = Store::new().with_value(Panics);
        panic!("in the handler");
    });
    assert_eq!(*unwound.unwrap_err().downcast::<&str>().unwrap(), "in the handler");
}

#[test]
fn insert_returns_the_previous_value() {
    let mut store = Store::new().with_value(1_u8);
    store.set(2_u8);
    assert_eq!(store.insert(3_u8), Some(2));
    assert_eq!(store.get::<u8>(), Some(3));

    assert!(store.remove::<u8>());
    assert_eq!(store.insert(4_u8), None);
    assert_eq!(store.get::<u8>(), Some(4));
}

#[test]
fn with_does_not_require_clone() {
    let store = Store::new().with_value(Counted(Arc::default()));
    assert_eq!(store.with(|value: &Counted| value.0.load(Ordering::SeqCst)), Some(0));
    store.set(Counted(Arc::new(AtomicUsize::new(5))));
    assert_eq!(store.with(|value: &Counted| value.0.load(Ordering::SeqCst)), Some(5));
    assert_eq!(store.with(|_: &Name| ()), None);
}

#[test]
fn replaced_values_drop_immediately_and_initial_ones_last() {
    let (initial, replaced, last) = (Arc::default(), Arc::default(), Arc::default());
    let dropped = |count: &Arc<AtomicUsize>| count.load(Ordering::SeqCst);

    let store = Store::new().with_value(Counted(Arc::clone(&initial)));
    store.set(Counted(Arc::clone(&replaced)));
    assert_eq!((dropped(&initial), dropped(&replaced)), (0, 0));
    store.set(Counted(Arc::clone(&last)));
    assert_eq!((dropped(&initial), dropped(&replaced)), (0, 1));
    assert!(store.remove::<Counted>());
    assert_eq!((dropped(&initial), dropped(&last)), (0, 1));
    drop(store);
    assert_eq!((dropped(&initial), dropped(&replaced), dropped(&last)), (1, 1, 1));
}

#[test]
fn set_if_absent_keeps_present_and_fills_removed_values() {
    let parent = RequestContext::new(Store::new().with_value(Name("inherited")));
    let child = parent.child(Store::new().with_value(1_u8));
    assert!(!child.set_if_absent(Name("new")));
    assert!(!child.set_if_absent(2_u8));
    assert!(child.set_if_absent(2_u16));
    assert!(!child.set_if_absent(3_u16));
    assert_eq!((child.get(), child.get(), child.get()), (Some(Name("inherited")), Some(1_u8), Some(2_u16)));

    assert!(child.remove::<Name>());
    assert!(child.set_if_absent(Name("new")));
    assert_eq!((child.get(), parent.get()), (Some(Name("new")), Some(Name("inherited"))));
}

#[test]
fn remove_returns_whether_there_was_a_value() {
    let parent = RequestContext::new(Store::new().with_value(Name("inherited")));
    let child = parent.child(Store::new().with_value(1_u8));
    child.set(2_u16);
    assert!(child.remove::<Name>() && child.remove::<u8>() && child.remove::<u16>());
    assert!(!child.remove::<Name>() && !child.remove::<u8>() && !child.remove::<u16>() && !child.remove::<u32>());
    assert_eq!((child.get::<Name>(), child.get::<u8>(), child.get::<u16>()), (None, None, None));
    assert_eq!(parent.get(), Some(Name("inherited")));
    child.set(3_u8);
    assert_eq!(child.get::<u8>(), Some(3));
}

#[test]
fn child_reads_current_parent_values_and_writes_to_itself() {
    let parent = RequestContext::new(Store::new().with_value(1_u8));
    let child = parent.child(Store::new());
    let grandchild = child.child(Store::new());
    parent.set(2_u8);
    assert_eq!(grandchild.get::<u8>(), Some(2));
    assert_eq!(grandchild.update(|n: &mut u8| *n += 1), Some(()));
    child.set(10_u8);
    assert_eq!((parent.get(), child.get(), grandchild.get()), (Some(2_u8), Some(10_u8), Some(3_u8)));
}

#[test]
fn update_returns_the_closures_result_or_none() {
    let store = Store::new().with_value(1_u8);
    assert_eq!(store.update(|n: &mut u8| std::mem::replace(n, 2)), Some(1));
    assert_eq!(store.update(|n: &mut u8| std::mem::replace(n, 3)), Some(2));
    assert_eq!(store.update(|_: &mut u16| ()), None);
    store.remove::<u8>();
    assert_eq!(store.update(|_: &mut u8| ()), None);
}

#[test]
fn update_runs_again_after_a_concurrent_write() {
    let store = Store::new().with_value(1_u32);
    let mut runs = 0;
    store.update(|n: &mut u32| {
        runs += 1;
        if runs == 1 {
            store.set(10_u32);
        }
        *n += 1;
    });
    assert_eq!((runs, store.get::<u32>()), (2, Some(11)));
}

#[test]
fn concurrent_updates_are_not_lost() {
    let store = Store::new().with_value(0_u32);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..5_000 {
                    store.update(|n: &mut u32| *n += 1);
                }
            });
        }
    });
    assert_eq!(store.get::<u32>(), Some(20_000));
}

#[test]
fn concurrent_inserters_all_see_the_first_value() {
    for _ in 0..200 {
        let store = Store::new();
        let start = Barrier::new(4);
        let seen: Vec<usize> = thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|caller| {
                    let (store, start) = (&store, &start);
                    scope.spawn(move || {
                        start.wait();
                        store.get_or_insert_with(|| caller)
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|value| Some(*value) == store.get()), "{seen:?}");
    }
}

#[test]
fn only_one_concurrent_remove_returns_true() {
    for round in 0..200 {
        let store = Store::new().with_value(round);
        let start = Barrier::new(4);
        let remove = || {
            start.wait();
            store.remove::<i32>()
        };
        let removed = thread::scope(|scope| [(); 4].map(|()| scope.spawn(remove)).map(|it| it.join().unwrap()));
        assert_eq!(removed.into_iter().filter(|removed| *removed).count(), 1, "{removed:?}");
    }
}

#[test]
fn get_or_insert_with_keeps_a_value_set_meanwhile() {
    let store = Store::new();
    let value = store.get_or_insert_with(|| {
        store.set(1_u8);
        2_u8
    });
    assert_eq!((value, store.get::<u8>()), (1, Some(1)));
}

#[test]
fn debug_shows_sorted_type_names_and_no_values() {
    let parent = RequestContext::new(Store::new().with_value("inherited secret").with_value(4711_u64));
    let child = parent.child(Store::new().with_value(4711_u32));
    child.set(4711_u16);
    child.set(47_u8);
    child.remove::<u64>();
    child.remove::<u8>();
    assert_eq!(format!("{child:?}"), "RequestContext { values: {&str, u16, u32} }");
    assert_eq!(format!("{:?}", *child), "Store { values: {&str, u16, u32} }");
    assert_eq!(format!("{:?}", Store::default()), "Store { values: {} }");
}

/// F20.
#[test]
fn long_chain_of_children_does_not_overflow_the_stack() {
    let mut context = RequestContext::new(Store::new().with_value(Name("root")));
    for _ in 0..1_000_000 {
        context = context.child(Store::new());
    }
    assert_eq!(context.get(), Some(Name("root")));
    assert_eq!(format!("{context:?}"), "RequestContext { values: {it::store::Name} }");
    drop(context);
}

#[test]
fn chain_is_dropped_up_to_the_first_held_context() {
    let drops = Arc::default();
    let root = RequestContext::new(Store::new().with_value(Counted(Arc::clone(&drops))));
    let middle = root.child(Store::new().with_value(Counted(Arc::clone(&drops))));
    let leaf = middle.child(Store::new()).child(Store::new());
    drop(middle);
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    drop(leaf);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    drop(root);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}
