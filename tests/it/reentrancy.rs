//! User code (`Clone`, `Drop` and closures) may use contexts while the crate runs it.
//!
//! Each action runs at each hook point, where a read or a write runs user code, and at each hook point inside another.

mod actions;
mod hook_points;
mod hooks;

use std::{fmt, panic::catch_unwind, sync::mpsc, thread, time::Duration};

use tower_request_context::{RequestContext, Store};

use self::{
    actions::ACTIONS,
    hook_points::{HOOK_POINTS, run},
    hooks::{HOOK, Hooked, context, current, pending_future, users_at_drop},
};
use crate::support::User;

const USER: User = User(1);
const OTHER: User = User(2);

/// Runs `f` on another thread and fails if it does not return, as in a deadlock.
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

/// F14 (opentelemetry-rust 3262, 3510, 3738), E1, E7.
#[test]
fn user_code_may_use_contexts_at_each_hook_point() {
    without_hanging(|| {
        for hook_point in HOOK_POINTS {
            for (_, action) in ACTIONS {
                run(hook_point, action);
                HOOK.take();
            }
        }
    });
}

#[test]
fn user_code_may_use_contexts_at_nested_hook_points() {
    without_hanging(|| {
        for outer in HOOK_POINTS {
            for inner in HOOK_POINTS {
                for (_, action) in ACTIONS {
                    run(outer, move || run(inner, action));
                    HOOK.take();
                }
            }
        }
    });
}

#[test]
fn panic_at_a_hook_point_restores_the_thread() {
    without_hanging(|| {
        for (name, _, trigger) in HOOK_POINTS {
            for inside in [false, true] {
                HOOK.set(Some(Box::new(|| {
                    let _other = pending_future(OTHER);
                    panic!("in a hook");
                })));
                if inside {
                    context(User(9)).sync_scope(|| {
                        _ = catch_unwind(trigger);
                        assert_eq!(current(), Some(User(9)), "while {name}");
                    });
                } else {
                    _ = catch_unwind(trigger);
                }
                assert_eq!(users_at_drop(), [Some(OTHER)], "while {name}");
                assert_eq!(current(), None, "while {name}");
                run(HOOK_POINTS[0], || ());
                HOOK.take();
            }
        }
    });
}

/// F15 (actix-web 2365).
#[test]
fn values_can_be_set_and_read_after_a_panic_in_user_code() {
    let context = RequestContext::new(Store::new().with_value(1_u32));
    context.set(Hooked);
    HOOK.set(Some(Box::new(|| panic!("in clone"))));
    assert!(catch_unwind(|| context.get::<Hooked>()).is_err());
    assert!(catch_unwind(|| context.update(|_: &mut u32| panic!("in update"))).is_err());
    context.set(2_u32);
    assert_eq!(context.get::<u32>(), Some(2));
    assert!(context.get::<Hooked>().is_some());
}

#[test]
fn context_entered_during_a_read_is_freed() {
    let other = context(OTHER);
    let weak = other.downgrade();
    context(USER).sync_scope(|| {
        let read = RequestContext::with(|_: &User| other.sync_scope(current));
        assert_eq!(read, Some(Some(OTHER)));
    });
    drop(other);
    assert!(weak.upgrade().is_none());
}

#[test]
fn debug_does_not_format_values() {
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

#[test]
fn rejected_values_are_dropped_outside_the_lock() {
    /// Reads the current store in its drop.
    #[derive(Clone)]
    struct ReadsInDrop;

    impl Drop for ReadsInDrop {
        fn drop(&mut self) {
            _ = RequestContext::contains::<Self>();
            RequestContext::with(|ended: &RequestContext| ended.is_ended());
        }
    }

    without_hanging(|| {
        let ended = tokio_test::block_on(Store::new().run(async { RequestContext::current().unwrap() }));
        RequestContext::new(Store::new().with_value(ended.clone())).sync_scope(|| {
            RequestContext::set(ReadsInDrop).unwrap();
            let mut runs = 0;
            RequestContext::update(|_: &mut ReadsInDrop| {
                runs += 1;
                if runs == 1 {
                    RequestContext::set(ReadsInDrop).unwrap();
                }
            })
            .unwrap();
            assert_eq!(runs, 2);

            let rejected = ReadsInDrop;
            assert!(ended.sync_scope(|| RequestContext::on_end(move |_| drop(rejected))).is_err());
        });
    });
}
