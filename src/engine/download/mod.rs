//! What restore and pull share: fetching objects, bounded, and writing files below one folder.
//!
//! # What holds at any moment, after a crash too
//!
//! Every name below the folder is absent, as it was before, or complete: bytes are written under a
//! temporary name beside it, proven by checksum, made durable, and only then named. Nothing outside
//! the folder is touched: everything is reached from open handles, one name at a time, and symbolic
//! links are never followed. What a crash leaves are temporary files, which whoever writes the same
//! folders next removes.

pub(in crate::engine) mod disk;
pub(in crate::engine) mod fetch;
pub(in crate::engine) mod folder;
pub(in crate::engine) mod publish;
pub(in crate::engine) mod receive;
pub(in crate::engine) mod space;
pub(in crate::engine) mod temp;
pub(in crate::engine) mod trouble;
pub(in crate::engine) mod walker;

use crate::model::{Error, Result};

/// Runs what blocks where it may.
pub(in crate::engine) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Failed(format!("a worker failed: {error}"))),
    }
}
