//! Work that is begun: scoped, carried, spawned, run, or served behind a layer.

use std::mem;

use http::{Request, request::Parts};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use super::{
    contexts::{picked, seed, seeded},
    machine::{expect, here, hit, inside, machine, run},
    plain::{Id, Role},
    program::{Carrier, Plan, Seeds},
    running::{Running, Task},
    work::{Handler, Job},
};

pub(super) fn begin(carrier: &Carrier, plan: &Plan) {
    let current = machine(|machine| machine.model.current());
    let job = |context, ends| Job::new(context, ends, plan.work.clone());
    match carrier {
        Carrier::Scope(pick) => {
            if let Some((id, context)) = picked(*pick) {
                hit("futures scoped");
                keep_running(Task::Job(Box::pin(context.scope(job(Some(id), None)))), None);
            }
        }
        Carrier::Carry => {
            hit("futures carried");
            keep_running(Task::Job(Box::pin(RequestContext::carry(job(current, None)))), None);
        }
        Carrier::Exit => {
            hit("futures outside");
            keep_running(Task::Job(Box::pin(RequestContext::exit(job(None, None)))), None);
        }
        Carrier::Spawn => {
            hit("tasks spawned");
            let task = RequestContext::spawn(job(current, None));
            machine(|machine| machine.spawned.push(task));
        }
        Carrier::Run(seeds) => {
            hit("runs");
            let id = machine(|machine| machine.model.add(Role::Run, None));
            let run = seeded(id, seeds).run(job(Some(id), Some(id)));
            keep_running(Task::Run(id, Box::pin(run)), Some(id));
        }
        Carrier::Request(nesting, seeds) => request(*nesting, seeds, plan),
    }
}

fn keep_running(task: Task, ends: Option<Id>) {
    let running = Running::new(task, ends);
    machine(|machine| machine.running.push(running));
}

fn request(nesting: Nesting, seeds: &Seeds, plan: &Plan) {
    let (id, ends) = machine(|machine| {
        let current = machine.model.current();
        let reused = current.filter(|id| nesting == Nesting::Reuse && !machine.model.is_ended(*id));
        reused.map_or_else(
            || {
                let parent = current.filter(|_| nesting == Nesting::Inherit);
                let id = machine.model.add(Role::Request, parent);
                machine.setup = Some((id, seeds.clone()));
                (id, Some(id))
            },
            |id| (id, None),
        )
    });
    hit(if ends.is_some() { "requests" } else { "requests in a context that is reused" });
    let service = service_fn(|_: Request<()>| {
        let ending = EndsByPanic(ends);
        inside(Some(id), || run(&plan.call));
        mem::forget(ending);
        Handler::new(Some(id), ends, plan.work.clone(), plan.body.clone())
    });
    let layer = RequestContextLayer::new(set_up as fn(&mut Store, &mut Parts)).nesting(nesting);
    let future = layer.layer(service).call(Request::new(()));
    expect(machine(|machine| machine.setup.is_none()), true, || String::from("whether the setup ran"));
    keep_running(Task::Request(Box::pin(future)), ends);
}

fn set_up(store: &mut Store, _: &mut Parts) {
    let Some((id, seeds)) = machine(|machine| machine.setup.take()) else {
        expect(true, false, || String::from("whether a setup was to run"));
        return;
    };
    let ending = EndsByPanic(Some(id));
    seed(store, id, &seeds);
    here(|| run(&seeds.setup));
    mem::forget(ending);
}

/// A panic before there is anything to drop.
struct EndsByPanic(Option<Id>);

impl Drop for EndsByPanic {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            machine(|machine| {
                let node = &mut machine.model.nodes[id];
                node.panicked();
                node.is_over_now();
            });
        }
    }
}
