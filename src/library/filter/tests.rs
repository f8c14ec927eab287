use super::*;
use std::fs;

fn settings() -> LibrarySettings {
    LibrarySettings {
        path: PathBuf::new(),
        name: None,
        exclude: Vec::new(),
        include: Vec::new(),
        default_excludes: true,
        mtime: crate::model::MtimePolicy::Keep,
        ignore_inode: false,
        ignore_ctime: false,
        cloud_files: crate::model::CloudFiles::Skip,
    }
}

/// Patterns of the settings and `(folder, text)` of ignore files, then which paths are left
/// out; a trailing `/` makes a folder.
fn check(exclude: &[&str], include: &[&str], files: &[(&str, &str)], cases: &[(&str, bool)]) {
    let dir = tempfile::tempdir().expect("temp dir");
    for (folder, text) in files {
        let folder = dir.path().join(folder);
        fs::create_dir_all(&folder).expect("mkdir");
        fs::write(folder.join(IGNORE_FILE), text).expect("write");
    }
    let settings = LibrarySettings {
        exclude: exclude.iter().copied().map(str::to_owned).collect(),
        include: include.iter().copied().map(str::to_owned).collect(),
        ..settings()
    };
    let filter = Filter::new(dir.path(), &settings).expect("patterns");
    for (folder, _) in files {
        assert!(filter.admits(&dir.path().join(folder), true));
    }
    for (path, admitted) in cases {
        let full = dir.path().join(path.trim_end_matches('/'));
        assert_eq!(
            filter.admits(&full, path.ends_with('/')),
            *admitted,
            "{path}"
        );
    }
}

#[test]
fn excludes_are_gitignore_patterns_below_the_root() {
    check(
        &["*.tmp", "/top", "cache/", "#recycle", "a/**/z", "!keep.tmp"],
        &[],
        &[],
        &[
            ("x.tmp", false),
            ("deep/x.tmp", false),
            ("keep.tmp", true),
            ("top", false),
            ("deep/top", true),
            ("cache", true),
            ("cache/", false),
            ("#recycle", false),
            ("a/b/c/z", false),
            (".gitignore", true),
            (".hidden", true),
        ],
    );
}

#[test]
fn only_what_is_on_the_system_list_is_left_out() {
    let all = [
        ".Spotlight-V100/",
        ".Trashes/",
        ".fseventsd/",
        ".TemporaryItems/",
        "$RECYCLE.BIN/",
        "System Volume Information/",
        "lost+found/",
        "@eaDir/",
        "#recycle/",
        "#snapshot/",
        ".tidelock-trash/",
        ".tidelock-restore-0123456789abcdef.tmp",
    ]
    .map(|name| (name, false));
    check(&[], &[], &[], &all);
    check(
        &[],
        &[],
        &[],
        &[
            ("a/@eaDir/", false),
            ("a/.tidelock-restore-0123456789abcdef.tmp", false),
            ("@eaDir", true),
            ("#recycle", true),
            (".tidelock-restore-notes.txt", true),
        ],
    );
    check(
        &["!@eaDir"],
        &[],
        &[],
        &[("@eaDir/", true), ("lost+found/", false)],
    );
    let keep = LibrarySettings {
        default_excludes: false,
        ..settings()
    };
    let dir = tempfile::tempdir().expect("temp dir");
    let filter = Filter::new(dir.path(), &keep).expect("patterns");
    assert!(filter.admits(&dir.path().join("lost+found"), true));
}

#[test]
fn deeper_rules_beat_those_above_and_include_beats_all() {
    check(
        &["*.raw", "*.log"],
        &["wanted.*"],
        &[
            ("", "*.jpg\n# a comment\n!kept.log\r\n"),
            ("album", "!*.jpg\n*.raw\nwanted.raw"),
        ],
        &[
            ("x.jpg", false),
            ("album/x.jpg", true),
            ("album-2/x.jpg", false),
            ("x.log", false),
            ("kept.log", true),
            ("album/kept.log", true),
            ("x.raw", false),
            ("album/wanted.raw", true),
            ("wanted.jpg", true),
        ],
    );
}

#[test]
fn a_pattern_that_is_none_is_a_usage_error_that_names_it() {
    let wrong = LibrarySettings {
        exclude: vec!["a/{b".into()],
        ..settings()
    };
    let error = Filter::new(Path::new("/nowhere"), &wrong).expect_err("no pattern");
    assert!(
        matches!(&error, Error::Usage(text) if text.contains("a/{b")),
        "{error}"
    );
}

#[test]
fn f13_an_ignore_file_that_is_no_file_neither_blocks_nor_leads_out() {
    let dir = tempfile::tempdir().expect("temp dir");
    let at = |folder: &str| dir.path().join(folder).join(IGNORE_FILE);
    for folder in ["fifo", "link", "folder", "broken"] {
        fs::create_dir(dir.path().join(folder)).expect("mkdir");
    }
    let made = std::process::Command::new("mkfifo")
        .arg(at("fifo"))
        .status();
    assert!(made.expect("mkfifo").success());
    fs::write(dir.path().join("elsewhere"), "*").expect("write");
    std::os::unix::fs::symlink("../elsewhere", at("link")).expect("symlink");
    fs::create_dir(at("folder")).expect("mkdir");
    fs::write(at("broken"), b"a/{b\n\xff\n*.tmp\n").expect("write");

    let filter = Filter::new(dir.path(), &settings()).expect("patterns");
    for folder in ["fifo", "link", "folder", "broken"] {
        assert!(filter.admits(&dir.path().join(folder), true));
        assert!(filter.admits(&dir.path().join(folder).join("x"), false));
    }
    assert!(!filter.admits(&dir.path().join("broken/x.tmp"), false));
    let (unseen, notes) = filter.take_findings();
    assert_eq!(unseen, []);
    assert_eq!(notes.len(), 5, "{notes:#?}");
    assert!(
        notes[3].starts_with("broken/.tidelockignore: line 1"),
        "{notes:#?}"
    );
    assert!(
        notes[4].contains("line 2 is not used: is not UTF-8"),
        "{notes:#?}"
    );
}
