//! The local state: a cache in one SQLite file.
