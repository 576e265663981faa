//! Programs at random. The deeper inside of one another they are, the simpler.

use std::{ops::RangeInclusive, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tower_request_context::Nesting;

use super::program::{At, Carrier, Hooks, KINDS, Kind, Op, Part, Pick, Plan, Program, Seeds, WhenItPanics};

const DEPTH: u32 = 3;

pub(super) fn program() -> impl Strategy<Value = Program> {
    ops(DEPTH, 1..=48)
}

fn ops(depth: u32, length: RangeInclusive<usize>) -> BoxedStrategy<Program> {
    vec(op(depth), length).prop_map(Arc::from).boxed()
}

/// What runs inside of an op.
fn inside(depth: u32) -> BoxedStrategy<Program> {
    match depth.checked_sub(1) {
        None => Just(Arc::from([])).boxed(),
        Some(depth) => ops(depth, 0..=2),
    }
}

/// As [`inside`], but mostly nothing.
fn seldom(depth: u32) -> BoxedStrategy<Program> {
    prop_oneof![3 => Just(Arc::from([])), 1 => inside(depth)].boxed()
}

fn op(depth: u32) -> BoxedStrategy<Op> {
    let (inner, seeds) = (inside(depth), seeds(depth));
    let simple = prop_oneof![
        1 => Just(Op::Keep),
        2 => pick().prop_map(Op::Release),
        3 => (at(), kind()).prop_map(|(at, kind)| Op::Get(at, kind)),
        2 => (at(), kind()).prop_map(|(at, kind)| Op::Remove(at, kind)),
        10 => (pick(), when_it_panics()).prop_map(|(pick, then)| Op::Poll(pick, then)),
        2 => pick().prop_map(Op::Cancel),
        2 => Just(Op::Tick),
        1 => pick().prop_map(Op::Abort),
        1 => Just(Op::Panic),
        4 => (at(), kind(), hooks(depth)).prop_map(|(at, kind, hooks)| Op::Set(at, kind, hooks)),
        1 => (at(), kind(), hooks(depth)).prop_map(|(at, kind, hooks)| Op::SetIfAbsent(at, kind, hooks)),
    ];
    if depth == 0 {
        return simple.boxed();
    }
    let nested = prop_oneof![
        2 => seeds.clone().prop_map(Op::New),
        1 => seeds.clone().prop_map(Op::Inherit),
        2 => (pick(), seeds).prop_map(|(pick, seeds)| Op::Child(pick, seeds)),
        2 => (at(), kind(), inner.clone()).prop_map(|(at, kind, acts)| Op::With(at, kind, acts)),
        3 => writing(depth).prop_map(|(at, kind, acts, hooks)| Op::Update(at, kind, acts, hooks)),
        2 => writing(depth).prop_map(|(at, kind, acts, hooks)| Op::GetOrInsertWith(at, kind, acts, hooks)),
        3 => (at(), callback(depth)).prop_map(|(at, acts)| Op::OnResponse(at, acts)),
        4 => (at(), callback(depth)).prop_map(|(at, acts)| Op::OnEnd(at, acts)),
        4 => (pick(), inner.clone()).prop_map(|(pick, acts)| Op::Within(pick, acts)),
        1 => inner.clone().prop_map(Op::Outside),
        8 => (carrier(depth), plan(depth)).prop_map(|(carrier, plan)| Op::Begin(carrier, plan)),
        1 => inner.prop_map(Op::Catch),
    ];
    prop_oneof![simple, nested].boxed()
}

fn pick() -> impl Strategy<Value = Pick> {
    0..16_u8
}

/// The first is the most frequent: what happens to one type now and then should meet.
fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(0), 0..KINDS]
}

/// What runs while a value of a kind is made or changed. At times it begins with writing that kind itself.
fn writing(depth: u32) -> impl Strategy<Value = (At, Kind, Program, Hooks)> {
    (at(), kind(), inside(depth), hooks(depth), prop::option::weighted(0.3, hooks(depth))).prop_map(
        |(at, kind, acts, hooks, quicker)| {
            let quicker = quicker.map(|hooks| Op::Set(at, kind, hooks));
            (at, kind, quicker.into_iter().chain(acts.iter().cloned()).collect(), hooks)
        },
    )
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![Just(At::Current), pick().prop_map(At::Handle)]
}

fn when_it_panics() -> impl Strategy<Value = WhenItPanics> {
    prop_oneof![Just(WhenItPanics::Unwinds), Just(WhenItPanics::IsLeftToBeDropped)]
}

fn hooks(depth: u32) -> BoxedStrategy<Hooks> {
    (seldom(depth), seldom(depth)).prop_map(|(clone, drop)| Hooks { clone, drop }).boxed()
}

fn seeds(depth: u32) -> BoxedStrategy<Seeds> {
    (vec((kind(), hooks(depth)), 0..=3), vec(callback(depth), 0..=2), vec(callback(depth), 0..=2), seldom(depth))
        .prop_map(|(values, on_response, on_end, setup)| Seeds { values, on_response, on_end, setup })
        .boxed()
}

/// At times it just panics, which is to stop no other one.
fn callback(depth: u32) -> BoxedStrategy<Program> {
    prop_oneof![3 => inside(depth), 1 => Just(Arc::from([Op::Panic]))].boxed()
}

fn carrier(depth: u32) -> impl Strategy<Value = Carrier> {
    let nesting = prop_oneof![Just(Nesting::Override), Just(Nesting::Inherit), Just(Nesting::Reuse)];
    prop_oneof![
        1 => pick().prop_map(Carrier::Scope),
        1 => Just(Carrier::Carry),
        1 => Just(Carrier::Exit),
        2 => Just(Carrier::Spawn),
        3 => seeds(depth).prop_map(Carrier::Run),
        5 => (nesting, seeds(depth)).prop_map(|(nesting, seeds)| Carrier::Request(nesting, seeds)),
    ]
}

fn plan(depth: u32) -> impl Strategy<Value = Plan> {
    (seldom(depth), part(depth), part(depth)).prop_map(|(call, work, body)| Plan { call, work, body })
}

fn part(depth: u32) -> impl Strategy<Value = Part> {
    let fails = prop::bool::weighted(0.2);
    (vec(inside(depth), 0..=3), seldom(depth), fails).prop_map(|(polls, drop, fails)| Part { polls, drop, fails })
}
