//! The library on disk.
