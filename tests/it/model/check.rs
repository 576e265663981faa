//! Compares all reads with the model.

use std::any::type_name;

use tower_request_context::{ContextError, RequestContext, Store};

use super::{
    machine::{Mark, expect_eq, machine, with_hooks_disabled},
    program::{KINDS, Kind},
    reference::{Content, Id},
    value::of_kind,
};

/// Checks the current context, and each context that the program has a handle to.
pub(super) fn check() {
    with_hooks_disabled(|| {
        let (current, handles) = machine(|machine| (machine.model.current(), machine.handles.clone()));
        expect_eq(RequestContext::is_active(), current.is_some(), || String::from("whether a context is current"));
        expect_eq(RequestContext::get().map(|Mark(id)| id), current, || String::from("which context is current"));
        for kind in 0..KINDS {
            let expected = current.and_then(|id| machine(|machine| machine.model.read(id, kind)));
            let error = if current.is_some() { "missing" } else { "inactive" };
            let expected = (expected.is_some(), expected, expected, expected.ok_or(error));
            expect_eq(read_current(kind), expected, || format!("value {kind} of the current context, {current:?}"));
        }
        for (id, context) in &handles {
            check_context(*id, context);
        }
    });
}

fn check_context(id: Id, context: &RequestContext) {
    let mut names = vec![type_name::<Mark>()];
    for kind in 0..KINDS {
        let expected = machine(|machine| machine.model.read(id, kind));
        if expected.is_some() {
            names.push(of_kind!(kind, V => type_name::<V>()));
        }
        expect_eq(read(context, kind), (expected.is_some(), expected, expected), || format!("value {kind} of {id}"));
    }
    names.sort_unstable();
    let printed = format!("RequestContext {{ values: {{{}}} }}", names.join(", "));
    expect_eq(format!("{context:?}"), printed, || format!("Debug of {id}"));
    let is_ended = machine(|machine| machine.model.is_ended(id));
    expect_eq(context.is_ended(), is_ended, || format!("whether {id} has ended"));
}

fn read(store: &Store, kind: Kind) -> (bool, Option<Content>, Option<Content>) {
    of_kind!(kind, V => {
        let cloned = store.get::<V>().map(|value| value.content);
        (store.contains::<V>(), cloned, store.with(|value: &V| value.content))
    })
}

type Reads = (bool, Option<Content>, Option<Content>, Result<Content, &'static str>);

fn read_current(kind: Kind) -> Reads {
    of_kind!(kind, V => {
        let cloned = RequestContext::get::<V>().map(|value| value.content);
        let borrowed = RequestContext::with(|value: &V| value.content);
        let try_result = RequestContext::try_get::<V>().map(|value| value.content).map_err(|error| match error {
            ContextError::NoContext => "inactive",
            _ => "missing",
        });
        (RequestContext::contains::<V>(), cloned, borrowed, try_result)
    })
}
