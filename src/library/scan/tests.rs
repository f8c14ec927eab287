use super::*;
use crate::library::check_root;
use crate::model::MtimePolicy;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use tempfile::TempDir;

struct Tree {
    dir: TempDir,
    settings: LibrarySettings,
}

impl Tree {
    /// Files of one byte; a trailing `/` makes a folder.
    fn new(paths: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let settings = LibrarySettings {
            path: dir.path().to_owned(),
            name: None,
            exclude: Vec::new(),
            include: Vec::new(),
            default_excludes: true,
            mtime: MtimePolicy::Keep,
            ignore_inode: false,
            ignore_ctime: false,
            cloud_files: CloudFiles::Skip,
        };
        let tree = Self { dir, settings };
        paths.iter().for_each(|path| tree.add(path.as_bytes()));
        tree
    }

    fn at(&self, path: impl AsRef<Path>) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn add(&self, path: &[u8]) {
        let full = self.at(OsStr::from_bytes(path));
        let folder = if path.ends_with(b"/") {
            Some(&*full)
        } else {
            full.parent()
        };
        fs::create_dir_all(folder.expect("a folder")).expect("mkdir");
        if !path.ends_with(b"/") {
            fs::write(full, "x").expect("write");
        }
    }

    fn try_scan(&self) -> Result<Scan, ScanError> {
        let root = check_root(self.dir.path()).expect("root");
        scan(&root, &self.settings, &AtomicBool::new(false), &|_| ())
    }

    fn scan(&self) -> Scan {
        self.try_scan().expect("a scan")
    }
}

/// `path`, with a letter for what is no file.
fn listed(scan: &Scan) -> Vec<String> {
    let show = |seen: &Seen| match seen.kind {
        Kind::File => seen.path.to_string(),
        Kind::Dir => format!("{}/", seen.path),
        Kind::Symlink => format!("{}@", seen.path),
        Kind::Special => format!("{}=", seen.path),
    };
    scan.entries.iter().map(show).collect()
}

#[test]
fn f69_hidden_and_git_ignored_files_are_part_of_the_library() {
    let tree = Tree::new(&["a.jpg", ".hidden/.b", ".git/config", "c.log", "sub/c.txt"]);
    for (file, text) in [
        (".gitignore", "*.log"),
        (".ignore", "a.jpg"),
        (".rgignore", "*"),
        ("sub/.gitignore", "*"),
    ] {
        fs::write(tree.at(file), text).expect("write");
    }
    fs::create_dir_all(tree.at(".git/info")).expect("mkdir");
    fs::write(tree.at(".git/info/exclude"), "*").expect("write");
    let expected = [
        ".git/config",
        ".git/info/exclude",
        ".gitignore",
        ".hidden/.b",
        ".ignore",
        ".rgignore",
        "a.jpg",
        "c.log",
        "sub/.gitignore",
        "sub/c.txt",
    ];
    let scan = tree.scan();
    assert_eq!(listed(&scan), expected);
    assert_eq!((scan.files, scan.bytes > 10, scan.excluded), (10, true, 0));
}

#[test]
fn f69_a_stub_stands_for_a_file_unless_that_is_there_or_left_out() {
    let mut tree = Tree::new(&[
        ".away.jpg.icloud",
        "2024/.here.jpg.icloud",
        "2024/here.jpg",
        "only/.b.icloud",
        "c/.left.tmp.icloud",
        "c/.d.icloud/e",
    ]);
    tree.settings.exclude = vec!["*.tmp".to_owned()];
    let stub = [7; 4096];
    fs::write(tree.at(".away.jpg.icloud"), stub).expect("write");
    fs::write(tree.at("2024/.large.icloud"), [7; 5_000]).expect("write");
    for setting in [CloudFiles::Skip, CloudFiles::Download] {
        tree.settings.cloud_files = setting;
        let scan = tree.scan();
        let there = [
            "2024/.here.jpg.icloud",
            "2024/.large.icloud",
            "2024/here.jpg",
            "c/.d.icloud/e",
        ];
        assert_eq!(listed(&scan), there, "{setting:?}: no empty folder either");
        let placeholders: Vec<RelPath> = ["away.jpg", "only/b"].map(RelPath::from).into();
        assert_eq!(scan.placeholders, placeholders);
        assert_eq!((scan.unseen, scan.excluded), (vec![], 1));
    }
}

#[test]
fn patterns_of_settings_and_tree_leave_files_out() {
    let mut tree = Tree::new(&[
        "a.tmp",
        "b.tmp",
        "keep/c.tmp",
        "@eaDir/x",
        "d/e.raw",
        "d/f.jpg",
    ]);
    fs::write(tree.at("d/.tidelockignore"), "*.raw\n").expect("write");
    tree.settings.exclude = vec!["*.tmp".into()];
    tree.settings.include = vec!["b.*".into()];
    let scan = tree.scan();
    assert_eq!(
        listed(&scan),
        ["b.tmp", "d/.tidelockignore", "d/f.jpg", "keep/"]
    );
    assert_eq!(scan.excluded, 4);
}

