//! Which of the versions that a restore needs are in an archive, found out without reading one.

use super::passes::Source;
use super::survey::{Look, Survey, survey};
use crate::engine::kept::VersionName;
use crate::model::archive::Archive;
use crate::model::{Archived, Error, InArchive, Result, Stored};
use crate::plan::restore::Selection;
use crate::snapshot::{Vault, layout};
use crate::store::ListRequest;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap};

/// Up to so many versions are asked for one by one, which also tells whether a retrieval is under
/// way or done. For more, one listing of all versions names the classes.
pub(super) const ASKED: usize = 1_000;

/// Versions by class, and whether they are coming.
pub(super) type Groups = BTreeMap<(Archive, bool), (u64, u64)>;

/// Adds a version of so many bytes.
pub(super) fn add(groups: &mut Groups, archive: Archive, coming: bool, bytes: u64) {
    let (versions, sum) = groups.entry((archive, coming)).or_default();
    *versions += 1;
    *sum += bytes;
}

/// Looks. What the store does not tell is no error, unless it is out of reach.
///
/// # Errors
/// A stop, and a network or credentials that are gone.
pub(super) async fn archived(
    vault: &Vault,
    source: &Source<'_>,
    selection: &Selection,
    (found, look): (&Survey, &Look),
    parallel: usize,
) -> Result<InArchive> {
    let groups = if found.to_fetch.len() <= ASKED {
        ask(vault, &found.to_fetch, parallel).await
    } else {
        list(vault, source, selection, look).await
    };
    match groups {
        Ok(groups) => Ok(InArchive::Known(groups.into_iter().map(group).collect())),
        Err(Error::Store(error)) if !error.kind.is_transient() => {
            Ok(InArchive::Unknown(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

fn group(((archive, coming), (versions, bytes)): ((Archive, bool), (u64, u64))) -> Archived {
    Archived {
        archive,
        coming,
        versions,
        bytes,
    }
}

async fn ask(vault: &Vault, all: &[(Stored, u64)], parallel: usize) -> Result<Groups> {
    let heads = stream::iter(all).map(|(stored, bytes)| async move {
        let head = vault.store().head(&stored.key, Some(&stored.version_id));
        Ok::<_, Error>((head.await?, *bytes))
    });
    let mut heads = heads.buffer_unordered(parallel.max(1));
    let mut groups = Groups::new();
    while let Some((head, bytes)) = heads.try_next().await? {
        let (class, status) = (
            head.storage_class.as_deref(),
            head.archive_status.as_deref(),
        );
        let Some(archive) = Archive::of(class, status) else {
            continue;
        };
        match head.restore.as_deref() {
            None => add(&mut groups, archive, false, bytes),
            Some(text) if text.contains("ongoing-request=\"true\"") => {
                add(&mut groups, archive, true, bytes);
            }
            // It can be read.
            Some(_) => {}
        }
    }
    Ok(groups)
}

async fn list(
    vault: &Vault,
    source: &Source<'_>,
    selection: &Selection,
    look: &Look,
) -> Result<Groups> {
    let mut request = ListRequest {
        prefix: vault.target().key(layout::FILES),
        ..ListRequest::default()
    };
    let mut classes = HashMap::new();
    loop {
        let page = vault.store().list_versions(&request).await?;
        for version in page.items {
            if let Some(archive) = Archive::of(version.storage_class.as_deref(), None) {
                let stored = Stored {
                    key: version.key,
                    version_id: version.version_id,
                    etag: String::new(),
                };
                classes.insert(VersionName::of(&stored), archive);
            }
        }
        match page.next {
            Some(cursor) => request.cursor = Some(cursor),
            None => break,
        }
    }
    if classes.is_empty() {
        return Ok(Groups::new());
    }
    // The same look once more, now with an eye on the classes.
    let look = Look {
        classes: classes.into(),
        ..look.silent()
    };
    Ok(survey(source.again(), selection, &look).await?.archived)
}
