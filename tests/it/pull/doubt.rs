//! No deletes on doubt, and no byte that is not proven.

use super::{Ran, Second};
use crate::support::{Fault, Proxy, Rule, TestStore, borrowed, on_both};

/// `count` small files, published and pulled.
async fn pulled(store: TestStore, count: usize) -> Second {
    let second = Second::new(store).await;
    for number in 0..count {
        second
            .job
            .library
            .file(format!("{number:03}.jpg"), 10 + number);
    }
    second.publish();
    second.pull(0);
    second
}

async fn too_many_deletes_are_refused_and_the_printed_override_allows_them(store: TestStore) {
    let second = pulled(store, 30).await;
    for number in 0..11 {
        second.job.library.remove(format!("{number:03}.jpg"));
    }
    second.job.library.file("new.jpg", 5);
    second.publish();
    let ran = second.pull(4);
    ran.assert_counts(&[("pull.downloaded", 1), ("pull.trashed", 0)]);
    assert!(second.at("000.jpg").exists() && second.at("new.jpg").exists());
    let flags = ran.printed_override();
    assert_eq!(flags, ["--max-delete", "11"]);
    let ran = second.pull_with(&borrowed(&flags)).ended(0);
    ran.assert_counts(&[("pull.trashed", 11)]);
    assert!(!second.at("000.jpg").exists());
    second.pull(0).assert_counts(&[("pull.unchanged", 20)]);
}

async fn the_first_pull_moves_nothing_away(store: TestStore) {
    let second = Second::new(store).await;
    for name in ["a", "b", "c"] {
        second.job.library.file(name, 10);
    }
    second.publish();
    // It ends with 3, so it was not the first one that ended well.
    std::fs::create_dir_all(second.at("c")).unwrap();
    second.pull(3);
    second.job.library.remove("a");
    second.publish();
    let ran = second.pull(4);
    assert!(ran.errors().contains("--max-delete 1"), "{}", ran.errors());
    assert!(second.at("a").exists());
}

async fn an_empty_mirror_moves_nothing_away(store: TestStore) {
    let second = pulled(store, 3).await;
    for key in second.job.mirror.keys().await {
        second.job.mirror.delete(&key).await;
    }
    let ran = second.pull_with(&["--max-delete", "100"]).ended(3);
    assert!(ran.errors().contains("--allow-empty"), "{}", ran.errors());
    assert!(second.at("000.jpg").exists());
    let meant = ["--max-delete", "100", "--allow-empty"];
    second
        .pull_with(&meant)
        .ended(0)
        .assert_counts(&[("pull.trashed", 3)]);
}

async fn a_folder_on_a_disk_that_is_not_there_is_not_filled_anew(store: TestStore) {
    let second = pulled(store, 3).await;
    std::fs::rename(second.to(), second.folder.path().join("elsewhere")).unwrap();
    let ran = second.pull(4);
    assert!(ran.errors().contains("not mounted"), "{}", ran.errors());
    assert!(!second.to().exists(), "not even the folder is made");
    std::fs::create_dir(second.to()).unwrap();
    second.pull(4);
    second
        .pull_with(&["--allow-empty"])
        .ended(0)
        .assert_counts(&[("pull.downloaded", 3)]);
}

async fn a_listing_that_lacks_or_repeats_objects_moves_nothing_away(store: TestStore) {
    let second = pulled(store, 12).await;
    let proxy = Proxy::new(&second.machine, 1);
    let machine = proxy.store(&second.machine);
    let state = second.machine.home().join("state");
    // The notes belong to an endpoint, so these pulls have their own.
    let pull = |more: &[&str]| {
        let mut command = second.command_on(&machine, &second.to());
        command.arg("--state-dir").arg(&state).args(more);
        Ran::of(&command.output().unwrap())
    };
    pull(&[]).ended(0);
    let page = |fault| Rule::always(fault).on("ListObjectsV2").skip(1);
    proxy.plan(page(Fault::EmptyPage));
    pull(&["--max-delete", "100"]).ended(3);
    proxy.clear();
    proxy.plan(page(Fault::RepeatPage));
    pull(&["--max-delete", "100"]).ended(3);
    proxy.clear();
    // Empty on purpose, says the user; the objects are there all the same.
    proxy.plan(page(Fault::EmptyPage));
    let ran = pull(&["--max-delete", "100", "--allow-empty"]).ended(3);
    assert!(ran.errors().contains("left out"), "{}", ran.errors());
    proxy.clear();
    pull(&[]).ended(0).assert_counts(&[("pull.unchanged", 12)]);
}

async fn damaged_bytes_are_fetched_again_and_never_named(store: TestStore) {
    let second = Second::new(store).await;
    for name in ["bad.jpg", "good.jpg"] {
        second.job.library.file(name, 5_000);
    }
    second.job.library.file("large.mov", 20 << 20);
    second.publish();
    let proxy = Proxy::new(&second.machine, 1);
    let machine = proxy.store(&second.machine);
    let pull = || Ran::of(&second.command_on(&machine, &second.to()).output().unwrap());
    proxy.plan(Rule::once(Fault::FlipDown).key("good.jpg"));
    proxy.plan(Rule::once(Fault::CutDown).key("large.mov"));
    proxy.plan(Rule::always(Fault::FlipDown).key("bad.jpg"));
    let ran = pull().ended(5);
    assert!(ran.errors().contains("bad.jpg"), "{}", ran.errors());
    assert_eq!(second.names(), ["good.jpg", "large.mov"]);
    assert!(second.read("large.mov") == std::fs::read(second.job.library.at("large.mov")).unwrap());
    proxy.clear();
    pull()
        .ended(0)
        .assert_counts(&[("pull.downloaded", 1), ("pull.unchanged", 2)]);
    assert_eq!(
        second.read("bad.jpg"),
        std::fs::read(second.job.library.at("bad.jpg")).unwrap()
    );
}

async fn a_file_that_can_t_be_fetched_keeps_the_old_ones(store: TestStore) {
    let second = pulled(store, 3).await;
    let proxy = Proxy::new(&second.machine, 1);
    let machine = proxy.store(&second.machine);
    let pull = || Ran::of(&second.command_on(&machine, &second.to()).output().unwrap());
    pull().ended(0);
    second.job.library.remove("000.jpg");
    second.job.library.file("new.jpg", 500);
    second.publish();
    proxy.plan(
        Rule::always(Fault::Refuse(403, "AccessDenied"))
            .on("GetObject")
            .key("new.jpg"),
    );
    let ran = pull().ended(3);
    assert!(ran.errors().contains("new.jpg"), "{}", ran.errors());
    assert!(second.at("000.jpg").exists(), "{}", ran.errors());
    proxy.clear();
    pull().ended(0).assert_counts(&[("pull.trashed", 1)]);
}

on_both!(
    a_file_that_can_t_be_fetched_keeps_the_old_ones,
    a_folder_on_a_disk_that_is_not_there_is_not_filled_anew,
    a_listing_that_lacks_or_repeats_objects_moves_nothing_away,
    an_empty_mirror_moves_nothing_away,
    damaged_bytes_are_fetched_again_and_never_named,
    the_first_pull_moves_nothing_away,
    too_many_deletes_are_refused_and_the_printed_override_allows_them,
);
