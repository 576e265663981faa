//! The places where readers, writers and stores run user code.

use tower_request_context::{RequestContext, Store};

use super::{
    USER,
    hooks::{HOOK, HOOK_RUNS, Hooked, context, current, run_hook},
};
use crate::support::User;

/// Name, the user that is current, and a function that runs user code there.
pub(super) type HookPoint = (&'static str, Option<User>, fn());

/// Each function runs the hook.
pub(super) const HOOK_POINTS: [HookPoint; 14] = [
    ("an initial value is cloned", Some(USER), || {
        context_with_initial_value().sync_scope(|| {
            _ = RequestContext::get::<Hooked>();
        });
    }),
    ("an initial value is cloned through a handle", Some(USER), || {
        in_context(|| _ = RequestContext::new(Store::new().with_value(Hooked)).get::<Hooked>());
    }),
    ("an inherited initial value is cloned", Some(USER), || {
        context_with_initial_value().child(Store::new()).sync_scope(|| {
            _ = RequestContext::get::<Hooked>();
        });
    }),
    ("a value set later is cloned", Some(USER), || {
        in_context(|| {
            RequestContext::current().unwrap().set(Hooked);
            _ = RequestContext::get::<Hooked>();
        });
    }),
    ("a value is cloned to be updated", Some(USER), || {
        context_with_initial_value().sync_scope(|| RequestContext::update(|_: &mut Hooked| ()).unwrap());
    }),
    ("a value is updated", Some(USER), || in_context(|| RequestContext::update(|_: &mut u32| run_hook()).unwrap())),
    ("a value is borrowed", Some(USER), || in_context(|| RequestContext::with(|_: &u32| run_hook()).unwrap())),
    ("a value set later is borrowed", Some(USER), || {
        in_context(|| {
            RequestContext::set('a').unwrap();
            RequestContext::with(|_: &char| run_hook()).unwrap();
        });
    }),
    ("a value is created", Some(USER), || {
        in_context(|| _ = RequestContext::current().unwrap().get_or_insert_with(|| run_hook_then("created")));
    }),
    ("a replaced value is dropped", Some(USER), || {
        in_context(|| {
            RequestContext::set(Hooked).unwrap();
            RequestContext::set(Hooked).unwrap();
        });
    }),
    ("a removed value is dropped", Some(USER), || {
        in_context(|| {
            let context = RequestContext::current().unwrap();
            context.set(Hooked);
            context.remove::<Hooked>();
        });
    }),
    ("a rejected value is dropped", Some(USER), || {
        in_context(|| {
            let context = RequestContext::current().unwrap();
            context.set(Hooked);
            context.set_if_absent(Hooked);
        });
    }),
    ("the store is dropped", None, || in_context(|| drop(RequestContext::new(Store::new().with_value(Hooked))))),
    ("the store is dropped with values set later", None, || {
        in_context(|| {
            let context = RequestContext::new(Store::new());
            context.set(Hooked);
            drop(context);
        });
    }),
];

fn context_with_initial_value() -> RequestContext {
    context(USER).child(Store::new().with_value(Hooked))
}

fn in_context(f: impl FnOnce()) {
    context(USER).sync_scope(f);
}

fn run_hook_then<T>(value: T) -> T {
    run_hook();
    value
}

/// Runs an action at a hook point, and checks the current user before, during and after it.
pub(super) fn run(hook_point: HookPoint, action: impl FnOnce() + 'static) {
    let (name, expected, trigger) = hook_point;
    let before = current();
    let hook_runs = HOOK_RUNS.get();
    HOOK.set(Some(Box::new(move || {
        assert_eq!(current(), expected, "while {name}");
        action();
        assert_eq!(current(), expected, "after the action, while {name}");
    })));
    trigger();
    assert!(HOOK_RUNS.get() > hook_runs, "no hook ran while {name}");
    assert_eq!(current(), before, "afterwards, while {name}");
}
