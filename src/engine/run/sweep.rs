//! Unfinished uploads that no file needs any more, dropped at the end of a run: their file was
//! edited, deleted or stored otherwise since. A store keeps their parts, and bills them, for ever.

use super::Run;
use crate::engine::client::Client;
use crate::model::{Result, Side, StoreResult};
use crate::plan::Task;
use crate::state::UploadRow;
use crate::store::Upload;
use std::collections::HashSet;

impl Run {
    /// Drops what the state knows of and, where an earlier run may have left more than that, what
    /// the stores list below this library's prefixes. Uploads of files that failed just now stay:
    /// the next run goes on with them. That one can't be dropped fails nothing.
    ///
    /// # Errors
    /// `Held` where the lease is lost: the uploads may be another run's by now. The state's.
    pub(super) async fn sweep(&mut self, failed: &[Task]) -> Result<()> {
        let known = self.state.call(|state| state.uploads()).await?;
        if known.is_empty() && !self.leftovers {
            return Ok(());
        }
        self.check_leases().await?;
        for row in known {
            if !failed.iter().any(|task| task.seen.path == row.path) {
                self.drop_known(row).await?;
            }
        }
        if self.leftovers {
            self.drop_listed(failed).await;
        }
        Ok(())
    }

    async fn drop_known(&self, row: UploadRow) -> Result<()> {
        let Some((client, _)) = self.swept(row.id.side) else {
            return Ok(());
        };
        client.abandon(&row.id.key, &row.id.upload_id).await;
        self.state.remove_upload(row.id).await
    }

    async fn drop_listed(&self, failed: &[Task]) {
        for side in [Side::Backup, Side::Sync] {
            let Some((client, prefix)) = self.swept(side) else {
                continue;
            };
            let needed: HashSet<String> = failed
                .iter()
                .filter_map(|task| self.key_on(side, task))
                .collect();
            match list_below(&client, &prefix).await {
                Ok(uploads) => {
                    for upload in uploads {
                        if !needed.contains(&upload.key) {
                            client.abandon(&upload.key, &upload.upload_id).await;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "unfinished uploads could not be listed"),
            }
        }
    }

    /// A target that this run writes, and below what its uploads are.
    fn swept(&self, side: Side) -> Option<(Client, String)> {
        match side {
            Side::Sync => {
                let client = self.sync.as_ref()?.client().clone();
                let prefix = client.target.listing_prefix();
                Some((client, prefix))
            }
            Side::Backup => {
                let backup = self.backup.as_ref().filter(|_| self.which.backs_up())?;
                let client = backup.versions.client().clone();
                let prefix = client.target.key("files/");
                Some((client, prefix))
            }
        }
    }

    fn key_on(&self, side: Side, task: &Task) -> Option<String> {
        let path = &task.seen.path;
        match side {
            Side::Sync => self.sync.as_ref().map(|sync| sync.key(path)),
            Side::Backup => self.backup.as_ref().map(|backup| backup.versions.key(path)),
        }
    }
}

/// Uploads below a prefix. MinIO lists none for a prefix that is no whole key, but without one it
/// lists those that the server has seen since it was started.
async fn list_below(client: &Client, prefix: &str) -> StoreResult<Vec<Upload>> {
    let mut uploads = client.call(|store| store.list_uploads(prefix)).await?;
    if uploads.is_empty() && !prefix.is_empty() {
        uploads = client.call(|store| store.list_uploads("")).await?;
    }
    uploads.retain(|upload| upload.key.starts_with(prefix));
    Ok(uploads)
}
