use super::*;
use crate::library::{check_root, scan};
use crate::model::{CloudFiles, MtimePolicy};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

fn settings(path: &Path) -> LibrarySettings {
    LibrarySettings {
        path: path.to_owned(),
        name: None,
        exclude: Vec::new(),
        include: Vec::new(),
        default_excludes: true,
        mtime: MtimePolicy::Keep,
        ignore_inode: false,
        ignore_ctime: false,
        cloud_files: CloudFiles::Skip,
    }
}

/// A library with `dir/file`, its reader, and what the scan saw of the file.
fn library() -> (TempDir, PathBuf, Library, Seen) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("dir/file");
    fs::create_dir(dir.path().join("dir")).expect("mkdir");
    fs::write(&path, "0123456789").expect("write");
    let settings = settings(dir.path());
    let root = check_root(dir.path()).expect("root");
    let mut scan = scan(&root, &settings, &AtomicBool::new(false), &|_| ()).expect("scan");
    let seen = scan.entries.pop().expect("the file");
    let library = Library::open(&root, &settings).expect("library");
    (dir, path, library, seen)
}

fn is_changed<T: std::fmt::Debug>(result: &Result<T, ReadError>) -> bool {
    matches!(result, Err(ReadError::Changed(_)))
}

#[test]
fn parts_are_read_exactly_by_offset() {
    let (_dir, _, library, seen) = library();
    let file = library.open_regular(&seen).expect("open");
    assert_eq!(file.seen(), &seen);
    let mut buffer = [0; 4];
    file.read_part(6, &mut buffer).expect("the last part");
    assert_eq!(&buffer, b"6789");
    file.read_part(0, &mut buffer).expect("the first part");
    assert_eq!(&buffer, b"0123");
    file.read_part(10, &mut []).expect("nothing");
    file.check_unchanged().expect("unchanged");
}

#[test]
fn f12_no_link_is_followed_by_either_way_of_opening() {
    let (dir, path, library, _) = library();
    let outside = tempfile::tempdir().expect("temp dir");
    fs::write(outside.path().join("file"), "secret").expect("write");
    symlink(outside.path(), dir.path().join("out")).expect("symlink");
    symlink("dir", dir.path().join("inside")).expect("symlink");
    symlink(&path, dir.path().join("link")).expect("symlink");
    for open in [open_beneath, open_by_steps] {
        let try_open = |path: &str| open(library.root.as_fd(), &path.into());
        try_open("dir/file").expect("a plain path");
        for path in ["out/file", "inside/file", "link", "dir/file/x"] {
            let errno = try_open(path).expect_err(path);
            assert!(
                matches!(translate(errno), ReadError::Changed(_)),
                "{path}: {errno}"
            );
        }
        for path in ["gone", "gone/file", "dir/gone"] {
            let errno = try_open(path).expect_err(path);
            assert!(
                matches!(translate(errno), ReadError::Gone),
                "{path}: {errno}"
            );
        }
    }
    let error = open_beneath(library.root.as_fd(), &"../x".into());
    assert!(error.is_err());
}

#[test]
fn f12_a_link_swapped_in_after_the_scan_is_a_change() {
    let (dir, path, library, seen) = library();
    let elsewhere = tempfile::tempdir().expect("temp dir");
    fs::rename(dir.path().join("dir"), elsewhere.path().join("dir")).expect("move");
    symlink(elsewhere.path().join("dir"), dir.path().join("dir")).expect("symlink");
    assert!(
        fs::read(&path).is_ok(),
        "the link leads to the very same file"
    );
    assert!(is_changed(&library.open_regular(&seen)));
}

#[test]
fn f13_a_fifo_that_took_the_file_s_place_does_not_block() {
    let (_dir, path, library, seen) = library();
    fs::remove_file(&path).expect("remove");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    assert!(is_changed(&library.open_as_is(&seen.path)));
    fs::remove_file(&path).expect("remove");
    let _socket = std::os::unix::net::UnixListener::bind(&path).expect("bind");
    assert!(is_changed(&library.open_as_is(&seen.path)));
}

#[test]
fn f14_a_file_that_is_gone_is_told_from_one_that_changed() {
    let (_dir, path, library, seen) = library();
    fs::remove_file(&path).expect("remove");
    assert!(matches!(library.open_regular(&seen), Err(ReadError::Gone)));
}

#[test]
fn f04_a_file_that_changed_since_the_scan_opens_only_as_it_is() {
    let (_dir, path, library, seen) = library();
    fs::write(&path, "new").expect("write");
    assert!(is_changed(&library.open_regular(&seen)));
    let file = library.open_as_is(&seen.path).expect("open");
    assert_eq!(file.seen().size, 3);
    file.check_unchanged().expect("unchanged");
}

#[test]
fn f06_other_content_with_the_same_size_and_mtime_is_a_change() {
    let (_dir, path, library, seen) = library();
    let before = fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("mtime");
    let replacement = path.with_extension("new");
    fs::write(&replacement, "9876543210").expect("write");
    fs::File::options()
        .write(true)
        .open(&replacement)
        .and_then(|f| f.set_modified(before))
        .expect("touch");
    fs::rename(&replacement, &path).expect("rename");
    assert!(is_changed(&library.open_regular(&seen)));
}

#[test]
fn f05_a_file_that_becomes_shorter_or_longer_is_a_change() {
    let (_dir, path, library, seen) = library();
    let file = library.open_regular(&seen).expect("open");
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_len(7))
        .expect("truncate");
    assert!(is_changed(&file.read_part(4, &mut [0; 6])));
    assert!(is_changed(&file.check_unchanged()));

    let file = library.open_as_is(&seen.path).expect("open");
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_len(70))
        .expect("extend");
    assert!(is_changed(&file.check_unchanged()));
}

#[test]
#[cfg(target_os = "linux")]
fn f05_a_file_longer_than_its_stat_says_is_a_change() {
    let path = Path::new("/proc/sys/kernel");
    let root = check_root(path).expect("procfs");
    let library = Library::open(&root, &settings(path)).expect("library");
    let file = library.open_as_is(&"ostype".into()).expect("open");
    assert_eq!(file.seen().size, 0);
    assert!(is_changed(&file.check_unchanged()));
}

#[test]
fn f01_another_disk_at_the_root_is_noticed_before_reading() {
    let (dir, _, _, _) = library();
    let path = dir.path().join("dir");
    let root = check_root(&path).expect("root");
    fs::rename(&path, dir.path().join("away")).expect("rename");
    let opened = Library::open(&root, &settings(&path));
    assert!(
        matches!(opened, Err(RootProblem::WentAway(_))),
        "{opened:?}"
    );
    fs::create_dir(&path).expect("mkdir");
    let opened = Library::open(&root, &settings(&path));
    assert!(
        matches!(opened, Err(RootProblem::WentAway(_))),
        "{opened:?}"
    );
}
