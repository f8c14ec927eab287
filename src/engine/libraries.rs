//! Which libraries lie below a prefix, for whoever knows the bucket alone.

use crate::model::{Result, Target};
use crate::snapshot::{Vault, layout};
use crate::store::ListRequest;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Folders that are looked into at most: buckets of another kind may have millions.
const LOOKS: usize = 200;

/// The targets below the vault's own that have snapshots, in order. Versions are listed, so delete
/// markers hide nothing.
///
/// # Errors
/// The store's.
pub async fn libraries(vault: &Vault) -> Result<Vec<Target>> {
    let mut found = BTreeSet::new();
    let mut folders = VecDeque::from([vault.target().clone()]);
    for _ in 0..LOOKS {
        let Some(folder) = folders.pop_front() else {
            break;
        };
        let below = folders_in(vault, &folder).await?;
        let snapshots = folder.key(layout::SNAPSHOTS);
        if below.contains(&snapshots) && has_snapshots(vault, &folder).await? {
            found.insert(folder.prefix);
            continue;
        }
        let bucket = &folder.bucket;
        // What is no prefix of a target is no library either.
        let targets = below.iter().filter_map(|prefix| {
            let target = Target::parse(&format!("s3://{bucket}/{prefix}")).ok()?;
            (target.listing_prefix() == *prefix).then_some(target)
        });
        folders.extend(targets);
    }
    let bucket = &vault.target().bucket;
    let target = |prefix| Target {
        bucket: bucket.clone(),
        prefix,
    };
    Ok(found.into_iter().map(target).collect())
}

async fn has_snapshots(vault: &Vault, target: &Target) -> Result<bool> {
    let there = Vault::new(Arc::clone(vault.store()), target.clone());
    Ok(!there.list().await?.is_empty())
}

async fn folders_in(vault: &Vault, target: &Target) -> Result<Vec<String>> {
    let mut request = ListRequest {
        prefix: target.listing_prefix(),
        delimiter: true,
        ..ListRequest::default()
    };
    let mut folders = Vec::new();
    loop {
        let page = vault.store().list_versions(&request).await?;
        folders.extend(page.prefixes);
        match page.next {
            Some(next) if folders.len() < LOOKS => request.cursor = Some(next),
            _ => return Ok(folders),
        }
    }
}
