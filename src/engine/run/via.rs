//! Which way new content goes to the backup target, and why: decided once a run.

use super::Run;
use crate::engine::client::Client;
use crate::engine::mirror::MirrorWriter;
use crate::engine::transfer::Copies;
use crate::model::{Error, Result, Side, StoreError, StoreErrorKind, StoreResult, Via};
use crate::plan::{ViaStep, ViaView, via_answered, via_step};
use crate::store::{CopySource, ListRequest};
use std::sync::Arc;

/// The way of a run's new content to the backup target.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// No version is written, or it is not decided yet.
    Open,
    /// The store copies.
    Copy,
    /// The bytes are sent, for this reason.
    Upload(String),
}

impl Run {
    /// Decides, where versions are written. The sync target's lease, which is there by now, shows
    /// whether the backup's credentials may read the sync target; in a dry run any object will do.
    ///
    /// # Errors
    /// `Usage` where `via = "copy"` was asked for and can't be.
    pub(super) async fn choose_route(&self) -> Result<Route> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(Route::Open);
        };
        if !self.which.backs_up() {
            return Ok(Route::Open);
        }
        let via = settings.via;
        if via == Via::Copy && self.settings.sync.is_none() {
            return Err(Error::Usage(
                "via = \"copy\" copies from the sync target, and there is none: give --sync-to, or \
                 set [backup] via = \"auto\""
                    .to_owned(),
            ));
        }
        let client = backup.versions.client();
        let sync = self.sync.as_deref();
        let sites = (
            sync.map(|sync| sync.client().store.site()),
            client.store.site(),
        );
        let class = self.settings.sync.as_ref();
        let class = class.and_then(|sync| sync.storage_class.as_deref());
        let step = via_step(&ViaView {
            via,
            sync: sites.0.as_ref(),
            backup: &sites.1,
            sync_class: class,
        });
        let step = match (step, sync) {
            (ViaStep::Ask, Some(sync)) => {
                let refusal = self.try_to_read(sync, client).await?;
                via_answered(via, refusal).unwrap_or(ViaStep::Ask)
            }
            (step, _) => step,
        };
        match step {
            ViaStep::Ask => {
                tracing::info!("new content is sent to the sync target and copied from there");
                Ok(Route::Copy)
            }
            ViaStep::Upload(why) => {
                tracing::info!(why, "new content is sent to the backup target");
                Ok(Route::Upload(why))
            }
            ViaStep::Refuse(why) => Err(Error::Usage(format!(
                "via = \"copy\" can't be kept: {why}. Nothing was written; set [backup] via = \
                 \"auto\" to send the bytes to both targets where the store can't copy them"
            ))),
        }
    }

    /// From now on new content takes this way.
    pub(super) fn take_route(&mut self, route: Route) {
        if matches!(route, Route::Copy) {
            let copies = self
                .copy_in_parts_above
                .map_or_else(Copies::default, Copies::in_parts_above);
            self.copies = Some(Arc::new(copies));
        }
        self.route = route;
    }

    /// Why the backup's credentials can't read the sync target; none where they can.
    async fn try_to_read(&self, sync: &MirrorWriter, backup: &Client) -> Result<Option<String>> {
        let lease = self.leases.iter().find(|lease| lease.side() == Side::Sync);
        let (key, etag) = match (lease, self.any_object(sync).await?) {
            (Some(lease), _) => lease.object().await,
            (None, Some(object)) => object,
            // A dry run into a target that has nothing yet.
            (None, None) => return Ok(None),
        };
        let source = CopySource {
            bucket: sync.client().target.bucket.clone(),
            key,
            version_id: None,
            if_match: None,
        };
        let region = sync.client().store.site().region;
        let found = backup
            .call(|store| store.head_source(&source, &region))
            .await;
        match found {
            Ok(head) if head.etag == etag => Ok(None),
            Ok(_) => Ok(Some(format!(
                "what the backup's credentials call s3://{} is another bucket",
                source.bucket
            ))),
            Err(error) if ends_all(&error) => Err(error.into()),
            Err(error) => Ok(Some(format!(
                "the backup's credentials can't read the sync target ({error})"
            ))),
        }
    }

    /// Some object of the sync target, where a dry run has no lease.
    async fn any_object(&self, sync: &MirrorWriter) -> StoreResult<Option<(String, String)>> {
        if !self.settings.run.dry_run {
            return Ok(None);
        }
        let first = ListRequest {
            prefix: sync.client().target.listing_prefix(),
            max_keys: Some(1),
            ..ListRequest::default()
        };
        let page = sync.client().call(|store| store.list(&first)).await?;
        let first = page.items.into_iter().next();
        Ok(first.map(|object| (object.key, object.etag)))
    }

    /// A line for a dry run; none where only one target is written.
    pub(super) fn route_in_words(&self) -> Option<String> {
        self.sync.as_ref()?;
        match &self.route {
            Route::Open => None,
            Route::Copy => Some(
                "\nnew content is sent to the sync target, and copied from there to the backup by \
                 the store"
                    .to_owned(),
            ),
            Route::Upload(why) => Some(format!("\nnew content is sent to each target: {why}")),
        }
    }

    /// Why new content went up twice, where it did; for the summary.
    pub(super) fn twice(&self) -> Option<String> {
        let twice = self.tally.sync_uploaded.get() > 0 && self.tally.backup_uploaded.get() > 0;
        match &self.route {
            _ if !twice => None,
            Route::Upload(why) => Some(why.clone()),
            Route::Copy
                if self
                    .copies
                    .as_ref()
                    .is_some_and(|copies| !copies.are_open()) =>
            {
                Some("the store does not copy, see the warning above".to_owned())
            }
            _ => None,
        }
    }
}

/// Whether more than the way is at stake.
fn ends_all(error: &StoreError) -> bool {
    matches!(
        error.kind,
        StoreErrorKind::ExpiredCredentials | StoreErrorKind::Unreachable | StoreErrorKind::Tls
    )
}
