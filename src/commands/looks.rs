//! What each command looks like at 80 and at 40 columns, from fixed data.

use super::*;
use crate::config::{Environment, Flags, Raw};
use crate::engine::diff::Change;
use crate::engine::doctor::{Check, Mark};
use crate::engine::history::Span;
use crate::engine::kept::Kept;
use crate::engine::prune::{Freed, Pruned};
use crate::engine::renewal::Renewal;
use crate::engine::verify::{Damage, Verified};
use crate::model::archive::Archive;
use crate::model::{
    Action, Archived, BackupSummary, Blake3, Content, Entry, Event, Failure, InArchive, Kind,
    LibrarySummary, Preview, PullSummary, RestoreSummary, Side, Stored, SyncSummary, Time,
};
use crate::report::tables::{
    BackupRow, Changes, Entries, PathHistory, PruneRow, Snapshots, Spans, SyncRow,
};
use crate::report::testing::{Ended, shown};
use crate::snapshot::{
    Claims, Loaded, Snapshot, SnapshotId, SnapshotRef, SnapshotRetention, as_line,
};
use jiff::ZonedDateTime;
use std::path::PathBuf;
use std::time::Duration;

/// What a command says, of fixed data.
type Act = fn(&Rows, &Events) -> Ended;

/// All commands that print more than a document of another program's making.
const LOOKS: &[(&str, Act)] = &[
    ("overview", overview),
    ("run", run),
    ("sync", sync),
    ("backup", backup),
    ("restore", restore),
    ("pull", pull),
    ("snapshots", snapshots),
    ("ls", ls),
    ("history", history),
    ("diff", diff),
    ("status", status),
    ("verify", verify),
    ("renew", renew),
    ("prune", prune),
    ("init", init),
    ("doctor", doctor),
    ("policy", policy),
    ("recovery-card", recovery_card),
];

#[test]
fn each_command_looks_so_at_80_and_40_columns() {
    for (name, act) in LOOKS {
        for columns in [80, 40] {
            let text = shown(columns, act);
            insta::assert_snapshot!(format!("{name}_{columns}"), text);
        }
    }
}

#[test]
fn one_of_a_thing_is_never_called_many() {
    for (name, act) in LOOKS {
        let text = shown(200, act);
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let next = words
                .peek()
                .map(|it| it.trim_end_matches([',', ';', ':', ')']));
            let next = next.unwrap_or_default();
            let is_plural = next.len() > 2
                && next.ends_with('s')
                && !["is", "was", "has", "differs"].contains(&next);
            let said = word.trim_start_matches('(');
            assert!(said != "1" || !is_plural, "{name}: {word} {next}");
        }
    }
}

fn done(command: &'static str, summary: Summary) -> Ended {
    Ended {
        command,
        exit: ExitCode::Done,
        summary,
        error: None,
    }
}

fn of(command: &'static str, outcome: Outcome) -> Ended {
    Ended {
        command,
        exit: outcome.exit,
        summary: outcome.summary,
        error: outcome.error,
    }
}

fn now() -> ZonedDateTime {
    "2026-11-23T10:00:00+01:00[+01:00]".parse().expect("a time")
}

fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

fn id(text: &str) -> SnapshotId {
    SnapshotId::parse(text).expect("an id")
}

const LAST: &str = "20261123T021500Z-1a2b3c4d";
const BEFORE: &str = "20261122T021500Z-0f0e0d0c";

fn entry(path: &str, kind: Kind, size: u64) -> Entry {
    let mut entry = Entry::new(path.into(), kind);
    if kind == Kind::File {
        entry.content = Some(Content {
            size,
            ..Content::of(b"tide")
        });
        entry.stored = Some(Stored {
            key: format!("library/files/{path}"),
            version_id: "be2a719d-43ef-4d43-b180-7457e3195af9".to_owned(),
            etag: String::new(),
        });
    }
    entry.mtime = Some(time("2026-11-20T22:30:05Z"));
    entry
}