#[test]
fn f10_names_come_byte_for_byte_and_in_the_order_of_their_bytes() {
    let mut names: Vec<&[u8]> = vec![
        b"\xff\xfe",
        b"tab\there",
        b"line\nbreak",
        b"-rf",
        b"trailing ",
        b" leading",
        b"a-b",
        b"a/b",
        b"a.b",
        b"50%",
        b"#1",
        b"q?",
        b"\xf0\x9f\x8c\x8a",
        b"back\\slash",
        b"\x01",
    ];
    let tree = Tree::new(&[]);
    names.iter().for_each(|name| tree.add(name));
    names.sort_unstable();
    let scan = tree.scan();
    let found: Vec<&[u8]> = scan
        .entries
        .iter()
        .map(|seen| seen.path.as_bytes())
        .collect();
    assert_eq!(found, names);
}

#[test]
fn f12_links_are_recorded_and_never_followed() {
    let outside = Tree::new(&["secret"]);
    let tree = Tree::new(&["real/file"]);
    for (target, link) in [
        (outside.dir.path(), "out"),
        (Path::new("."), "loop"),
        (Path::new("real"), "inside"),
        (Path::new("nowhere"), "dangling"),
    ] {
        symlink(target, tree.at(link)).expect("symlink");
    }
    let odd = OsStr::from_bytes(b"not-\xff-utf8");
    symlink(odd, tree.at("odd")).expect("symlink");
    let scan = tree.scan();
    assert_eq!(
        listed(&scan),
        ["dangling@", "inside@", "loop@", "odd@", "out@", "real/file"]
    );
    assert_eq!(scan.entries[3].target.as_deref(), Some(odd.as_bytes()));
    assert_eq!(scan.entries[3].size, 0);
}

#[test]
fn f13_sockets_and_fifos_are_listed_without_being_opened() {
    let tree = Tree::new(&["file"]);
    let made = std::process::Command::new("mkfifo")
        .arg(tree.at("fifo"))
        .status();
    assert!(made.expect("mkfifo").success());
    let _socket = UnixListener::bind(tree.at("socket")).expect("bind");
    let scan = tree.scan();
    assert_eq!(listed(&scan), ["fifo=", "file", "socket="]);
    assert_eq!(scan.files, 1);
}

#[test]
fn a_folder_is_listed_where_nothing_below_it_would_make_it() {
    let mut tree = Tree::new(&[
        "full/f",
        "deep/er/est/",
        "d/",
        "d-x/f",
        "d.y/",
        "only-excluded/a.tmp",
        "only-link/",
        "only-fifo/",
        "@eaDir/x",
    ]);
    tree.settings.exclude = vec!["*.tmp".into()];
    symlink("x", tree.at("only-link/l")).expect("symlink");
    let made = std::process::Command::new("mkfifo")
        .arg(tree.at("only-fifo/p"))
        .status();
    assert!(made.expect("mkfifo").success());
    let expected = [
        "d/",
        "d-x/f",
        "d.y/",
        "deep/er/est/",
        "full/f",
        "only-excluded/",
        "only-fifo/",
        "only-fifo/p=",
        "only-link/l@",
    ];
    let scan = tree.scan();
    assert!(scan.entries.is_sorted_by(|one, two| one.path < two.path));
    let mut found = listed(&scan);
    found.sort_unstable();
    let mut expected = expected.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn f02_an_empty_library_has_no_files() {
    let scan = Tree::new(&["a/b/"]).scan();
    assert_eq!((scan.files, scan.bytes), (0, 0));
    assert_eq!(listed(&scan), ["a/b/"]);
}

#[test]
fn a_top_folder_that_tidelock_reserves_is_refused() {
    let mut tree = Tree::new(&[".tidelock/x", "a"]);
    let error = tree.try_scan().expect_err("reserved");
    assert!(
        matches!(&error, ScanError::Other(Error::Usage(text)) if text.contains(".tidelock")),
        "{error}"
    );
    tree.settings.exclude = vec!["/.tidelock".into()];
    assert_eq!(listed(&tree.scan()), ["a"]);
    assert_eq!(
        listed(&Tree::new(&["a/.tidelock/x"]).scan()),
        ["a/.tidelock/x"]
    );
}

/// Paths over 4,096 bytes can be made, but not looked at by their full name: a refusal that root
/// gets too.
#[test]
fn f03_what_can_t_be_looked_at_is_unseen_and_nothing_else_is() {
    let tree = Tree::new(&["a", "z"]);
    let segment = "d".repeat(200);
    let mut folder = rustix::fs::open(
        tree.dir.path(),
        rustix::fs::OFlags::RDONLY,
        rustix::fs::Mode::empty(),
    )
    .expect("open");
    for _ in 0..25 {
        rustix::fs::mkdirat(&folder, &segment, 0o755.into()).expect("mkdir");
        folder = rustix::fs::openat(
            &folder,
            &segment,
            rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        )
        .expect("open");
    }
    let scan = tree.scan();
    assert_eq!(
        listed(&scan),
        ["a", "z"],
        "no folder on the way is taken for empty"
    );
    assert_eq!(scan.unseen.len(), 1);
    let unseen = &scan.unseen[0];
    assert!(unseen.path.as_bytes().starts_with(segment.as_bytes()));
    assert_eq!(
        (unseen.failure.stage, &*unseen.failure.path),
        ("scan", &*unseen.path.to_string())
    );
    assert!(
        unseen.failure.message.contains("too long"),
        "{}",
        unseen.failure.message
    );
}

/// Run as another user than root, this shows refusals; as root, that there are none.
#[test]
fn f03_a_closed_folder_is_one_unseen_entry() {
    let tree = Tree::new(&[
        "closed/f",
        "listable/f1",
        "listable/f2",
        "patterns/f",
        "patterns/.tidelockignore",
        "open/f",
    ]);
    let modes = [
        ("closed", 0o000),
        ("listable", 0o444),
        ("patterns/.tidelockignore", 0o000),
    ];
    let set = |path: &str, mode| {
        fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).expect("chmod");
    };
    modes.iter().for_each(|&(path, mode)| set(path, mode));
    let scan = tree.scan();
    modes.iter().for_each(|&(path, _)| set(path, 0o755));

    let unseen: Vec<String> = scan
        .unseen
        .iter()
        .map(|unseen| unseen.path.to_string())
        .collect();
    if rustix::process::geteuid().is_root() {
        assert_eq!((unseen.len(), scan.files), (0, 6));
    } else {
        assert_eq!(unseen, ["closed", "listable", "patterns"]);
        assert_eq!(listed(&scan), ["open/f"]);
        assert!(scan.unseen[2].failure.message.contains(".tidelockignore"));
    }
}

