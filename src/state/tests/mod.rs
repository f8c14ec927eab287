mod commit;
mod open;
mod query;
mod speed;
pub(super) mod support;
mod uploads;
mod writer;
