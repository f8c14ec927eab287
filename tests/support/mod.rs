//! What the integration tests share: servers, stores, the built binary, libraries of files.
//!
//! A test that runs against both stores is an async function that takes a [`TestStore`], followed by `on_both!(its_name)`:
//!
//! ```ignore
//! async fn f15_one_byte_file_comes_back(store: TestStore) {
//!     let vault = store.bucket(Lock::On).await;
//!     let library = Library::new();
//!     library.file("2024/a.jpg", 1);
//!     store.tidelock("backup").arg(library.path()).args(["--backup-to", &format!("s3://{vault}/library")]).assert().success();
//! }
//! on_both!(f15_one_byte_file_comes_back);
//! ```
//!
//! It becomes two tests, `…::f15_one_byte_file_comes_back::minio` and `…::localstack`.

mod bucket;
mod disk;
mod exposition;
mod hop;
mod job;
mod library;
mod monitor;
mod night;
mod nobody;
mod proxy;
mod rclone;
mod running;
mod servers;
mod store;
mod terminal;
mod tree;
mod user;
mod vault;

pub(crate) use bucket::{Bucket, Version, url_decode};
pub(crate) use disk::OnSmallDisk;
pub(crate) use exposition::{Samples, parse_strictly};
pub(crate) use hop::Hop;
pub(crate) use job::{Job, Ran, borrowed, files_and_bytes};
pub(crate) use library::{Library, contents};
pub(crate) use monitor::{Monitor, Ping};
pub(crate) use night::{Night, Said};
pub(crate) use nobody::{Nobody, is_root};
pub(crate) use proxy::{Fault, Proxy, Rule, Traffic};
pub(crate) use rclone::{assert_rclone_agrees, run_rclone};
pub(crate) use running::{Running, SLOW};
pub(crate) use servers::{StoreKind, path_with_public_tools, rclone, tool};
pub(crate) use store::{Lock, TestStore, stores, unique_name};
pub(crate) use terminal::{Shown, on_terminal};
pub(crate) use tree::{Compare, assert_same_files, assert_same_tree, differences};
pub(crate) use user::User;

use std::future::Future;

/// Runs an async test body to its end on a runtime of its own.
pub(crate) fn block_on<F: Future>(body: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(body)
}

/// Runs `body` against the store of that kind; says so and does nothing where the store is left out by name.
pub(crate) fn on_store<F: Future<Output = ()>>(kind: StoreKind, body: impl FnOnce(TestStore) -> F) {
    match TestStore::new(kind) {
        Some(store) => block_on(body(store)),
        None => eprintln!("left out: {} is off", kind.variable()),
    }
}

/// `on_both!(name, …)`: makes of each async function `name(TestStore)` two tests, `name::minio` and `name::localstack`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn minio() {
                $crate::support::on_store($crate::support::StoreKind::Minio, super::$name);
            }
            #[test]
            fn localstack() {
                $crate::support::on_store($crate::support::StoreKind::Localstack, super::$name);
            }
        }
    )+};
}
pub(crate) use on_both;

/// As [`on_both!`], for what happens on this side of the store: `name::minio` alone.
macro_rules! on_minio {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn minio() {
                $crate::support::on_store($crate::support::StoreKind::Minio, super::$name);
            }
        }
    )+};
}
pub(crate) use on_minio;

/// As [`on_both!`], for what only LocalStack has: `name::localstack` alone.
macro_rules! on_localstack {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn localstack() {
                $crate::support::on_store($crate::support::StoreKind::Localstack, super::$name);
            }
        }
    )+};
}
pub(crate) use on_localstack;
