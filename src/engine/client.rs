//! One target's store together with the manners of talking to it.

use crate::engine::retry::Retrier;
use crate::model::{Crc64, Event, Events, Side, StoreErrorKind, StoreResult, Target};
use crate::store::{Attributes, ListRequest, Part, Store, Version};
use bytes::Bytes;
use std::sync::Arc;

/// A target: its store, where in it, and how requests are paced and retried. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    /// Which of the two targets it is.
    pub side: Side,
    /// Where in the store.
    pub target: Target,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Pace and patience.
    pub retrier: Retrier,
    /// Where progress is told.
    pub events: Events,
}

impl Client {
    /// Sends a request that may be repeated without harm.
    ///
    /// # Errors
    /// The last error once patience has run out.
    pub async fn call<'a, T, F, Fut>(&'a self, request: F) -> StoreResult<T>
    where
        F: Fn(&'a dyn Store) -> Fut,
        Fut: Future<Output = StoreResult<T>>,
    {
        let store: &'a dyn Store = &*self.store;
        self.retrier.run(|| request(store)).await
    }

    /// Begins a multipart upload of a key that has none. One that an earlier try has begun unseen
    /// is given up: nobody else writes the key while this run holds the lease.
    ///
    /// # Errors
    /// The last error once patience has run out.
    pub async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.create_by(key, || self.store.create_upload(key, attributes))
            .await
    }

    /// The same for parts that the store copies.
    ///
    /// # Errors
    /// The last error once patience has run out.
    pub async fn create_copy_upload(
        &self,
        key: &str,
        attributes: &Attributes,
    ) -> StoreResult<String> {
        self.create_by(key, || self.store.create_copy_upload(key, attributes))
            .await
    }

    async fn create_by<Fut>(&self, key: &str, create: impl Fn() -> Fut) -> StoreResult<String>
    where
        Fut: Future<Output = StoreResult<String>>,
    {
        let mut attempts = self.retrier.attempts();
        let mut uncertain = false;
        loop {
            if uncertain {
                for upload in self.call(|store| store.list_uploads_of(key)).await? {
                    self.abandon(key, &upload.upload_id).await;
                }
            }
            let error = match self.retrier.once(create()).await {
                Ok(upload_id) => return Ok(upload_id),
                Err(error) => error,
            };
            uncertain |= error.kind.may_have_happened();
            attempts.pause(error).await?;
        }
    }

    /// Sends one part. Sending it again replaces it, so it may be repeated.
    ///
    /// # Errors
    /// The last error; `NoSuchUpload` where the store has dropped the upload.
    pub async fn send_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc: Crc64,
    ) -> StoreResult<Part> {
        let size = body.len() as u64;
        let part = self
            .call(|store| async {
                self.retrier.pace().bandwidth(size).await;
                store
                    .upload_part(key, upload_id, number, body.clone(), crc)
                    .await
            })
            .await?;
        self.sent(size);
        Ok(part)
    }

    /// Tells of bytes that arrived.
    pub fn sent(&self, count: u64) {
        self.events.send(Event::Bytes {
            side: self.side,
            count,
        });
    }

    /// All versions of exactly this key, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn versions_of(&self, key: &str) -> StoreResult<Vec<Version>> {
        let mut request = ListRequest {
            prefix: key.to_owned(),
            ..ListRequest::default()
        };
        let mut versions = Vec::new();
        loop {
            let page = self.call(|store| store.list_versions(&request)).await?;
            let past_the_key = page.items.last().is_some_and(|last| last.key != key);
            versions.extend(page.items.into_iter().filter(|version| version.key == key));
            match page.next {
                Some(next) if !past_the_key => request.cursor = Some(next),
                _ => return Ok(versions),
            }
        }
    }

    /// Drops an unfinished upload; that it can't be dropped is no reason to fail.
    pub async fn abandon(&self, key: &str, upload_id: &str) {
        if let Err(error) = self.call(|store| store.abort_upload(key, upload_id)).await
            && error.kind != StoreErrorKind::NoSuchUpload
        {
            tracing::warn!(%error, "an unfinished upload could not be dropped");
        }
    }
}
