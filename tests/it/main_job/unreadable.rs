//! What can't be read is not deleted, night after night.

use std::process::Command;

use crate::support::{Job, Ran, TestStore, assert_same_tree, on_both};

async fn f03_what_cannot_be_read_is_named_carried_and_stops_all_deletes(store: TestStore) {
    let job = Job::new(store).await;
    let library = &job.library;
    library.file("closed/folder/a", 100);
    library.file("closed/b", 200);
    library.file("open/edited", 300);
    library.file("open/deleted", 400);
    library.file("open/secret", 500);
    library.symlink("closed/link", "b");
    job.run(0);
    library.mode("closed", 0);
    library.mode("open/secret", 0);
    library.write("open/edited", b"edited");
    library.remove("open/deleted");

    for night in 0..2 {
        let partial = run_as_a_plain_user(&job).ended(3);
        partial.assert_counts(&[("sync.deleted", 0), ("sync.uploaded", 1 - night)]);
        assert!(partial.errors().contains("closed"), "{}", partial.errors());
        assert_eq!(job.mirror.keys().await.len(), 5);
        assert_eq!(job.latest()["complete"], false);
        let entries = job.ls(&partial.snapshot());
        let carried = entries.iter().filter(|entry| entry["carried"] == true);
        let carried: Vec<_> = carried
            .map(|entry| entry["path"].as_str().unwrap())
            .collect();
        for path in ["closed/b", "closed/folder/a", "closed/link", "open/deleted"] {
            assert!(carried.contains(&path), "{path} in {carried:?}");
        }
        assert!(!carried.contains(&"open/edited"));
    }

    library.mode("closed", 0o755);
    library.mode("open/secret", 0o600);
    job.run(0)
        .assert_counts(&[("sync.deleted", 1), ("backup.uploaded", 0)]);
    assert_eq!(job.latest()["complete"], true);
    let restored = job.restore(&[]);
    assert_same_tree(library.path(), restored.path());
}
on_both!(f03_what_cannot_be_read_is_named_carried_and_stops_all_deletes);

/// `tidelock run` without root's right to read everything, which no permission bits could take away.
fn run_as_a_plain_user(job: &Job) -> Ran {
    let run = job.command("run");
    if !rustix::process::geteuid().is_root() {
        return Ran::of(&{ run }.output().unwrap());
    }
    let mut command: Command = job.store.clean_command("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search");
    command.arg(run.get_program()).args(run.get_args());
    Ran::of(&command.output().expect("setpriv (util-linux) runs"))
}
