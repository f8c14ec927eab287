//! A bucket as it really is: everything that it holds, looked at through the SDK alone.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::EncodingType;

use super::store::{Lock, TestStore};

/// One bucket of a store.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// One version, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) key: String,
    pub(crate) version_id: String,
    pub(crate) size: i64,
    pub(crate) etag: String,
    pub(crate) marker: bool,
}

impl Bucket {
    pub(crate) fn new(store: &TestStore, name: &str) -> Self {
        Self {
            client: store.client(),
            name: name.to_owned(),
        }
    }

    /// All current objects, with their ETags, in the order of their keys' bytes.
    pub(crate) async fn objects(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let listing = self.client.list_objects_v2().bucket(&self.name);
        let mut pages = listing
            .encoding_type(EncodingType::Url)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for object in page.expect("a page of the listing").contents() {
                let etag = object.e_tag().expect("an ETag").to_owned();
                all.insert(url_decode(object.key().expect("a key")), etag);
            }
        }
        all
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        self.objects().await.into_keys().collect()
    }

    /// All versions and delete markers, sorted.
    pub(crate) async fn versions(&self) -> Vec<Version> {
        let mut all = Vec::new();
        let (mut key, mut version) = (None, None);
        loop {
            let request = self.client.list_object_versions().bucket(&self.name);
            let request = request.encoding_type(EncodingType::Url);
            let request = request.set_key_marker(key).set_version_id_marker(version);
            let page = request.send().await.expect("a page of versions");
            all.extend(page.versions().iter().map(|found| Version {
                key: url_decode(found.key().expect("a key")),
                version_id: found.version_id().expect("an id").to_owned(),
                size: found.size().expect("a size"),
                etag: found.e_tag().expect("an ETag").to_owned(),
                marker: false,
            }));
            all.extend(page.delete_markers().iter().map(|found| Version {
                key: url_decode(found.key().expect("a key")),
                version_id: found.version_id().expect("an id").to_owned(),
                size: 0,
                etag: String::new(),
                marker: true,
            }));
            if page.is_truncated() != Some(true) {
                all.sort();
                return all;
            }
            key = page.next_key_marker().map(url_decode);
            version = page.next_version_id_marker().map(str::to_owned);
        }
    }

    /// The versions below a prefix.
    pub(crate) async fn versions_below(&self, prefix: &str) -> Vec<Version> {
        let mut versions = self.versions().await;
        versions.retain(|version| version.key.starts_with(prefix));
        versions
    }

    pub(crate) async fn head(&self, key: &str) -> HeadObjectOutput {
        let head = self.client.head_object().bucket(&self.name).key(key).send();
        head.await
            .unwrap_or_else(|error| panic!("{key}: {error:?}"))
    }

    pub(crate) async fn get(&self, key: &str, version: Option<&str>) -> Vec<u8> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let fetched = request
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
            .unwrap_or_else(|error| panic!("{key}: {error:?}"));
        fetched.body.collect().await.expect("its body").to_vec()
    }

    /// As a stranger would, without any metadata.
    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) {
        let body = ByteStream::from(bytes.to_vec());
        let put = self.client.put_object().bucket(&self.name).key(key);
        put.body(body).send().await.expect("an upload");
    }

    pub(crate) async fn delete(&self, key: &str) {
        let delete = self.client.delete_object().bucket(&self.name).key(key);
        delete.send().await.expect("a delete");
    }

    /// Deletes the bucket and all that is in it, locks or not.
    pub(crate) async fn destroy(&self, lock: Lock) {
        // LocalStack takes it for a bucket with lock alone.
        let bypass = (lock == Lock::On).then_some(true);
        for version in self.versions().await {
            let delete = self.client.delete_object().bucket(&self.name);
            let delete = delete.key(&version.key).version_id(&version.version_id);
            let delete = delete.set_bypass_governance_retention(bypass).send();
            delete.await.expect("a delete of a version");
        }
        let delete = self.client.delete_bucket().bucket(&self.name).send();
        delete.await.expect("an empty bucket");
    }

    /// Mode and end of a version's lock.
    pub(crate) async fn lock_of(&self, version: &Version) -> Option<(String, DateTime)> {
        let request = self.client.get_object_retention().bucket(&self.name);
        let request = request.key(&version.key).version_id(&version.version_id);
        let answer = request.send().await.ok()?;
        let retention = answer.retention()?;
        let mode = retention.mode()?.as_str().to_owned();
        Some((mode, *retention.retain_until_date()?))
    }
}

/// Undoes `encoding-type=url`.
pub(crate) fn url_decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces
        .next()
        .unwrap_or_default()
        .replace('+', " ")
        .into_bytes();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hex digits"));
        bytes.extend(piece[2..].replace('+', " ").bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}