#[test]
fn f14_a_file_that_vanishes_while_it_is_looked_at_is_no_error() {
    let tree = Tree::new(&["here"]);
    let filter = Filter::new(tree.dir.path(), &tree.settings).expect("patterns");
    let findings = Findings {
        root: tree.dir.path(),
        filter: &filter,
        trust: Trust::default(),
        cloud_files: CloudFiles::Skip,
        stop: &AtomicBool::new(false),
        progress: &|_| (),
        found: AtomicU64::new(0),
        gathered: Mutex::default(),
    };
    let mut visitor = Visitor {
        shared: &findings,
        batch: Gathered::default(),
    };
    visitor.look(&tree.at("gone"));
    visitor.look(&tree.at("here/gone"));
    visitor.look(&tree.at("here"));
    assert_eq!(visitor.batch.unseen, []);
    assert_eq!(visitor.batch.entries.len(), 1);
}

#[test]
fn f01_a_root_that_can_t_be_listed_is_the_guard_s_matter() {
    let tree = Tree::new(&["a"]);
    let root = check_root(tree.dir.path()).expect("root");
    let gone = Root {
        path: tree.at("gone"),
        ..root
    };
    let error = scan(&gone, &tree.settings, &AtomicBool::new(false), &|_| ());
    assert!(matches!(error, Err(ScanError::Root(_))), "{error:?}");
}

#[test]
fn f01_a_root_that_goes_away_in_the_middle_is_no_empty_library() {
    let tree = Tree::new(&["library/a"]);
    let root = check_root(&tree.at("library")).expect("root");
    let unplug = |_| drop(fs::rename(tree.at("library"), tree.at("elsewhere")));
    let error = scan(&root, &tree.settings, &AtomicBool::new(false), &unplug);
    let went_away = matches!(error, Err(ScanError::Root(RootProblem::WentAway(_))));
    assert!(went_away, "{error:?}");
}

#[test]
fn hard_links_show_one_inode() {
    let tree = Tree::new(&["a"]);
    fs::hard_link(tree.at("a"), tree.at("b")).expect("link");
    let scan = tree.scan();
    let [a, b] = &scan.entries[..] else {
        panic!("{scan:?}");
    };
    assert_eq!(
        (a.identity.inode, a.device, a.links),
        (b.identity.inode, b.device, 2)
    );
}

#[test]
fn f08_f09_twins_are_kept_and_reported() {
    let tree = Tree::new(&["caf\u{e9}", "cafe\u{301}", "Album/x", "album/y"]);
    let scan = tree.scan();
    assert_eq!(scan.files, 4);
    assert_eq!(scan.notes.len(), 2, "{:?}", scan.notes);
}

#[test]
fn f24_a_scan_can_be_stopped() {
    let tree = Tree::new(&["a"]);
    let root = check_root(tree.dir.path()).expect("root");
    let stopped = scan(&root, &tree.settings, &AtomicBool::new(true), &|_| ());
    assert!(matches!(stopped, Err(ScanError::Other(Error::Interrupted))));
}

#[test]
fn progress_ends_at_the_number_of_entries() {
    let tree = Tree::new(&[]);
    (0..600).for_each(|n| tree.add(format!("d{}/f{n}", n % 7).as_bytes()));
    let root = check_root(tree.dir.path()).expect("root");
    let last = AtomicU64::new(0);
    let progress = |found| {
        last.fetch_max(found, Ordering::Relaxed);
    };
    let scan = scan(&root, &tree.settings, &AtomicBool::new(false), &progress).expect("a scan");
    assert_eq!((scan.files, last.into_inner()), (600, 600));
}
