//! A value's `Clone`, `Drop` and closures may do whatever they like to contexts while the crate is at work with them.
//!
//! Each act runs at each moment at which code of a user runs inside of a reader or writer, and one moment deeper.

use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::catch_unwind,
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio_test::task;
use tower_request_context::{RequestContext, Store};

use crate::support::User;

const ME: User = User(1);
const OTHER: User = User(2);

thread_local! {
    /// What the next `Clone`, `Drop` or closure of a `Meddler` does.
    static ACT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static ACTED: Cell<u32> = const { Cell::new(0) };
    static SEEN_BY_DROPS: RefCell<Vec<Option<User>>> = const { RefCell::new(Vec::new()) };
}

fn current() -> Option<User> {
    RequestContext::get()
}

fn act() {
    let act = ACT.with(RefCell::take);
    if let Some(act) = act {
        ACTED.set(ACTED.get() + 1);
        act();
    }
}

struct Meddler;

impl Clone for Meddler {
    fn clone(&self) -> Self {
        act();
        Self
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        act();
    }
}

/// Says whose it is when it is dropped.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        SEEN_BY_DROPS.with_borrow_mut(|seen| seen.push(current()));
    }
}

fn context(user: User) -> RequestContext {
    RequestContext::new(Store::new().with_value(user).with_value(0_u32))
}

fn future_of(user: User) -> impl Future<Output = ()> {
    let witness = Witness;
    context(user).scope(async move {
        let _witness = witness;
        std::future::pending::<()>().await;
    })
}

/// Whose the witnesses were that were dropped since it was last asked.
fn dropped_as() -> Vec<Option<User>> {
    SEEN_BY_DROPS.take()
}

