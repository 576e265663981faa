//! Creates, keeps and releases contexts.

use tower_request_context::{RequestContext, Store};

use super::{
    callback::register_initial_callbacks,
    machine::{Mark, count, expect_eq, machine},
    on_enter::register_closures,
    program::{At, InitialStore, Pick},
    reference::{Id, Role},
    value::of_kind,
};

pub(super) type Handle = (Id, RequestContext);

pub(super) fn make_context(
    initial_store: &InitialStore,
    parent: Option<Id>,
    call: impl FnOnce(Store) -> RequestContext,
) {
    count("contexts made");
    let id = machine(|machine| machine.model.add(Role::Scoped, parent));
    let context = call(new_store(id, initial_store));
    machine(|machine| {
        machine.weak.insert(id, context.downgrade());
        machine.handles.push((id, context));
    });
}

/// Creates a store that is not shared yet, in the crate and in the model.
pub(super) fn new_store(id: Id, initial_store: &InitialStore) -> Store {
    let mut store = Store::new();
    fill_store(&mut store, id, initial_store);
    store
}

pub(super) fn fill_store(store: &mut Store, id: Id, initial_store: &InitialStore) {
    store.insert(Mark(id));
    for (kind, hooks) in &initial_store.values {
        let (content, replaced) = machine(|machine| {
            let content = machine.model.new_content();
            (content, machine.model.nodes[id].initial_values[*kind].replace(content))
        });
        let returned = of_kind!(*kind, V => store.insert(V::new(content, Some(id), hooks)).map(V::into_content));
        expect_eq(returned, replaced, || format!("the replaced initial value {kind} of {id}"));
    }
    register_closures(store, id, initial_store);
    register_initial_callbacks(store, id, initial_store);
}

pub(super) fn picked(pick: Pick) -> Option<Handle> {
    machine(|machine| {
        let count = machine.handles.len();
        (count > 0).then(|| machine.handles[usize::from(pick) % count].clone())
    })
}

/// Calls `f` with the picked handle, or with `None` for the current context. Does nothing if there are no handles.
pub(super) fn resolved(at: At, f: impl FnOnce(Option<&Handle>)) {
    match at {
        At::Current => f(None),
        At::Handle(pick) => {
            if let Some(handle) = picked(pick) {
                f(Some(&handle));
            }
        }
    }
}

/// Like [`resolved`], for operations that need a handle.
pub(super) fn with_handle(at: At, f: impl FnOnce(&Handle)) {
    let handle = match at {
        At::Handle(pick) => picked(pick),
        At::Current => machine(|machine| machine.model.current()).zip(RequestContext::current()),
    };
    if let Some(handle) = handle {
        f(&handle);
    }
}

/// Keeps a handle to the current context, unless there is one.
pub(super) fn keep_current() {
    let current = machine(|machine| machine.model.current()).zip(RequestContext::current());
    machine(|machine| {
        let is_kept = |id| machine.handles.iter().any(|(kept, _)| *kept == id);
        if let Some((id, context)) = current.filter(|(id, _)| !is_kept(*id)) {
            machine.handles.push((id, context));
        }
    });
}

pub(super) fn release(pick: Pick) {
    let released = machine(|machine| {
        let count = machine.handles.len();
        (count > 0).then(|| machine.handles.swap_remove(usize::from(pick) % count))
    });
    drop(released);
}
