//! The rows. Each module holds groups on one subject.

mod axum;
mod bind;
mod drive;
mod frames;
mod growth;
mod guarantees;
mod ids;
mod layer;
mod on_enter;
mod polls;
mod reads;
pub mod stages;
mod task_local;
mod values;
pub mod ways;
mod writes;

use crate::Group;

#[must_use]
pub fn groups() -> Vec<Group> {
    [
        reads::GROUPS,
        writes::GROUPS,
        layer::GROUPS,
        axum::GROUPS,
        ways::GROUPS,
        guarantees::GROUPS,
        ids::GROUPS,
        frames::GROUPS,
        polls::GROUPS,
        bind::GROUPS,
        growth::GROUPS,
        on_enter::GROUPS,
    ]
    .concat()
}
