//! The rows. Each module holds groups on one subject.

mod axum;
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
mod writes;

pub use self::axum::{app_with_context, app_without};
use crate::Group;

#[must_use]
pub fn groups() -> Vec<Group> {
    [
        reads::GROUPS,
        writes::GROUPS,
        layer::GROUPS,
        axum::GROUPS,
        guarantees::GROUPS,
        ids::GROUPS,
        frames::GROUPS,
        polls::GROUPS,
        growth::GROUPS,
        on_enter::GROUPS,
    ]
    .concat()
}
