//! The rows, a module for each question.

mod axum;
mod drive;
mod frames;
mod growth;
mod ids;
mod layer;
mod polls;
mod reads;
mod values;
mod writes;

use crate::Row;

pub fn rows() -> Vec<Row> {
    [reads::ROWS, writes::ROWS, layer::ROWS, axum::ROWS, ids::ROWS, frames::ROWS, polls::ROWS, growth::ROWS].concat()
}
