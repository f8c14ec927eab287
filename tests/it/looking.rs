//! What people see on a terminal: tables, colours, the pager, the list to pick from, the question
//! before a large restore.

use crate::support::{Job, Shown, TestStore, files_and_bytes, on_minio, on_terminal};
use std::path::Path;
use std::process::Command;

/// A library of some dozen files, run once.
async fn job(store: TestStore) -> Job {
    let job = Job::new(store).await;
    for number in 0..30 {
        job.library
            .file(format!("2024/Rome/IMG_{number:04}.jpg"), 100 + number);
    }
    job.library.file("2023/a.jpg", 7);
    job.library.file("notes.txt", 3);
    job.run(0);
    job
}

/// `tidelock VERB` as a person types it.
fn typed(job: &Job, verb: &str, more: &[&str]) -> Command {
    let mut command = job.store.std_tidelock(verb);
    command.args(["--backup-to", &job.backup_to()]).args(more);
    command
}

fn restore(job: &Job, to: &Path, more: &[&str]) -> Command {
    let mut command = typed(job, "restore", more);
    command.arg("--to").arg(to);
    command
}

const SCREEN: (u16, u16) = (80, 12);

async fn a_long_list_goes_through_the_pager_and_a_short_one_does_not(store: TestStore) {
    let job = job(store).await;
    let paged = |shown: &Shown| {
        let lines = shown.lines();
        lines
            .iter()
            .filter(|line| line.starts_with("paged:"))
            .count()
    };
    let ls = |pager: &str, more: &[&str]| {
        let mut command = typed(&job, "ls", more);
        command.env("PAGER", pager);
        on_terminal(&command, SCREEN, &[]).ended(0)
    };
    let prefix = "sed -e s/^/paged:/";
    assert_eq!(paged(&ls(prefix, &[])), 32, "all lines");
    assert_eq!(paged(&ls(prefix, &["2023"])), 0, "one line");
    for (pager, more) in [
        (prefix, &["--no-pager"][..]),
        ("cat", &[]),
        ("", &[]),
        ("/no/such", &[]),
    ] {
        let shown = ls(pager, more);
        assert_eq!(paged(&shown), 0, "{}", shown.output);
        let rows = shown
            .lines()
            .iter()
            .filter(|line| line.ends_with(".jpg"))
            .count();
        assert_eq!(rows, 31, "{pager:?}: {}", shown.output);
    }
    // No terminal, no pager; a machine gets rows alone.
    let mut piped = typed(&job, "ls", &[]);
    let output = piped.env("PAGER", prefix).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), 32, "{text}");
    assert!(
        !text.contains("paged:") && !text.contains('\u{1b}'),
        "{text}"
    );
}

async fn whoever_leaves_the_pager_early_ends_the_command_with_0(store: TestStore) {
    let job = job(store).await;
    let mut command = typed(&job, "ls", &[]);
    let shown = on_terminal(command.env("PAGER", "head -n 2"), SCREEN, &[]).ended(0);
    let rows = shown
        .lines()
        .iter()
        .filter(|line| line.ends_with(".jpg"))
        .count();
    assert_eq!(rows, 2, "{}", shown.output);
    assert!(!shown.output.contains("error"), "{}", shown.output);
    // The usual one, where it is installed.
    if Command::new("less").arg("--version").output().is_ok() {
        let shown = on_terminal(&typed(&job, "ls", &[]), SCREEN, &[(":", "q")]).ended(0);
        assert!(!shown.output.contains("IMG_0029"), "{}", shown.output);
    }
}

async fn colours_are_for_terminals_and_can_be_refused(store: TestStore) {
    let job = job(store).await;
    let first = job.latest()["id"].as_str().expect("an id").to_owned();
    job.library.remove("2023/a.jpg");
    job.run(0);
    let diff = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = typed(&job, "diff", &[&first, "latest"]);
        command.args(more).envs(variables.iter().copied());
        on_terminal(&command, SCREEN, &[]).ended(0)
    };
    let shown = diff(&[], &[]);
    assert!(
        shown.output.contains("\u{1b}[31m-\u{1b}[0m"),
        "{:?}",
        shown.output
    );
    let row = |shown: &Shown| {
        let lines = shown.lines();
        lines.into_iter().find(|line| line.ends_with("2023/a.jpg"))
    };
    let plain = row(&shown);
    assert!(
        plain.as_ref().is_some_and(|row| row.starts_with("-  ")),
        "{plain:?}"
    );
    for (variables, more) in [
        (&[("NO_COLOR", "1")][..], &[][..]),
        (&[("TERM", "dumb")], &[]),
        (&[], &["--color", "never"]),
    ] {
        let shown = diff(variables, more);
        assert!(
            !shown.output.contains("\u{1b}["),
            "{variables:?} {:?}",
            shown.output
        );
        assert_eq!(row(&shown), plain, "colours carry nothing alone");
    }
    let shown = diff(&[("NO_COLOR", "1")], &["--color=always"]);
    assert!(
        shown.output.contains("\u{1b}[31m"),
        "a flag beats the variable"
    );
}

async fn forty_columns_show_whole_paths_and_local_time(store: TestStore) {
    let job = Job::new(store).await;
    let long = "2024/A summer in Rome with everybody/IMG_0001 (edited, cropped).jpg";
    job.library.file(long, 5);
    job.library.mtime(long, 1_700_000_000, 0);
    job.run(0);
    let mut command = typed(&job, "ls", &[]);
    let shown = on_terminal(command.env("TZ", "Asia/Tokyo"), (40, 24), &[]).ended(0);
    let lines = shown.lines();
    assert!(
        lines.iter().all(|line| line.chars().count() <= 40),
        "{lines:?}"
    );
    assert!(lines.concat().contains(long), "{lines:?}");
    assert!(
        shown.output.contains("2023-11-15 07:13  5 B"),
        "{}",
        shown.output
    );
    // Machines get UTC.
    let rows = job.ls("latest");
    assert!(
        rows.iter()
            .any(|row| row["mtime"] == "2023-11-14T22:13:20Z"),
        "{rows:?}"
    );
}

