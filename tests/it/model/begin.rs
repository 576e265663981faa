//! Starts work: scoped, carried, exited, spawned, run, or served behind a layer.

use std::mem;

use http::{Request, request::Parts};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use super::{
    contexts::{fill_store, new_store, picked},
    machine::{count, expect_eq, in_context, in_current_context, machine, run},
    program::{InitialStore, Plan, WorkKind},
    reference::{Id, Role},
    running::{Running, Task},
    work::{Handler, Job},
};

pub(super) fn begin(kind_of_work: &WorkKind, plan: &Plan) {
    let current = machine(|machine| machine.model.current());
    let job = |context, ended_context| Job::new(context, ended_context, plan.work.clone());
    match kind_of_work {
        WorkKind::Scope(pick) => {
            if let Some((id, context)) = picked(*pick) {
                count("futures scoped");
                keep_running(Task::Job(Box::pin(context.scope(job(Some(id), None)))), None);
            }
        }
        WorkKind::Carry => {
            count("futures carried");
            keep_running(Task::Job(Box::pin(RequestContext::carry(job(current, None)))), None);
        }
        WorkKind::Exit => {
            count("futures exited");
            keep_running(Task::Job(Box::pin(RequestContext::exit(job(None, None)))), None);
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
            keep_running(Task::Run(id, Box::pin(run)), Some(id));
        }
        WorkKind::Request(nesting, initial_store) => request(*nesting, initial_store, plan),
    }
}

fn keep_running(task: Task, ended_context: Option<Id>) {
    let running = Running::new(task, ended_context);
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
    let future = layer.layer(service).call(Request::new(()));
    expect_eq(machine(|machine| machine.setup.is_none()), true, || String::from("whether the setup ran"));
    keep_running(Task::Request(Box::pin(future)), ended_context);
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