fn entries() -> Vec<Entry> {
    let mut link = entry("2024/latest", Kind::Symlink, 0);
    link.target = Some(b"Rome/IMG_0001.jpg".to_vec());
    let mut carried = entry(
        "2024/夏休み/海とe\u{301}te\u{301} IMG_0003.jpg",
        Kind::File,
        3 << 20,
    );
    carried.carried = true;
    vec![
        entry("2024/Rome/IMG_0001.jpg", Kind::File, 1_460),
        link,
        carried,
        entry(
            "2024/A long summer in Rome with everybody and the dog/IMG_0002 (edited, cropped).jpg",
            Kind::File,
            73_400_320,
        ),
        entry("2025/empty", Kind::Dir, 0),
        entry("evil\u{1b}[31m\nname\u{202e}gpj.exe", Kind::File, 1),
    ]
}

fn snapshot(text: &str, complete: bool, suspect: Option<&str>) -> Snapshot {
    let id = id(text);
    Snapshot {
        time: id.time(),
        id,
        host: "nas".to_owned(),
        library: "Pictures".to_owned(),
        tidelock: "0.1.0".to_owned(),
        complete,
        suspect: suspect.map(str::to_owned),
        parent: None,
        parent_blake3: None,
        sync_target: None,
        files: 12_345,
        bytes: 34 << 30,
        manifest: Vec::new(),
        rescued: Vec::new(),
        retention: SnapshotRetention {
            mode: crate::model::Mode::Governance,
            days: 60,
        },
        protected_until: time("2027-01-22T02:15:00Z"),
        config: serde_json::json!({}),
    }
}

fn kept() -> Kept {
    let load = |snapshot: Snapshot| Loaded {
        blake3: Blake3::of(b"snapshot"),
        at: SnapshotRef {
            id: snapshot.id.clone(),
            key: String::new(),
            version_id: String::new(),
            last_modified: snapshot.time,
            size: 0,
        },
        snapshot,
    };
    Kept {
        snapshots: vec![
            load(snapshot(BEFORE, true, None)),
            load(snapshot(LAST, true, None)),
        ],
        unreadable: Vec::new(),
        dropped: Vec::new(),
        overruled: Vec::new(),
        prunes: Vec::new(),
        claims: Claims::new(Duration::from_secs(60 * 86_400)),
        chunks: Vec::new(),
    }
}

fn committed() -> BackupSummary {
    BackupSummary {
        snapshot: Some(LAST.to_owned()),
        protected_until: Some(time("2027-01-22T23:15:00Z")),
        ..BackupSummary::default()
    }
}

fn library() -> Option<LibrarySummary> {
    Some(LibrarySummary {
        files: 12_345,
        bytes: 34 << 30,
        hashed: 3,
        bytes_read: 5 << 20,
        ..LibrarySummary::default()
    })
}

fn overview(rows: &Rows, _: &Events) -> Ended {
    let mut flags = Flags::default();
    flags.library = Some("/no/such/disk/Pictures".into());
    for (id, flag, target) in [
        ("sync.to", "--sync-to", "s3://my-photos/library"),
        ("backup.to", "--backup-to", "s3://my-photos-vault/library"),
    ] {
        flags.set(id, flag, Raw::Text(target.to_owned()));
    }
    let args = super::overview::Args {
        flags,
        environment: environment(),
    };
    of("overview", super::overview::run(&args, rows))
}

fn environment() -> Environment {
    Environment {
        variables: [("HOME".to_owned(), "/no/such/home".to_owned())].into(),
        folder: PathBuf::from("/no/such/folder"),
    }
}

