//! Programs that failed once, in earlier versions. Saved seeds do not keep them: each change of the generator gives a seed
//! another program.

use std::sync::Arc;

use tower_request_context::Nesting;

use super::program::{At, Hooks, InitialStore, OnPanic, Op, Part, Plan, Program, WorkKind};

pub(super) fn programs() -> [Program; 3] {
    [request_in_on_end(), panic_in_the_drop_of_a_rejected_callback(), panic_in_the_drop_of_a_replaced_value()]
}

fn request_in_on_end() -> Program {
    let on_end = Arc::from([begin(WorkKind::Request(Nesting::Override, store()), part())]);
    let store = InitialStore { on_end: vec![on_end], ..store() };
    Arc::from([begin(WorkKind::Request(Nesting::Override, store), part())])
}

fn panic_in_the_drop_of_a_rejected_callback() -> Program {
    let drop = Arc::from([Op::Keep, Op::OnResponse(At::Current, Arc::from([Op::Panic]))]);
    Arc::from([
        begin(WorkKind::Run(store()), Part { polls: vec![nothing()], ..part() }),
        begin(WorkKind::Run(store()), Part { polls: vec![nothing()], drop, ..part() }),
        Op::Poll(7, OnPanic::DropLater),
        Op::Keep,
    ])
}

fn panic_in_the_drop_of_a_replaced_value() -> Program {
    let panics = Hooks { drop: Arc::from([Op::Panic]), ..hooks() };
    let set = Op::Set(At::Current, 1, panics);
    Arc::from([
        Op::New(store()),
        Op::Within(0, Arc::from([Op::OnResponse(At::Current, Arc::from([set]))])),
        Op::Update(At::Handle(0), 1, Arc::from([Op::Set(At::Handle(0), 1, hooks())]), hooks()),
    ])
}

fn begin(kind_of_work: WorkKind, work: Part) -> Op {
    Op::Begin(kind_of_work, Plan { call: nothing(), work, body: part() })
}

fn store() -> InitialStore {
    InitialStore { values: vec![], on_enter: vec![], on_response: vec![], on_end: vec![], setup: nothing() }
}

fn part() -> Part {
    Part { polls: vec![], drop: nothing(), fails: false }
}

fn hooks() -> Hooks {
    Hooks { clone: nothing(), drop: nothing() }
}

fn nothing() -> Program {
    Arc::from([])
}
