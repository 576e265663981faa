//! What each op does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tower_request_context::RequestContext;

use super::{
    begin::begin,
    callback,
    contexts::{keep, make, picked, release, resolved},
    machine::{catching, hit, inside, machine, panic, run},
    program::{Op, Pick, WhenItPanics},
    running::Running,
    values,
};

impl Op {
    pub(super) fn perform(&self) {
        match self {
            Self::New(seeds) => make(seeds, None, RequestContext::new),
            Self::Inherit(seeds) => {
                let current = machine(|machine| machine.model.current());
                make(seeds, current, RequestContext::inherit);
            }
            Self::Child(pick, seeds) => {
                if let Some((id, parent)) = picked(*pick) {
                    make(seeds, Some(id), |store| parent.child(store));
                }
            }
            Self::Keep => keep(),
            Self::Release(pick) => release(*pick),

            Self::Get(at, kind) => values::get(*at, *kind),
            Self::With(at, kind, acts) => values::with(*at, *kind, acts),
            Self::Set(at, kind, hooks) => values::set(*at, *kind, hooks),
            Self::SetIfAbsent(at, kind, hooks) => values::set_if_absent(*at, *kind, hooks),
            Self::Update(at, kind, acts, hooks) => values::update(*at, *kind, acts, hooks),
            Self::Remove(at, kind) => values::remove(*at, *kind),
            Self::GetOrInsertWith(at, kind, acts, hooks) => values::get_or_insert_with(*at, *kind, acts, hooks),
            Self::OnResponse(at, acts) => resolved(*at, |at| callback::on_response(at, acts)),
            Self::OnEnd(at, acts) => resolved(*at, |at| callback::on_end(at, acts)),

            Self::Within(pick, acts) => {
                if let Some((id, context)) = picked(*pick) {
                    context.sync_scope(|| inside(Some(id), || run(acts)));
                }
            }
            Self::Outside(acts) => RequestContext::sync_exit(|| inside(None, || run(acts))),

            Self::Begin(carrier, plan) => begin(carrier, plan),
            Self::Poll(pick, then) => poll(*pick, *then),
            Self::Cancel(pick) => drop(taken(*pick)),
            Self::Abort(pick) => abort(*pick),
            // Only where a program waits for the runtime.
            Self::Tick => {}

            Self::Panic => panic(),
            Self::Catch(acts) => catching(|| run(acts)),
        }
    }
}

/// Nobody else has it as long as it is polled.
fn taken(pick: Pick) -> Option<Running> {
    machine(|machine| {
        let count = machine.running.len();
        (count > 0).then(|| machine.running.swap_remove(usize::from(pick) % count))
    })
}

fn poll(pick: Pick, then: WhenItPanics) {
    let Some(mut running) = taken(pick) else { return };
    if then == WhenItPanics::Unwinds {
        running.poll();
        machine(|machine| machine.running.push(running));
        return;
    }
    let polled = catch_unwind(AssertUnwindSafe(|| running.poll()));
    machine(|machine| machine.running.push(running));
    if let Err(payload) = polled {
        resume_unwind(payload);
    }
}

fn abort(pick: Pick) {
    let aborts = machine(|machine| {
        let count = machine.spawned.len();
        (count > 0).then(|| machine.spawned[usize::from(pick) % count].abort_handle())
    });
    if let Some(task) = aborts {
        hit("tasks aborted");
        task.abort();
    }
}
