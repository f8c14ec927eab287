//! Several libraries in one file.

use std::fs;

use serde_json::json;

use crate::support::{Night, TestStore, on_both, on_minio};

async fn one_library_that_fails_does_not_stop_the_others(store: TestStore) {
    let night = Night::new(store, "", "").await;
    let said = night.expect(0, &["run"]);
    assert_eq!(said.summaries(), [("photos", 0), ("papers", 0), ("", 0)]);
    let keys = |keys: Vec<String>| {
        let files = keys.into_iter().filter(|key| !key.contains(".tidelock"));
        files.collect::<Vec<_>>()
    };
    let mirrored = keys(night.mirror.keys().await);
    assert_eq!(mirrored, ["all/papers/tax.pdf", "all/photos/2024/a.jpg"]);

    // The first one's disk is unplugged.
    let (there, away) = (night.photos.path(), night.in_home("away"));
    fs::rename(there, &away).unwrap();
    night.papers.file("new.pdf", 100);
    let said = night.expect(4, &["run"]);
    assert_eq!(said.summaries(), [("photos", 4), ("papers", 0), ("", 4)]);
    assert_eq!(
        said.last()["libraries"],
        json!([{"name": "photos", "exit_code": 4}, {"name": "papers", "exit_code": 0}])
    );
    let errors = said.last()["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    let mirrored = keys(night.mirror.keys().await);
    assert_eq!(
        mirrored,
        [
            "all/papers/new.pdf",
            "all/papers/tax.pdf",
            "all/photos/2024/a.jpg"
        ]
    );
    fs::rename(&away, there).unwrap();

    // People get a heading for each and a line for each at the end.
    let output = night.output(&["run"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!("\nphotos  {}\n", there.display())),
        "{text}"
    );
    assert!(
        text.contains("\nphotos  done\npapers  done\n2 libraries in "),
        "{text}"
    );
}
on_both!(one_library_that_fails_does_not_stop_the_others);

async fn a_name_chooses_one_for_every_command_that_takes_a_library(store: TestStore) {
    let night = Night::new(store, "", "").await;
    for verb in [
        "run",
        "sync",
        "backup",
        "status",
        "verify",
        "renew",
        "prune",
        "snapshots",
    ] {
        let said = night.expect(0, &[verb, "papers"]);
        assert_eq!(said.summaries(), [("papers", 0)], "{verb}");
        let others = night.mirror.keys().await.into_iter();
        let others = others.chain(night.vault.keys().await);
        assert_eq!(
            others.filter(|key| key.contains("photos")).count(),
            0,
            "{verb}"
        );

        let said = night.expect(2, &[verb, "paper"]);
        assert_eq!(said.summaries(), [("", 2)], "{verb}");
        assert!(
            said.stderr.contains("did you mean \"papers\"?"),
            "{}",
            said.stderr
        );
    }
    let said = night.expect(2, &["run", "holidays"]);
    assert!(
        said.stderr.contains("has photos, papers"),
        "{}",
        said.stderr
    );
    // A folder of that name stands for itself.
    fs::create_dir(night.in_home("holidays")).unwrap();
    let said = night.expect(2, &["run", "./holidays"]);
    assert!(
        said.stderr.contains("none of the configured"),
        "{}",
        said.stderr
    );
}
on_minio!(a_name_chooses_one_for_every_command_that_takes_a_library);

async fn all_commands_that_can_go_through_all_libraries(store: TestStore) {
    let night = Night::new(store, "", "").await;
    night.expect(0, &["run"]);
    for verb in [
        "sync",
        "backup",
        "status",
        "verify",
        "renew",
        "prune",
        "snapshots",
    ] {
        let said = night.expect(0, &[verb]);
        assert_eq!(
            said.summaries(),
            [("photos", 0), ("papers", 0), ("", 0)],
            "{verb}"
        );
    }
    let said = night.expect(2, &["restore", "--to", "x"]);
    assert!(said.stderr.contains("--library photos"), "{}", said.stderr);
    // One prefix holds one library.
    let target = format!("s3://{}/other", night.vault.name);
    let said = night.expect(2, &["run", "--backup-to", &target]);
    assert!(
        said.stderr.contains("name one of photos, papers"),
        "{}",
        said.stderr
    );
    assert_eq!(said.summaries(), [("", 2)]);
}
on_minio!(all_commands_that_can_go_through_all_libraries);

async fn the_time_budget_is_shared_by_all(store: TestStore) {
    let night = Night::new(store, "", "").await;
    // Used up in the middle of the first library.
    night.photos.file("2024/film.mov", 16 << 20);
    let said = night.expect(7, &["run", "--time-budget", "2s", "--bwlimit", "1M"]);
    assert_eq!(said.summaries(), [("photos", 7), ("papers", 7), ("", 7)]);
    let expected = "the time budget is used up";
    assert_eq!(said.errors().matches(expected).count(), 2, "{said:#?}");
    night.expect(0, &["run"]);
}
on_minio!(the_time_budget_is_shared_by_all);

async fn logs_of_ci_fold_the_way_and_not_the_end(store: TestStore) {
    let night = Night::new(store, "", "").await;
    let mut command = night.store.std_tidelock("run");
    let output = command.args(["papers", "-v"]).env("GITHUB_ACTIONS", "true");
    let text = String::from_utf8(output.output().unwrap().stdout).unwrap();
    let (way, end) = text.split_once("\n::endgroup::\n").expect("a group");
    assert!(way.starts_with("::group::tidelock run papers\n"), "{text}");
    assert!(
        way.contains("tax.pdf") && end.contains("snapshot "),
        "{text}"
    );
    // Programs get JSON Lines alone.
    let mut command = night.store.std_tidelock("run");
    let output = command
        .args(["papers", "--json"])
        .env("GITHUB_ACTIONS", "true");
    let text = String::from_utf8(output.output().unwrap().stdout).unwrap();
    assert!(!text.contains("::group::"), "{text}");
}
on_minio!(logs_of_ci_fold_the_way_and_not_the_end);
