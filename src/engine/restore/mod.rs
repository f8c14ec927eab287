//! Restores a snapshot, or parts of it, into a folder.

mod content;
mod fetch;
mod file;
mod folder;
mod links;
mod publish;
mod space;
mod survey;
mod tally;
mod temp;
