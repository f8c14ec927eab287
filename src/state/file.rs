//! Where the state of one library and one pair of targets lies.

use crate::model::{Blake3, Target};
use std::path::{Path, PathBuf};

/// What a state belongs to. Another library, prefix, bucket or endpoint is another state.
#[derive(Clone, Copy, Debug)]
pub struct StateKey<'a> {
    /// The library's root, canonical.
    pub library: &'a Path,
    /// The sync target and its endpoint.
    pub sync: Option<(&'a Target, Option<&'a str>)>,
    /// The backup target and its endpoint.
    pub backup: Option<(&'a Target, Option<&'a str>)>,
}

/// The state's file in `state_dir`: the library's folder name, for people, and a hash of the whole
/// key, such as `Pictures-5f0c4e1a9b2d7386.sqlite`.
pub fn state_file(state_dir: &Path, key: &StateKey<'_>) -> PathBuf {
    let mut hashed = Vec::new();
    field(&mut hashed, key.library.as_os_str().as_encoded_bytes());
    for side in [key.sync, key.backup] {
        match side {
            Some((target, endpoint)) => {
                field(&mut hashed, target.to_string().as_bytes());
                field(
                    &mut hashed,
                    endpoint.unwrap_or("").trim_end_matches('/').as_bytes(),
                );
            }
            None => field(&mut hashed, b""),
        }
    }
    let hash = Blake3::of(&hashed).to_hex();
    state_dir.join(format!("{}-{}.sqlite", label(key.library), &hash[..16]))
}

/// The name of the file that tells what was pulled from a sync target (with its endpoint) into a
/// folder.
pub(super) fn pull_file_name(folder: &Path, target: &Target, endpoint: Option<&str>) -> String {
    let mut hashed = Vec::new();
    field(&mut hashed, folder.as_os_str().as_encoded_bytes());
    field(&mut hashed, target.to_string().as_bytes());
    let endpoint = endpoint.unwrap_or("").trim_end_matches('/');
    field(&mut hashed, endpoint.as_bytes());
    let hash = Blake3::of(&hashed).to_hex();
    format!("pull-{}-{}.sqlite", label(folder), &hash[..16])
}

/// Length first, so that no two keys give the same bytes.
fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The folder's name, cut down to what every file system takes.
fn label(library: &Path) -> String {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let label: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(32)
        .collect();
    if label.is_empty() {
        "library".to_owned()
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_and_pair_of_targets_has_its_own_file() {
        let photos = Target::parse("s3://photos/lib").unwrap();
        let vault = Target::parse("s3://vault/lib").unwrap();
        let base = StateKey {
            library: Path::new("/home/ann/My Pictures"),
            sync: Some((&photos, None)),
            backup: Some((&vault, None)),
        };
        let others = [
            StateKey {
                library: Path::new("/home/bob/My Pictures"),
                ..base
            },
            StateKey { sync: None, ..base },
            StateKey {
                backup: None,
                ..base
            },
            StateKey {
                sync: Some((&photos, Some("https://s3.example.org"))),
                ..base
            },
            StateKey {
                sync: Some((&vault, None)),
                backup: Some((&photos, None)),
                ..base
            },
        ];
        let dir = Path::new("/state");
        let file = state_file(dir, &base);
        for other in &others {
            assert_ne!(state_file(dir, other), file, "{other:?}");
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("My_Pictures-"), "{name}");
        assert!(name.ends_with(".sqlite"), "{name}");
        assert_eq!(state_file(dir, &base), file);
    }
}
