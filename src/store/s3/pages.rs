//! Listings, page by page.

use super::S3Store;
use super::body::Patience;
use super::convert;
use super::objects::size;
use crate::model::{StoreError, StoreErrorKind, StoreResult};
use crate::store::{Cursor, ListRequest, Object, Page, Version};
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{CommonPrefix, DeleteMarkerEntry, EncodingType, ObjectVersion};
use std::cmp::Reverse;

impl S3Store {
    pub(super) async fn list_objects(&self, list: &ListRequest) -> StoreResult<Page<Object>> {
        let operation = "ListObjectsV2";
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&list.prefix)
            .encoding_type(EncodingType::Url)
            .set_start_after(list.start_after.clone())
            .set_delimiter(list.delimiter.then(|| "/".to_owned()))
            .set_max_keys(list.max_keys)
            .set_continuation_token(list.cursor.as_ref().map(|cursor| cursor.token.clone()))
            .send();
        let page = self
            .send(operation, &list.prefix, &Patience::new(), request)
            .await?;
        let decode = self.decoder(operation, &list.prefix, page.encoding_type());
        let mut items = Vec::with_capacity(page.contents().len());
        for object in page.contents() {
            items.push(Object {
                key: decode(object.key().unwrap_or_default())?,
                size: size(object.size()),
                etag: convert::etag(object.e_tag()),
                last_modified: convert::time(object.last_modified()),
            });
        }
        let next = page.next_continuation_token().map(|token| Cursor {
            token: token.to_owned(),
            second: None,
        });
        Ok(Page {
            items,
            prefixes: prefixes(page.common_prefixes(), &decode)?,
            next: self.next(operation, list, page.is_truncated(), next)?,
        })
    }

    pub(super) async fn list_object_versions(
        &self,
        list: &ListRequest,
    ) -> StoreResult<Page<Version>> {
        let operation = "ListObjectVersions";
        let (key_marker, version_marker) = match &list.cursor {
            Some(cursor) => (Some(cursor.token.clone()), cursor.second.clone()),
            None => (list.start_after.clone(), None),
        };
        let request = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(&list.prefix)
            .encoding_type(EncodingType::Url)
            .set_delimiter(list.delimiter.then(|| "/".to_owned()))
            .set_max_keys(list.max_keys)
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker)
            .send();
        let page = self
            .send(operation, &list.prefix, &Patience::new(), request)
            .await?;
        let decode = self.decoder(operation, &list.prefix, page.encoding_type());
        let next = match page.next_key_marker().filter(|marker| !marker.is_empty()) {
            Some(marker) => Some(Cursor {
                token: decode(marker)?,
                second: page.next_version_id_marker().map(str::to_owned),
            }),
            None => None,
        };
        Ok(Page {
            items: merged(&page, &decode)?,
            prefixes: prefixes(page.common_prefixes(), &decode)?,
            next: self.next(operation, list, page.is_truncated(), next)?,
        })
    }

    /// Where the listing goes on. A page that says "there is more" without saying where, or that
    /// points back to itself, would end or never end a listing: both are errors.
    fn next(
        &self,
        operation: &'static str,
        list: &ListRequest,
        truncated: Option<bool>,
        next: Option<Cursor>,
    ) -> StoreResult<Option<Cursor>> {
        if truncated != Some(true) {
            return Ok(None);
        }
        match next {
            Some(next) if list.cursor.as_ref() != Some(&next) => Ok(Some(next)),
            _ => Err(self.repeats(operation, &list.prefix)),
        }
    }

    pub(super) fn repeats(&self, operation: &'static str, prefix: &str) -> StoreError {
        let why = "the listing repeats itself instead of going on; it can't be trusted";
        self.error(operation, prefix, StoreErrorKind::Invalid, why)
    }

    /// Undoes the encoding that the answer says it has.
    pub(super) fn decoder<'a>(
        &'a self,
        operation: &'static str,
        prefix: &'a str,
        encoding: Option<&EncodingType>,
    ) -> impl Fn(&str) -> StoreResult<String> + 'a {
        let encoded = encoding == Some(&EncodingType::Url);
        move |text| {
            if !encoded {
                return Ok(text.to_owned());
            }
            convert::url_decoded(text).ok_or_else(|| {
                let why = format!("the listing has a key that is not well encoded: {text:?}");
                self.error(operation, prefix, StoreErrorKind::Invalid, why)
            })
        }
    }
}

fn prefixes(
    given: &[CommonPrefix],
    decode: &impl Fn(&str) -> StoreResult<String>,
) -> StoreResult<Vec<String>> {
    let given = given.iter().filter_map(CommonPrefix::prefix);
    given.map(decode).collect()
}

/// The SDK sorts versions and delete markers into two lists; this makes one of them again: by key,
/// then newest first. Each of the two is in order, so equal times keep it (the sort is stable).
fn merged(
    page: &ListObjectVersionsOutput,
    decode: &impl Fn(&str) -> StoreResult<String>,
) -> StoreResult<Vec<Version>> {
    let mut items = Vec::with_capacity(page.versions().len() + page.delete_markers().len());
    for version in page.versions() {
        items.push(version_of(version, decode)?);
    }
    for marker in page.delete_markers() {
        items.push(marker_of(marker, decode)?);
    }
    items.sort_by(|a, b| {
        let rank = |version: &Version| (!version.is_latest, Reverse(version.last_modified));
        a.key.cmp(&b.key).then_with(|| rank(a).cmp(&rank(b)))
    });
    Ok(items)
}

fn version_of(
    version: &ObjectVersion,
    decode: &impl Fn(&str) -> StoreResult<String>,
) -> StoreResult<Version> {
    Ok(Version {
        key: decode(version.key().unwrap_or_default())?,
        version_id: version.version_id().unwrap_or("null").to_owned(),
        is_latest: version.is_latest().unwrap_or(false),
        delete_marker: false,
        size: size(version.size()),
        etag: convert::etag(version.e_tag()),
        last_modified: convert::time(version.last_modified()),
        storage_class: version
            .storage_class()
            .map(|class| class.as_str().to_owned()),
    })
}

fn marker_of(
    marker: &DeleteMarkerEntry,
    decode: &impl Fn(&str) -> StoreResult<String>,
) -> StoreResult<Version> {
    Ok(Version {
        key: decode(marker.key().unwrap_or_default())?,
        version_id: marker.version_id().unwrap_or("null").to_owned(),
        is_latest: marker.is_latest().unwrap_or(false),
        delete_marker: true,
        size: 0,
        etag: String::new(),
        last_modified: convert::time(marker.last_modified()),
        storage_class: None,
    })
}
