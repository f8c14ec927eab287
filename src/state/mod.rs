//! The local state: a cache in one SQLite file, and nothing more.
//!
//! It can be lost at any moment without loss: whatever it holds can be rebuilt from the latest
//! snapshot and one listing of the sync target. What it saves is reading: it knows inode and
//! ctime, which no bucket keeps, and what unfinished runs have stored.
//!
//! | table | what |
//! |---|---|
//! | `base` | the entries of the latest known snapshot, all of them |
//! | `pending` | what runs have stored, carried or dropped since, see [`Change`] |
//! | `upload`, `part` | unfinished multipart uploads |
//! | `object` | bytes of small objects that never change, see [`State::object`] |
//! | `meta` | which snapshot `base` is, and small notes |
//!
//! What `pull` brought into a folder is in a file of its own, [`PullState`].
//!
//! # How a snapshot is committed
//!
//! [`State::freeze`] fixes which pending changes the snapshot names, [`View::Frozen`] are its
//! entries, [`State::prepare`] notes its id, and after the snapshot object has been written
//! [`State::fold`] makes them the base. Changes that arrive in between wait for the next one. A
//! crash at any point is settled by [`State::reconcile`] on the next run.
//!
//! Engine code uses [`StateHandle`], behind which one thread owns the file and batches writes.

mod base;
mod error;
mod file;
mod forget;
mod handle;
mod lock;
mod objects;
mod open;
mod pending;
mod pulled;
mod query;
mod rebuild;
mod row;
mod schema;
mod uploads;
mod view;
mod writer;

pub use base::{Base, Standing};
pub use file::{StateKey, state_file};
pub use handle::{Rebuild, Rows, StateHandle};
pub use objects::ObjectName;
pub use open::{Opened, State};
pub use pending::Change;
pub use pulled::{PullState, Pulled, pull_file};
pub use query::Found;
pub use row::Row;
pub use uploads::{UploadId, UploadPart, UploadRow};
pub use view::View;

#[cfg(test)]
mod tests;