async fn forty_columns_hold_what_is_foretold_what_is_set_up_and_what_doctor_says(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a.jpg", 5);
    let fits = |verb: &str, exit: i64, from: &str| {
        let mut command = job.store.std_tidelock(verb);
        if verb == "run" {
            command.arg(job.library.path()).arg("-n");
        } else if verb.is_empty() {
            command = job.store.clean_command(env!("CARGO_BIN_EXE_tidelock"));
        }
        command.args(["--sync-to", &job.sync_to(), "--backup-to", &job.backup_to()]);
        let lines = on_terminal(&command, (40, 24), &[]).ended(exit).lines();
        let lines = lines.iter().skip_while(|line| !line.starts_with(from));
        let lines: Vec<&String> = lines
            .take_while(|line| !line.contains(':') || !line.starts_with("error"))
            .collect();
        assert!(lines.len() > 5, "{verb}: {lines:?}");
        let wide = lines.iter().filter(|line| line.chars().count() > 40);
        assert_eq!(wide.count(), 0, "{verb}: {lines:#?}");
    };
    fits("run", 0, "sync      ");
    fits("", 0, "  sync ");
    fits("doctor", 5, "ok ");
}

async fn files_and_folders_are_picked_from_a_list(store: TestStore) {
    let job = job(store).await;
    let folder = tempfile::tempdir().expect("a folder");
    let pick = |name: &str, steps: &[(&str, &str)]| {
        let to = folder.path().join(name);
        let shown = on_terminal(&restore(&job, &to, &["--pick"]), (60, 15), steps);
        (shown, to)
    };
    // Two marks, found by typing.
    let (shown, to) = pick(
        "two",
        &[
            ("Esc leaves", "notes\t"),
            ("[x] notes.txt", "\u{15}rome 7\t"),
            ("[x] 2024/Rome/IMG_0007", "\r"),
        ],
    );
    shown.ended(0);
    assert_eq!(files_and_bytes(&to), (2, 110));
    assert!(to.join("2024/Rome/IMG_0007.jpg").exists());
    // The line with the cursor, here a whole folder.
    let (shown, to) = pick(
        "folder",
        &[("> [ ] 2023/", "\u{1b}[B"), ("> [ ] 2024/", "\r")],
    );
    shown.ended(0);
    assert_eq!(files_and_bytes(&to).0, 30);
    // Nothing.
    let (shown, to) = pick("none", &[("Esc leaves", "\u{1b}")]);
    assert!(shown.ended(0).output.contains("nothing was chosen"));
    assert!(!to.exists());
    let (shown, to) = pick("stopped", &[("Esc leaves", "\u{3}")]);
    shown.ended(130);
    assert!(!to.exists());
}

async fn without_a_terminal_nothing_is_picked_and_the_way_out_is_named(store: TestStore) {
    let job = job(store).await;
    let folder = tempfile::tempdir().expect("a folder");
    let output = restore(&job, &folder.path().join("x"), &["--pick"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("name the paths instead") && said.contains("tidelock ls"),
        "{said}"
    );
}

async fn a_person_is_asked_before_files_are_replaced_and_a_script_is_not(store: TestStore) {
    let job = job(store).await;
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path();
    std::fs::write(to.join("notes.txt"), "mine").expect("a file");
    let mine = || std::fs::read(to.join("notes.txt")).expect("there") == b"mine";
    let command = restore(&job, to, &["notes.txt", "--overwrite"]);
    for (answer, exit) in [("\r", 0), ("n\r", 0), ("\u{3}", 130)] {
        let shown = on_terminal(&command, SCREEN, &[("[y/N]", answer)]).ended(exit);
        assert!(
            shown.output.contains("1 file that is there is lost"),
            "{}",
            shown.output
        );
        assert!(
            shown.output.contains("archived  nothing"),
            "{}",
            shown.output
        );
        assert!(mine(), "{answer:?}");
    }
    on_terminal(&command, SCREEN, &[("[y/N]", "y\r")]).ended(0);
    assert!(!mine());
    // Nothing to ask: consent is given, or nobody is there.
    for more in [&["--yes"][..], &["--json"]] {
        std::fs::write(to.join("notes.txt"), "mine").expect("a file");
        let mut command = restore(&job, to, &["notes.txt", "--overwrite"]);
        let shown = on_terminal(command.args(more), SCREEN, &[]).ended(0);
        assert!(
            !shown.output.contains("[y/N]") && !mine(),
            "{}",
            shown.output
        );
    }
    std::fs::write(to.join("notes.txt"), "mine").expect("a file");
    let mut command = restore(&job, to, &["notes.txt", "--overwrite"]);
    assert!(command.output().expect("it runs").status.success());
    assert!(!mine());
}

on_minio!(
    a_long_list_goes_through_the_pager_and_a_short_one_does_not,
    whoever_leaves_the_pager_early_ends_the_command_with_0,
    colours_are_for_terminals_and_can_be_refused,
    forty_columns_hold_what_is_foretold_what_is_set_up_and_what_doctor_says,
    forty_columns_show_whole_paths_and_local_time,
    files_and_folders_are_picked_from_a_list,
    without_a_terminal_nothing_is_picked_and_the_way_out_is_named,
    a_person_is_asked_before_files_are_replaced_and_a_script_is_not,
);
