//! Unfinished multipart uploads.

use super::support::{now, state};
use crate::model::{Crc64, Identity, Side};
use crate::state::{State, UploadId, UploadPart, UploadRow};

fn upload(side: Side, upload_id: &str) -> UploadRow {
    UploadRow {
        id: UploadId {
            side,
            key: "lib/a.mov".to_owned(),
            upload_id: upload_id.to_owned(),
        },
        part_size: 8 << 20,
        path: "a.mov".into(),
        size: 400 << 20,
        mtime: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
        identity: Identity {
            inode: u64::MAX,
            ctime: -1,
        },
        device: 3,
        created: now(),
    }
}

fn part(number: i32) -> UploadPart {
    UploadPart {
        number,
        etag: format!("etag-{number}"),
        crc64nvme: Crc64(u64::MAX - number as u64),
        subtree: [number as u8; 32],
        size: 8 << 20,
    }
}

#[test]
fn an_upload_and_its_parts_are_found_by_the_next_process() {
    let (mut state, _dir) = state();
    let (one, two) = (upload(Side::Sync, "u1"), upload(Side::Backup, "u1"));
    state.save_upload(&one).unwrap();
    state.save_upload(&two).unwrap();
    state.add_parts(&one.id, &[part(2), part(1)]).unwrap();
    state.add_parts(&one.id, &[part(3)]).unwrap();
    let file = state.file().to_owned();
    drop(state);
    let (state, _) = State::open(&file, "test", now()).unwrap();
    assert_eq!(
        state.uploads_of(&"a.mov".into()).unwrap(),
        [one.clone(), two.clone()]
    );
    assert_eq!(state.uploads_of(&"b.mov".into()).unwrap(), []);
    assert_eq!(
        state.parts_of(&one.id).unwrap(),
        [part(1), part(2), part(3)]
    );
    assert_eq!(state.parts_of(&two.id).unwrap(), []);
}

#[test]
fn a_removed_upload_takes_its_parts_with_it() {
    let (mut state, _dir) = state();
    let (one, two) = (upload(Side::Sync, "u1"), upload(Side::Sync, "u2"));
    for upload in [&one, &two] {
        state.save_upload(upload).unwrap();
        state.add_parts(&upload.id, &[part(1)]).unwrap();
    }
    state.remove_upload(&one.id).unwrap();
    state.remove_upload(&one.id).unwrap();
    // A part that was under way when the upload went.
    state.add_parts(&one.id, &[part(2)]).unwrap();
    assert_eq!(state.uploads().unwrap(), std::slice::from_ref(&two));
    assert_eq!(state.parts_of(&two.id).unwrap(), [part(1)]);
    state.save_upload(&one).unwrap();
    assert_eq!(state.parts_of(&one.id).unwrap(), []);
}

#[test]
fn saving_an_upload_twice_keeps_its_parts() {
    let (mut state, _dir) = state();
    let one = upload(Side::Sync, "u1");
    state.save_upload(&one).unwrap();
    state.add_parts(&one.id, &[part(1)]).unwrap();
    state.save_upload(&one).unwrap();
    assert_eq!(state.parts_of(&one.id).unwrap(), [part(1)]);
}