type Act = fn();
type Moment = (&'static str, Option<User>, fn());

/// What code of a user may do. Each checks what it sees and leaves the current context as it was.
const ACTS: [(&str, Act); 12] = [
    ("reads", || {
        RequestContext::with(|_: &u32| ());
        _ = RequestContext::get::<u32>();
    }),
    ("sets another type", || _ = RequestContext::set("late")),
    ("sets its own type", || _ = RequestContext::set(Meddler)),
    ("updates", || _ = RequestContext::update(|n: &mut u32| *n += 1)),
    ("prints the context", || assert!(!format!("{:?}", RequestContext::current()).contains("User("))),
    ("enters another context", || {
        context(OTHER).sync_scope(|| assert_eq!(current(), Some(OTHER)));
    }),
    ("enters, leaves and enters again", || {
        context(OTHER).sync_scope(|| {
            RequestContext::sync_exit(|| {
                assert_eq!(current(), None);
                context(User(3)).sync_scope(|| assert_eq!(current(), Some(User(3))));
                assert_eq!(current(), None);
            });
            assert_eq!(current(), Some(OTHER));
        });
    }),
    ("writes in another context", || {
        let other = context(OTHER);
        other.sync_scope(|| {
            RequestContext::set(User(4)).unwrap();
            RequestContext::update(|n: &mut u32| *n += 1).unwrap();
            assert_eq!(current(), Some(User(4)));
        });
    }),
    ("polls another request", || {
        let mut other = task::spawn(context(OTHER).scope(async {
            assert_eq!(current(), Some(OTHER));
            tokio::task::yield_now().await;
        }));
        tokio_test::assert_pending!(other.poll());
    }),
    ("drops another request's future, polled and unpolled", || {
        drop(future_of(OTHER));
        assert_eq!(dropped_as(), [Some(OTHER)]);
        let mut other = task::spawn(future_of(OTHER));
        tokio_test::assert_pending!(other.poll());
        drop(other);
        assert_eq!(dropped_as(), [Some(OTHER)]);
    }),
    ("drops the last handle of another context", || {
        drop(RequestContext::new(Store::new().with_value(OTHER).with_value(Witness)));
        assert_eq!(dropped_as(), [None], "a store's values are dropped in nobody's name");
    }),
    ("panics while it holds another request's future", || {
        let panicked = catch_unwind(|| {
            let _other = future_of(OTHER);
            context(User(3)).sync_scope(|| panic!("in a scope in a meddler"));
        });
        assert!(panicked.is_err());
        assert_eq!(dropped_as(), [Some(OTHER)]);
    }),
];

/// When code of a user runs; each runs `ACT` once, in the context of `ME` unless it says otherwise.
const MOMENTS: [Moment; 14] = [
    ("a seed is cloned", Some(ME), || {
        context_with_seed().sync_scope(|| {
            _ = RequestContext::get::<Meddler>();
        });
    }),
    ("a seed is cloned through a handle", Some(ME), || {
        in_me(|| _ = RequestContext::new(Store::new().with_value(Meddler)).get::<Meddler>());
    }),
    ("an inherited seed is cloned", Some(ME), || {
        context_with_seed().child(Store::new()).sync_scope(|| {
            _ = RequestContext::get::<Meddler>();
        });
    }),
    ("a late value is cloned", Some(ME), || {
        in_me(|| {
            RequestContext::current().unwrap().set(Meddler);
            _ = RequestContext::get::<Meddler>();
        });
    }),
    ("a value is cloned to be updated", Some(ME), || {
        context_with_seed().sync_scope(|| RequestContext::update(|_: &mut Meddler| ()).unwrap());
    }),
    ("a value is updated", Some(ME), || in_me(|| RequestContext::update(|_: &mut u32| act()).unwrap())),
    ("a value is lent", Some(ME), || in_me(|| RequestContext::with(|_: &u32| act()).unwrap())),
    ("a late value is lent", Some(ME), || {
        in_me(|| {
            RequestContext::set('a').unwrap();
            RequestContext::with(|_: &char| act()).unwrap();
        });
    }),
    ("a value is made", Some(ME), || {
        in_me(|| _ = RequestContext::current().unwrap().get_or_insert_with(|| act_and("made")));
    }),
    ("a replaced value is dropped", Some(ME), || {
        in_me(|| {
            RequestContext::set(Meddler).unwrap();
            RequestContext::set(Meddler).unwrap();
        });
    }),
    ("a removed value is dropped", Some(ME), || {
        in_me(|| {
            let me = RequestContext::current().unwrap();
            me.set(Meddler);
            me.remove::<Meddler>();
        });
    }),
    ("a value that is not wanted is dropped", Some(ME), || {
        in_me(|| {
            let me = RequestContext::current().unwrap();
            me.set(Meddler);
            me.set_if_absent(Meddler);
        });
    }),
    ("the store is dropped", None, || in_me(|| drop(RequestContext::new(Store::new().with_value(Meddler))))),
    ("the store is dropped with late values", None, || {
        in_me(|| {
            let context = RequestContext::new(Store::new());
            context.set(Meddler);
            drop(context);
        });
    }),
];

fn context_with_seed() -> RequestContext {
    context(ME).child(Store::new().with_value(Meddler))
}

fn in_me(f: impl FnOnce()) {
    context(ME).sync_scope(f);
}

fn act_and<T>(value: T) -> T {
    act();
    value
}

/// Runs an act at a moment, and checks who is current around it.
fn run(moment: Moment, deed: impl FnOnce() + 'static) {
    let (name, expected, reach) = moment;
    let before = current();
    let acted = ACTED.get();
    ACT.set(Some(Box::new(move || {
        assert_eq!(current(), expected, "when {name}");
        deed();
        assert_eq!(current(), expected, "after an act, when {name}");
    })));
    reach();
    assert!(ACTED.get() > acted, "nothing ran when {name}");
    assert_eq!(current(), before, "afterwards, when {name}");
}

/// Fails instead of hanging where a deadlock would be.
fn without_hanging(f: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let worker = thread::spawn(move || {
        f();
        done.send(()).unwrap();
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("deadlock"),
        _ => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

#[test]
fn users_code_may_do_anything_at_any_moment() {
    without_hanging(|| {
        for moment in MOMENTS {
            for (_, act) in ACTS {
                run(moment, act);
                ACT.take();
            }
        }
    });
}

#[test]
fn users_code_may_do_anything_at_any_moment_inside_another() {
    without_hanging(|| {
        for outer in MOMENTS {
            for inner in MOMENTS {
                for (_, act) in ACTS {
                    run(outer, move || run(inner, act));
                    ACT.take();
                }
            }
        }
    });
}

#[test]
fn a_panic_at_any_moment_leaves_the_thread_as_it_was() {
    without_hanging(|| {
        for (name, _, reach) in MOMENTS {
            for inside in [false, true] {
                ACT.set(Some(Box::new(|| {
                    let _other = future_of(OTHER);
                    panic!("a meddler's panic");
                })));
                if inside {
                    context(User(9)).sync_scope(|| {
                        _ = catch_unwind(reach);
                        assert_eq!(current(), Some(User(9)), "when {name}");
                    });
                } else {
                    _ = catch_unwind(reach);
                }
                assert_eq!(dropped_as(), [Some(OTHER)], "when {name}");
                assert_eq!(current(), None, "when {name}");
                run(MOMENTS[0], || ());
                ACT.take();
            }
        }
    });
}

#[test]
fn a_lock_that_a_panic_passed_by_still_serves() {
    let context = RequestContext::new(Store::new().with_value(1_u32));
    context.set(Meddler);
    ACT.set(Some(Box::new(|| panic!("in clone"))));
    assert!(catch_unwind(|| context.get::<Meddler>()).is_err());
    assert!(catch_unwind(|| context.update(|_: &mut u32| panic!("in update"))).is_err());
    context.set(2_u32);
    assert_eq!(context.get::<u32>(), Some(2));
    assert!(context.get::<Meddler>().is_some());
}

#[test]
fn values_are_never_asked_to_print_themselves() {
    struct Secret;

    impl fmt::Debug for Secret {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a value was printed")
        }
    }

    let context = RequestContext::new(Store::new().with_value(Secret));
    context.set(Some(Secret));
    let printed = format!("{context:?} {:?} {:?}", context.downgrade(), context.scope(Secret));
    assert_eq!(printed.matches("Option<it::reentrancy::").count(), 3, "{printed}");
}
