//! A value's `Clone`, `Drop` and closures may do whatever they like to contexts while the crate is at work with them.
//!
//! Each act runs at each moment at which code of a user runs inside of a reader or writer, and one moment deeper.

mod actions;
mod hook_points;
mod hooks;

use std::{fmt, panic::catch_unwind, sync::mpsc, thread, time::Duration};

use tower_request_context::{RequestContext, Store};

use self::{
    actions::ACTS,
    hook_points::{MOMENTS, run},
    hooks::{ACT, Meddler, context, current, dropped_as, future_of},
};
use crate::support::User;

const ME: User = User(1);
const OTHER: User = User(2);

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

/// F14 (opentelemetry-rust 3262, 3510, 3738), E1, E7.
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

/// F15 (actix-web 2365).
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
fn what_is_entered_and_read_while_a_value_is_read_is_freed_with_its_last_handle() {
    let other = context(OTHER);
    let weak = other.downgrade();
    context(ME).sync_scope(|| {
        let read = RequestContext::with(|_: &User| other.sync_scope(current));
        assert_eq!(read, Some(Some(OTHER)));
    });
    drop(other);
    assert!(weak.upgrade().is_none());
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

#[test]
fn what_comes_too_late_is_dropped_outside_of_the_lock() {
    /// Looks into its own store when it is dropped.
    #[derive(Clone)]
    struct Looks;

    impl Drop for Looks {
        fn drop(&mut self) {
            _ = RequestContext::contains::<Self>();
            RequestContext::with(|ended: &RequestContext| ended.is_ended());
        }
    }

    without_hanging(|| {
        let ended = tokio_test::block_on(Store::new().run(async { RequestContext::current().unwrap() }));
        RequestContext::new(Store::new().with_value(ended.clone())).sync_scope(|| {
            RequestContext::set(Looks).unwrap();
            let mut runs = 0;
            RequestContext::update(|_: &mut Looks| {
                runs += 1;
                if runs == 1 {
                    RequestContext::set(Looks).unwrap();
                }
            })
            .unwrap();
            assert_eq!(runs, 2);

            let refused = Looks;
            assert!(ended.sync_scope(|| RequestContext::on_end(move |_| drop(refused))).is_err());
        });
    });
}