/// The settings of the same.
fn settings() -> Settings {
    let mut flags = Flags::default();
    flags.library = Some("/no/such/disk/Pictures".into());
    for (id, flag, text) in [
        ("sync.to", "--sync-to", "s3://my-photos/library"),
        ("backup.to", "--backup-to", "s3://my-photos-vault/library"),
        ("region", "--region", "eu-central-1"),
    ] {
        flags.set(id, flag, Raw::Text(text.to_owned()));
    }
    let loaded = crate::config::load(&flags, &environment(), Needs::nothing("policy"));
    loaded.expect("settings").settings
}

fn run(_: &Rows, events: &Events) -> Ended {
    events.send(Event::Warning(
        "2024/a.jpg and 2024/A.jpg are one file on some disks".to_owned(),
    ));
    let failure = Failure {
        path: "2024/locked.jpg".to_owned(),
        stage: "read",
        message: "permission denied; give the user who runs this the right to read it".to_owned(),
    };
    events.send(Event::Failed(failure.clone()));
    let summary = Summary {
        library: library().map(|part| LibrarySummary { failed: 1, ..part }),
        sync: Some(SyncSummary {
            uploaded: 2,
            bytes_uploaded: 5 << 20,
            copied: 1,
            unchanged: 12_342,
            ..SyncSummary::default()
        }),
        backup: Some(BackupSummary {
            copied: 2,
            referenced: 1,
            unchanged: 12_342,
            renewed: 1,
            prunable: 1,
            ..committed()
        }),
        errors: vec![failure],
        ..Summary::default()
    };
    Ended {
        exit: ExitCode::Partial,
        ..done("run", summary)
    }
}

fn sync(_: &Rows, events: &Events) -> Ended {
    let planned = |path: &str, action, size| Event::File {
        path: path.into(),
        action,
        side: Some(Side::Sync),
        size,
        planned: true,
    };
    events.send(planned("2024/Rome/IMG_0001.jpg", Action::Upload, 1_460));
    events.send(planned("2023/old.jpg", Action::Delete, 0));
    let text = "dry run, nothing was touched; planned:\nsync: 1 upload, 1 delete";
    events.send(Event::Note(text.to_owned()));
    done(
        "sync",
        Summary {
            library: library(),
            ..Summary::default()
        },
    )
}

fn backup(_: &Rows, _: &Events) -> Ended {
    let backup = BackupSummary {
        uploaded: 1,
        bytes_uploaded: 1_460,
        unchanged: 12_344,
        ..committed()
    };
    done(
        "backup",
        Summary {
            library: library(),
            backup: Some(backup),
            ..Summary::default()
        },
    )
}

fn restore(_: &Rows, events: &Events) -> Ended {
    let archived = |archive, coming| Archived {
        archive,
        coming,
        versions: 1,
        bytes: 3 << 20,
    };
    events.send(Event::Preview(Box::new(Preview {
        to: PathBuf::from("/home/ada/restored"),
        snapshot: Some(LAST.to_owned()),
        files: 12_345,
        others: 1,
        fetch_files: 12_000,
        fetch_bytes: 33 << 30,
        replaced: 1,
        right: 343,
        compared: 1,
        refused: 1,
        free_bytes: Some(120 << 30),
        archive: InArchive::Known(vec![
            archived(Archive::Glacier, false),
            archived(Archive::DeepArchive, true),
        ]),
    })));
    let restore = RestoreSummary {
        snapshot: Some(LAST.to_owned()),
        files: 12_000,
        bytes_downloaded: 33 << 30,
        unchanged: 344,
        archived: 1,
        ..RestoreSummary::default()
    };
    done(
        "restore",
        Summary {
            restore: Some(restore),
            ..Summary::default()
        },
    )
}

fn pull(_: &Rows, _: &Events) -> Ended {
    let pull = PullSummary {
        downloaded: 1,
        bytes_downloaded: 1_460,
        unchanged: 12_344,
        trashed: 2,
        conflicts: 1,
        ..PullSummary::default()
    };
    done(
        "pull",
        Summary {
            pull: Some(pull),
            ..Summary::default()
        },
    )
}

