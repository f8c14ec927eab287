//! The library on disk: what is there, by `lstat` alone, and how its files are read.
//!
//! [`check_root`] finds the root, [`scan`] lists what lies below it, [`Library`] opens single
//! files without ever following a link. All of it blocks; call it off the async workers.
//!
//! Nothing hides a file but the patterns of the settings, `.tidelockignore` files and the list of
//! system folders: no `.gitignore`, no rule for hidden files. Nothing is ever followed out of the
//! root, and nothing but regular files is ever opened.

mod cloud;
mod empty;
mod filter;
mod reader;
mod root;
mod scan;
mod stat;
mod trouble;
mod twins;

pub use reader::{Library, OpenFile, ReadError};
pub use root::{Root, RootProblem, check_root};
pub use scan::{Scan, ScanError, Unseen, scan};
