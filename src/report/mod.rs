//! Shows events.
