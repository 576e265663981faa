//! Generates random programs. Nested programs are shorter and simpler.

use std::{ops::RangeInclusive, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tower_request_context::Nesting;

use super::program::{
    At, Hooks, InitialStore, KINDS, Kind, OnEnter, OnPanic, Op, Part, Pick, Plan, Program, Shape, WorkKind,
};

const DEPTH: u32 = 3;

pub(super) fn program() -> impl Strategy<Value = Program> {
    ops(DEPTH, 1..=48)
}

fn ops(depth: u32, length: RangeInclusive<usize>) -> BoxedStrategy<Program> {
    vec(op(depth), length).prop_map(Arc::from).boxed()
}

/// A program that runs inside of an operation.
fn nested_program(depth: u32) -> BoxedStrategy<Program> {
    match depth.checked_sub(1) {
        None => Just(Arc::from([])).boxed(),
        Some(depth) => ops(depth, 0..=2),
    }
}

/// Like [`nested_program`], but empty in most cases.
fn rarely(inner: &BoxedStrategy<Program>) -> BoxedStrategy<Program> {
    prop_oneof![3 => Just(Arc::from([])), 1 => inner.clone()].boxed()
}

fn op(depth: u32) -> BoxedStrategy<Op> {
    // Built once for all operations of a depth: otherwise the strategies would grow exponentially.
    let inner = &nested_program(depth);
    let initial_store = initial_store(inner);
    let simple = prop_oneof![
        1 => Just(Op::Keep),
        2 => pick().prop_map(Op::Release),
        3 => (at(), kind()).prop_map(|(at, kind)| Op::Get(at, kind)),
        2 => (at(), kind()).prop_map(|(at, kind)| Op::Remove(at, kind)),
        10 => (pick(), on_panic()).prop_map(|(pick, then)| Op::Poll(pick, then)),
        2 => pick().prop_map(Op::Cancel),
        2 => Just(Op::Tick),
        1 => pick().prop_map(Op::Abort),
        1 => Just(Op::Panic),
        4 => (at(), kind(), hooks(inner)).prop_map(|(at, kind, hooks)| Op::Set(at, kind, hooks)),
        1 => (at(), kind(), hooks(inner)).prop_map(|(at, kind, hooks)| Op::SetIfAbsent(at, kind, hooks)),
    ];
    if depth == 0 {
        return simple.boxed();
    }
    let nested = prop_oneof![
        2 => initial_store.clone().prop_map(Op::New),
        1 => initial_store.clone().prop_map(Op::Inherit),
        2 => (pick(), initial_store).prop_map(|(pick, initial_store)| Op::Child(pick, initial_store)),
        2 => (at(), kind(), inner.clone()).prop_map(|(at, kind, nested)| Op::With(at, kind, nested)),
        3 => writing(inner).prop_map(|(at, kind, nested, hooks)| Op::Update(at, kind, nested, hooks)),
        2 => writing(inner).prop_map(|(at, kind, nested, hooks)| Op::GetOrInsertWith(at, kind, nested, hooks)),
        3 => (at(), callback(inner)).prop_map(|(at, nested)| Op::OnResponse(at, nested)),
        4 => (at(), callback(inner)).prop_map(|(at, nested)| Op::OnEnd(at, nested)),
        4 => (pick(), inner.clone()).prop_map(|(pick, nested)| Op::Within(pick, nested)),
        1 => inner.clone().prop_map(Op::Outside),
        8 => (kind_of_work(inner), plan(inner)).prop_map(|(kind_of_work, plan)| Op::Begin(kind_of_work, plan)),
        1 => inner.clone().prop_map(Op::Catch),
    ];
    prop_oneof![simple, nested].boxed()
}

fn pick() -> impl Strategy<Value = Pick> {
    0..16_u8
}

/// The first kind is the most frequent, so that operations on the same type often interact.
fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(0), 0..KINDS]
}

/// A program that runs while a value is initialized or updated. Sometimes it first sets a value of the same kind.
fn writing(inner: &BoxedStrategy<Program>) -> impl Strategy<Value = (At, Kind, Program, Hooks)> + use<> {
    (at(), kind(), inner.clone(), hooks(inner), prop::option::weighted(0.3, hooks(inner))).prop_map(
        |(at, kind, nested, hooks, competing)| {
            let competing = competing.map(|hooks| Op::Set(at, kind, hooks));
            (at, kind, competing.into_iter().chain(nested.iter().cloned()).collect(), hooks)
        },
    )
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![Just(At::Current), pick().prop_map(At::Handle)]
}

fn on_panic() -> impl Strategy<Value = OnPanic> {
    prop_oneof![Just(OnPanic::DropDuringUnwind), Just(OnPanic::DropLater)]
}

fn hooks(inner: &BoxedStrategy<Program>) -> BoxedStrategy<Hooks> {
    (rarely(inner), rarely(inner)).prop_map(|(clone, drop)| Hooks { clone, drop }).boxed()
}

fn initial_store(inner: &BoxedStrategy<Program>) -> BoxedStrategy<InitialStore> {
    let values = vec((kind(), hooks(inner)), 0..=3);
    let callbacks = || vec(callback(inner), 0..=2);
    (values, closures(inner), callbacks(), callbacks(), rarely(inner))
        .prop_map(|(values, on_enter, on_response, on_end, setup)| InitialStore {
            values,
            on_enter,
            on_response,
            on_end,
            setup,
        })
        .boxed()
}

/// Closures for `on_enter`: none in most stores, since each entry runs them.
fn closures(inner: &BoxedStrategy<Program>) -> BoxedStrategy<Vec<OnEnter>> {
    let enter = prop_oneof![6 => rarely(inner), 1 => Just(Arc::from([Op::Panic]))];
    let closure = (vec(enter, 0..=4), rarely(inner), rarely(inner));
    let closure = closure.prop_map(|(enter, leave, drop)| OnEnter { enter, leave, drop });
    prop_oneof![2 => Just(Vec::new()), 1 => vec(closure, 1..=2)].boxed()
}

/// Sometimes a callback only panics, which must not stop the others.
fn callback(inner: &BoxedStrategy<Program>) -> BoxedStrategy<Program> {
    prop_oneof![3 => inner.clone(), 1 => Just(Arc::from([Op::Panic]))].boxed()
}

fn kind_of_work(inner: &BoxedStrategy<Program>) -> impl Strategy<Value = WorkKind> + use<> {
    let nesting = prop_oneof![Just(Nesting::Override), Just(Nesting::Inherit), Just(Nesting::Reuse)];
    prop_oneof![
        2 => (pick(), shape()).prop_map(|(pick, shape)| WorkKind::Scope(pick, shape)),
        2 => shape().prop_map(WorkKind::Carry),
        1 => shape().prop_map(WorkKind::Exit),
        2 => Just(WorkKind::Bind),
        2 => Just(WorkKind::Spawn),
        3 => initial_store(inner).prop_map(WorkKind::Run),
        5 => (nesting, initial_store(inner)).prop_map(|(nesting, store)| WorkKind::Request(nesting, store)),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![Just(Shape::Future), Just(Shape::Stream)]
}

fn plan(inner: &BoxedStrategy<Program>) -> impl Strategy<Value = Plan> + use<> {
    (rarely(inner), part(inner), part(inner)).prop_map(|(call, work, body)| Plan { call, work, body })
}

fn part(inner: &BoxedStrategy<Program>) -> impl Strategy<Value = Part> + use<> {
    let fails = prop::bool::weighted(0.2);
    (vec(inner.clone(), 0..=3), rarely(inner), fails).prop_map(|(polls, drop, fails)| Part { polls, drop, fails })
}