fn snapshots(rows: &Rows, _: &Events) -> Ended {
    let table = Snapshots::new(rows.look(), now().time_zone().clone());
    rows.head(table.head());
    for snapshot in [
        snapshot("20261121T021500Z-00112233", false, None),
        snapshot(
            BEFORE,
            true,
            Some("7,000 of 12,345 files have other content than before"),
        ),
        snapshot(LAST, true, None),
    ] {
        rows.lines(&(), || table.row(&snapshot, false));
    }
    done("snapshots", Summary::default())
}

fn ls(rows: &Rows, _: &Events) -> Ended {
    let table = Entries::new(rows.look(), now().time_zone().clone());
    for entry in entries() {
        rows.lines(&as_line(&entry), || table.row(&entry));
    }
    done("ls", Summary::default())
}

fn history(rows: &Rows, _: &Events) -> Ended {
    let mut table = Spans::new(rows.look(), now().time_zone().clone());
    let span = |path: &str, gone: Option<&str>, rescued| Span {
        entry: entry(path, Kind::File, 73_400_320),
        first: id(BEFORE),
        last: id(LAST),
        gone: gone.map(id),
        rescued,
    };
    for span in [
        span(
            "2024/A long summer in Rome with everybody/IMG_0002 (edited, cropped, sharpened).jpg",
            None,
            true,
        ),
        span("2024/a.jpg", Some(LAST), false),
        span("2024/a.jpg", None, false),
    ] {
        rows.lines(&(), || table.row(&span));
    }
    done("history", Summary::default())
}

fn diff(rows: &Rows, events: &Events) -> Ended {
    let table = Changes::new(rows.look());
    let long =
        "2024/A long summer in Rome with everybody and the dog/IMG_0002 (edited, cropped).jpg";
    for change in [
        Change::Added(entry("2024/Rome/IMG_0001.jpg", Kind::File, 1_460)),
        Change::Modified(entry(long, Kind::File, 73_400_320)),
        Change::Touched(entry("2025/empty", Kind::Dir, 0)),
        Change::Removed(entry("notes.txt", Kind::File, 1)),
    ] {
        rows.lines(&(), || table.row(&change));
    }
    let closing = super::diff::closing((BEFORE, LAST), [1, 1, 1, 1], 73_401_780);
    events.send(Event::Note(closing));
    done("diff", Summary::default())
}

fn status(rows: &Rows, _: &Events) -> Ended {
    let (look, zone) = (rows.look(), now().time_zone().clone());
    let backup = BackupRow {
        target: "backup",
        place: "s3://my-photos-vault/library".to_owned(),
        snapshots: 12,
        id: Some(LAST.to_owned()),
        time: Some(time("2026-11-23T02:15:00Z")),
        age_seconds: Some(24_300),
        complete: Some(false),
        files: 12_345,
        bytes: 34 << 30,
        protected_until: Some(time("2027-01-22T23:15:00Z")),
        renewal_requests: 1,
        round_requests: 12_400,
        ..BackupRow::default()
    };
    let history = |path: &str, versions| PathHistory {
        path: path.to_owned(),
        versions,
        bytes: 3 << 30,
    };
    let freed = |versions| crate::report::tables::Freed {
        versions,
        bytes: 1 << 20,
    };
    let prune = PruneRow {
        target: "prune",
        snapshots: 1,
        now: freed(1),
        later: freed(3),
        later_from: Some(time("2026-12-01T00:00:00Z")),
        later_until: Some(time("2027-01-01T23:30:00Z")),
        most_history: vec![
            history("Lightroom/Catalog.lrcat", 12),
            history("a\u{1b}[2Jb", 1),
        ],
    };
    let sync = SyncRow {
        target: "sync",
        place: "s3://my-photos/library".to_owned(),
        in_sync: 12_343,
        differing: 1,
        missing: 1,
        extra: 1,
    };
    rows.lines(&backup, || backup.text(look, &zone));
    rows.lines(&prune, || prune.text(look, &zone));
    rows.lines(&sync, || sync.text(look));
    of("status", super::status::conclude(Vec::new(), committed()))
}

