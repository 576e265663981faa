//! Contexts that are made, kept and let go.

use tower_request_context::{RequestContext, Store};

use super::{
    callback::seed_callbacks,
    machine::{Mark, expect, hit, machine},
    plain::{Id, Role},
    program::{At, Pick, Seeds},
    value::of_kind,
};

pub(super) type Handle = (Id, RequestContext);

pub(super) fn make(seeds: &Seeds, parent: Option<Id>, really: impl FnOnce(Store) -> RequestContext) {
    hit("contexts made");
    let id = machine(|machine| machine.model.add(Role::Scoped, parent));
    let context = really(seeded(id, seeds));
    machine(|machine| {
        machine.weak.insert(id, context.downgrade());
        machine.handles.push((id, context));
    });
}

/// A store that is in no context yet, in the model too.
pub(super) fn seeded(id: Id, seeds: &Seeds) -> Store {
    let mut store = Store::new();
    seed(&mut store, id, seeds);
    store
}

pub(super) fn seed(store: &mut Store, id: Id, seeds: &Seeds) {
    store.insert(Mark(id));
    for (kind, hooks) in &seeds.values {
        let (content, replaced) = machine(|machine| {
            let content = machine.model.new_content();
            (content, machine.model.nodes[id].seeds[*kind].replace(content))
        });
        let returned = of_kind!(*kind, V => store.insert(V::new(content, Some(id), hooks)).map(V::into_content));
        expect(returned, replaced, || format!("the seed {kind} that another one replaces in {id}"));
    }
    seed_callbacks(store, id, seeds);
}

pub(super) fn picked(pick: Pick) -> Option<Handle> {
    machine(|machine| {
        let count = machine.handles.len();
        (count > 0).then(|| machine.handles[usize::from(pick) % count].clone())
    })
}

/// Calls `f` with a handle, or with none where the current context is meant; not at all if there is no handle to pick.
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

/// As [`resolved`], for what can be asked of a handle only.
pub(super) fn with_handle(at: At, f: impl FnOnce(&Handle)) {
    let handle = match at {
        At::Handle(pick) => picked(pick),
        At::Current => machine(|machine| machine.model.current()).zip(RequestContext::current()),
    };
    if let Some(handle) = handle {
        f(&handle);
    }
}

pub(super) fn keep() {
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
