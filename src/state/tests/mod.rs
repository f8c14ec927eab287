mod commit;
mod open;
mod pulled;
mod query;
mod speed;
pub(super) mod support;
mod uploads;
mod writer;
