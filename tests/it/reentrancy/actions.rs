//! Actions of user code.

use std::panic::catch_unwind;

use tokio_test::task;
use tower_request_context::{RequestContext, Store};

use super::{
    OTHER,
    hooks::{DropProbe, Hooked, context, current, pending_future, users_at_drop},
};
use crate::support::User;

pub(super) type Action = fn();

/// Each action checks what it sees and restores the current context.
pub(super) const ACTIONS: [(&str, Action); 12] = [
    ("reads", || {
        RequestContext::with(|_: &u32| ());
        _ = RequestContext::get::<u32>();
    }),
    ("sets another type", || _ = RequestContext::set("set later")),
    ("sets its own type", || _ = RequestContext::set(Hooked)),
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
        drop(pending_future(OTHER));
        assert_eq!(users_at_drop(), [Some(OTHER)]);
        let mut other = task::spawn(pending_future(OTHER));
        tokio_test::assert_pending!(other.poll());
        drop(other);
        assert_eq!(users_at_drop(), [Some(OTHER)]);
    }),
    ("drops the last handle of another context", || {
        drop(RequestContext::new(Store::new().with_value(OTHER).with_value(DropProbe)));
        assert_eq!(users_at_drop(), [None], "values are dropped outside any context");
    }),
    ("panics while it holds another request's future", || {
        let panicked = catch_unwind(|| {
            let _other = pending_future(OTHER);
            context(User(3)).sync_scope(|| panic!("in a scope in a hook"));
        });
        assert!(panicked.is_err());
        assert_eq!(users_at_drop(), [Some(OTHER)]);
    }),
];
