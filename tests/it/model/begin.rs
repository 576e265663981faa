//! Starts work: scoped, carried, exited, bound, spawned, run, or served behind a layer.

use std::mem;

use http::{Request, request::Parts};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Scoped, Store};

use super::{
    contexts::{fill_store, new_store, picked},
    machine::{OperationGuard, count, expect_eq, in_context, in_current_context, machine, run},
    operation::OperationKind,
    program::{InitialStore, Plan, Shape, WorkKind},
    reference::{Id, Role},
    running::{Running, Task},
    work::{Handler, Job},
};

pub(super) fn begin(kind_of_work: &WorkKind, plan: &Plan) {
    let current = machine(|machine| machine.model.current());
    let job = |context, ended_context| Job::new(context, ended_context, plan.work.clone());
    match kind_of_work {
        WorkKind::Scope(pick, shape) => {
            if let Some((id, context)) = picked(*pick) {
                keep_scoped(*shape, context.scope(job(Some(id), None)), Some(id), ["futures scoped", "streams scoped"]);
            }
        }
        WorkKind::Carry(shape) => {
            let carried = RequestContext::carry(job(current, None));
            keep_scoped(*shape, carried, current, ["futures carried", "streams carried"]);
        }
        WorkKind::Exit(shape) => {
            keep_scoped(*shape, RequestContext::exit(job(None, None)), None, ["futures exited", "streams exited"]);
        }
        WorkKind::Bind => {
            count("closures bound");
            let job = job(current, None);
            keep_running(Task::Bound(Box::new(RequestContext::bind(|| job.call()))), current, None);
        }
        WorkKind::Spawn => {
            count("tasks spawned");
            let task = RequestContext::spawn(job(current, None));
            machine(|machine| machine.spawned.push(task));
        }
        WorkKind::Run(initial_store) => {
            count("runs");
            let id = machine(|machine| machine.model.add(Role::Run, None));
            let run = new_store(id, initial_store).run(job(Some(id), Some(id)));
            keep_running(Task::Run(id, Box::pin(run)), Some(id), Some(id));
        }
        WorkKind::Request(nesting, initial_store) => request(*nesting, initial_store, plan),
    }
}

fn keep_scoped(shape: Shape, scoped: Scoped<Job>, context: Option<Id>, [futures, streams]: [&'static str; 2]) {
    let task = match shape {
        Shape::Future => {
            count(futures);
            Task::Future(Box::pin(scoped))
        }
        Shape::Stream => {
            count(streams);
            Task::Stream(Box::pin(scoped))
        }
    };
    keep_running(task, context, None);
}

fn keep_running(task: Task, context: Option<Id>, ended_context: Option<Id>) {
    let running = Running::new(task, context, ended_context);
    machine(|machine| machine.running.push(running));
}

fn request(nesting: Nesting, initial_store: &InitialStore, plan: &Plan) {
    let (id, ended_context) = machine(|machine| {
        let current = machine.model.current();
        let reused = current.filter(|id| nesting == Nesting::Reuse && !machine.model.is_ended(*id));
        reused.map_or_else(
            || {
                let parent = current.filter(|_| nesting == Nesting::Inherit);
                let id = machine.model.add(Role::Request, parent);
                machine.setup = Some((id, initial_store.clone()));
                (id, Some(id))
            },
            |id| (id, None),
        )
    });
    count(if ended_context.is_some() { "requests" } else { "requests in a reused context" });
    let service = service_fn(|_: Request<()>| {
        let guard = PanicGuard(ended_context);
        in_context(Some(id), || run(&plan.call));
        mem::forget(guard);
        Handler::new(Some(id), ended_context, plan.work.clone(), plan.body.clone())
    });
    let layer = RequestContextLayer::new(set_up as fn(&mut Store, &mut Parts)).nesting(nesting);
    let calling = OperationGuard::start(OperationKind::Call, Some(id), ended_context);
    let future = layer.layer(service).call(Request::new(()));
    drop(calling);
    expect_eq(machine(|machine| machine.setup.is_none()), true, || String::from("whether the setup ran"));
    keep_running(Task::Request(Box::pin(future)), Some(id), ended_context);
}

fn set_up(store: &mut Store, _: &mut Parts) {
    let Some((id, initial_store)) = machine(|machine| machine.setup.take()) else {
        expect_eq(true, false, || String::from("whether a setup was expected to run"));
        return;
    };
    let guard = PanicGuard(Some(id));
    fill_store(store, id, &initial_store);
    in_current_context(|| run(&initial_store.setup));
    mem::forget(guard);
}

/// Ends the request in the model if the setup or the call panics, before there is a future to drop.
struct PanicGuard(Option<Id>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            machine(|machine| {
                let node = &mut machine.model.nodes[id];
                node.set_panicked();
                node.finish();
            });
        }
    }
}
