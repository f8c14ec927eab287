//! Restores a snapshot, or parts of it, into a folder.

mod content;
mod fetch;
mod folder;
mod temp;
