//! Listings in ranges against the model store.

use super::*;
use crate::engine::pace::Pace;
use crate::engine::retry::Retrier;
use crate::engine::stop::Stop;
use crate::model::{Crc64, Events, Side, Target};
use crate::store::model::ModelStore;
use crate::store::{Attributes, BucketInfo, Condition, Put, Store};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

async fn store_of(paths: &[String], page: usize) -> ModelStore {
    let store = ModelStore::new("mirror", BucketInfo::default());
    store.page_size(page);
    let base = KeyBase::new("lib/");
    for path in paths {
        let put = Put {
            key: base.key_of(&RelPath::from(path.as_str())).key,
            body: Default::default(),
            crc64nvme: Crc64::of(b""),
            attributes: Attributes::default(),
            condition: Condition::Always,
        };
        store.put(put).await.unwrap();
    }
    store
}

fn client(store: ModelStore) -> Client {
    Client {
        side: Side::Sync,
        target: Target::parse("s3://mirror/lib").unwrap(),
        store: Arc::new(store),
        retrier: Retrier::new(
            Arc::new(Pace::new(4, None)),
            Stop::default(),
            Duration::from_secs(60),
        ),
        events: Events::none(),
    }
}

async fn paths(client: &Client, splits: &[String]) -> Vec<String> {
    let listing = Listing::read(client, splits).await.unwrap();
    let paths = listing.objects.into_iter().map(|object| object.path);
    paths.map(|path| path.to_string()).collect()
}

proptest! {
    #[test]
    fn all_ranges_together_are_the_whole(
        mut names in prop::collection::btree_set("[a-c./ ]{1,4}", 0..40),
        splits in prop::collection::btree_set("lib/[a-c./ ]{0,4}|[a-z]", 0..6),
        page in 1_usize..7,
    ) {
        names.retain(|name| !name.starts_with('/') && !name.ends_with('/') && !name.contains("//"));
        let names: Vec<String> = names.into_iter().collect();
        let splits: Vec<String> = splits.into_iter().collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = client(store_of(&names, page).await);
            assert_eq!(paths(&client, &splits).await, paths(&client, &[]).await);
        });
    }
}

#[tokio::test]
async fn a_store_that_begins_where_it_likes_is_listed_page_by_page() {
    let names: Vec<String> = (0..30).map(|no| format!("{no:02}")).collect();
    let store = store_of(&names, 7).await.without_start_after();
    let splits = ["lib/10".to_owned(), "lib/20".to_owned()];
    assert_eq!(paths(&client(store), &splits).await, names);
}

#[test]
fn what_lies_below_an_object_is_known_by_its_folders() {
    let object = |path: &str| MirrorObject {
        path: RelPath::from(path),
        key: format!("lib/{path}"),
        size: 0,
        etag: String::new(),
    };
    let listing = Listing {
        objects: ["a-", "a/b", "c"].map(object).into_iter().collect(),
        ..Listing::default()
    };
    for (path, is_below) in [
        ("a/b/x", true),
        ("a/b/x/y", true),
        ("c/d", true),
        ("a/b", false),
        ("a/bx", false),
        ("a-x/y", false),
        ("x", false),
    ] {
        assert_eq!(listing.is_below_an_object(&path.into()), is_below, "{path}");
    }
}
