//! Performs the operations of a program.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tower_request_context::RequestContext;

use super::{
    begin::begin,
    callback,
    contexts::{keep_current, make_context, picked, release, resolved},
    machine::{catch_panic, count, in_context, machine, operation, panic, run},
    operation::OperationKind,
    program::{OnPanic, Op, Pick},
    running::Running,
    values,
};

impl Op {
    pub(super) fn perform(&self) {
        match self {
            Self::New(initial_store) => make_context(initial_store, None, RequestContext::new),
            Self::Inherit(initial_store) => {
                let current = machine(|machine| machine.model.current());
                make_context(initial_store, current, RequestContext::inherit);
            }
            Self::Child(pick, initial_store) => {
                if let Some((id, parent)) = picked(*pick) {
                    make_context(initial_store, Some(id), |store| parent.child(store));
                }
            }
            Self::Keep => keep_current(),
            Self::Release(pick) => release(*pick),

            Self::Get(at, kind) => values::get(*at, *kind),
            Self::With(at, kind, nested) => values::with(*at, *kind, nested),
            Self::Set(at, kind, hooks) => values::set(*at, *kind, hooks),
            Self::SetIfAbsent(at, kind, hooks) => values::set_if_absent(*at, *kind, hooks),
            Self::Update(at, kind, nested, hooks) => values::update(*at, *kind, nested, hooks),
            Self::Remove(at, kind) => values::remove(*at, *kind),
            Self::GetOrInsertWith(at, kind, nested, hooks) => values::get_or_insert_with(*at, *kind, nested, hooks),
            Self::OnResponse(at, nested) => resolved(*at, |at| callback::on_response(at, nested)),
            Self::OnEnd(at, nested) => resolved(*at, |at| callback::on_end(at, nested)),

            Self::Within(pick, nested) => {
                if let Some((id, context)) = picked(*pick) {
                    operation(OperationKind::Scope, Some(id), || {
                        context.sync_scope(|| in_context(Some(id), || run(nested)));
                    });
                }
            }
            Self::Outside(nested) => RequestContext::sync_exit(|| in_context(None, || run(nested))),

            Self::Begin(kind_of_work, plan) => begin(kind_of_work, plan),
            Self::Poll(pick, then) => poll(*pick, *then),
            Self::Cancel(pick) => drop(take_running(*pick)),
            Self::Abort(pick) => abort(*pick),
            // Has an effect only at the top level of a program, which can await.
            Self::Tick => {}

            Self::Panic => panic(),
            Self::Catch(nested) => catch_panic(|| run(nested)),
        }
    }
}

/// Takes a running piece of work out of the machine, so that no nested program uses it meanwhile.
fn take_running(pick: Pick) -> Option<Running> {
    machine(|machine| {
        let count = machine.running.len();
        (count > 0).then(|| machine.running.swap_remove(usize::from(pick) % count))
    })
}

fn poll(pick: Pick, then: OnPanic) {
    let Some(mut running) = take_running(pick) else { return };
    if then == OnPanic::DropDuringUnwind {
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
        count("tasks aborted");
        task.abort();
    }
}