fn verify(rows: &Rows, events: &Events) -> Ended {
    let damage = |path: &str, healed_by| Damage {
        path: path.to_owned(),
        entry: None,
        problem: "gone",
        message: "its version be2a719d-43ef-4d43-b180-7457e3195af9 is gone".to_owned(),
        snapshots: vec![id(BEFORE), id(LAST)],
        healed_by,
    };
    let healer = Stored {
        key: "library/files/2023/a.jpg".to_owned(),
        version_id: "0c0c0c0c".to_owned(),
        etag: String::new(),
    };
    let verified = Verified {
        kept: kept(),
        damage: vec![
            damage("2024/a.jpg", Some(healer)),
            damage("2024/b.jpg", None),
        ],
        warnings: Vec::new(),
        lost: Vec::new(),
        versions: 12_400,
        read: (1, 1_460),
        archived: 1,
        due: 1,
    };
    super::verify::print(&verified, rows);
    super::verify::tell(&verified, events);
    of(
        "verify",
        super::verify::conclude(&verified, Default::default()),
    )
}

fn renew(_: &Rows, events: &Events) -> Ended {
    let renewal = Renewal {
        kept: kept(),
        versions: 12_400,
        renewed: 1,
        at_risk: 0,
        failures: Vec::new(),
        lost: Vec::new(),
        lost_chunks: Vec::new(),
        protected_until: None,
    };
    of(
        "renew",
        super::renew::conclude(renewal, Default::default(), events),
    )
}

fn prune(_: &Rows, events: &Events) -> Ended {
    let pruned = Pruned {
        dropped: vec![id(BEFORE)],
        kept: 12,
        freed: Freed {
            versions: 1,
            bytes: 1_460,
        },
        later: Freed {
            versions: 3,
            bytes: 3 << 20,
        },
        between: Some((time("2026-12-01T00:00:00Z"), time("2027-01-01T23:30:00Z"))),
        refused: vec![("library/files/a.jpg".to_owned(), "a legal hold".to_owned())],
        ..Pruned::default()
    };
    super::prune::tell(&pruned, &now(), true, events);
    of("prune", super::prune::conclude(pruned, Default::default()))
}

fn init(_: &Rows, events: &Events) -> Ended {
    super::init::tell_ready(&settings(), true, events);
    done("init", Summary::default())
}

fn doctor(rows: &Rows, _: &Events) -> Ended {
    let check = |side, mark, text: &str, advice: Option<&str>, exit| Check {
        side,
        name: "bypass",
        mark,
        text: text.to_owned(),
        advice: advice.map(str::to_owned),
        exit,
    };
    let advice = "give the nightly job keys with no more than `tidelock policy writer` prints";
    let checks = [
        check(
            Side::Sync,
            Mark::Ok,
            "the bucket answers",
            None,
            ExitCode::Done,
        ),
        check(
            Side::Backup,
            Mark::Warn,
            "these keys can destroy the backup",
            Some(advice),
            ExitCode::Damage,
        ),
    ];
    checks
        .iter()
        .for_each(|check| super::doctor::show(check, rows));
    of("doctor", super::doctor::conclude(&checks, rows))
}

fn policy(rows: &Rows, events: &Events) -> Ended {
    let args = super::policy::Args {
        role: "reader".to_owned(),
        provider: None,
    };
    of(
        "policy",
        super::policy::run(&settings(), &args, rows, events),
    )
}

fn recovery_card(rows: &Rows, _: &Events) -> Ended {
    let args = super::recovery_card::Args::default();
    let settings = settings();
    let card = super::recovery_card::run(&settings, &args, rows);
    of("recovery-card", futures::executor::block_on(card))
}
