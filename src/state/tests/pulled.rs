use crate::model::{Content, Error, Identity, RelPath, Target, Time, time};
use crate::state::{Opened, PullState, Pulled, pull_file};
use std::path::{Path, PathBuf};

fn open(file: &Path) -> (PullState, Opened) {
    PullState::open(file, "pid 7", Time::UNIX_EPOCH).unwrap()
}

fn pulled(path: &str) -> Pulled {
    Pulled {
        path: path.into(),
        key: format!("lib/{path}"),
        etag: "etag".into(),
        modified: time::from_unix(1_700_000_000, 5),
        content: Content::of(path.as_bytes()),
        mtime: time::from_unix(-5, 123_456_789),
        identity: Identity {
            inode: u64::MAX,
            ctime: -1,
        },
    }
}

fn file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("deep/pull.sqlite")
}

#[test]
fn what_was_pulled_comes_back_in_the_order_of_paths() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, opened) = open(&file(&dir));
    assert_eq!(opened, Opened::Fresh);
    assert!(!state.is_settled().unwrap());
    state
        .note(&[pulled("b"), pulled("a"), pulled("a/x")], &[])
        .unwrap();
    state.set_settled().unwrap();
    drop(state);
    let (mut state, opened) = open(&file(&dir));
    assert_eq!(opened, Opened::Existing);
    assert!(state.is_settled().unwrap());
    assert_eq!(
        state.all().unwrap(),
        [pulled("a"), pulled("a/x"), pulled("b")]
    );
    let changed = Pulled {
        etag: "other".into(),
        ..pulled("b")
    };
    let gone: RelPath = "a".into();
    state.note(std::slice::from_ref(&changed), &[gone]).unwrap();
    assert_eq!(state.all().unwrap(), [pulled("a/x"), changed]);
}

#[test]
fn one_pull_at_a_time_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_state, _) = open(&file(&dir));
    let second = PullState::open(&file(&dir), "pid 8", Time::UNIX_EPOCH);
    assert!(matches!(second, Err(Error::Held(_))));
}

#[test]
fn a_damaged_one_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, _) = open(&file(&dir));
    state.note(&[pulled("a")], &[]).unwrap();
    drop(state);
    std::fs::write(
        file(&dir),
        b"not a database, but some text of a good length",
    )
    .unwrap();
    let (state, opened) = open(&file(&dir));
    assert!(matches!(opened, Opened::SetAside { .. }), "{opened:?}");
    assert_eq!(state.all().unwrap(), []);
}

#[test]
fn each_folder_and_mirror_has_its_own() {
    let (one, two) = (
        Target::parse("s3://one").unwrap(),
        Target::parse("s3://two").unwrap(),
    );
    let state = Path::new("/state");
    let files = [
        pull_file(state, Path::new("/a/Pictures"), &one, None),
        pull_file(state, Path::new("/b/Pictures"), &one, None),
        pull_file(state, Path::new("/a/Pictures"), &two, None),
        pull_file(
            state,
            Path::new("/a/Pictures"),
            &one,
            Some("https://s3.example.org"),
        ),
    ];
    let distinct: std::collections::HashSet<_> = files.iter().collect();
    assert_eq!(distinct.len(), files.len());
    assert!(
        files[0]
            .to_str()
            .unwrap()
            .starts_with("/state/pull-Pictures-")
    );
}
