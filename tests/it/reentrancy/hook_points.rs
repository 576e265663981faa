//! When code of a user runs.

use tower_request_context::{RequestContext, Store};

use super::{
    ME,
    hooks::{ACT, ACTED, Meddler, act, context, current},
};
use crate::support::User;

/// Its name, whose it is, and how to get there.
pub(super) type Moment = (&'static str, Option<User>, fn());

/// Each runs [`act`](super::hooks::act) at that moment.
pub(super) const MOMENTS: [Moment; 14] = [
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
pub(super) fn run(moment: Moment, deed: impl FnOnce() + 'static) {
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
