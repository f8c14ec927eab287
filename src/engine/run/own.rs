//! A state that lies in the library, as that of a whole home folder does, is no part of it: it is a
//! cache, and it is written all the time that the library is read, so that no copy of it would be
//! one state of the file.

use std::path::Path;

/// The hash in a state's name (see `state::state_file`).
const DIGITS: usize = 16;

/// The pattern that leaves out what `state_dir` has of Tidelock's own: states, of other libraries
/// and pulls too, and what lies beside each of them. None where it lies elsewhere.
pub(super) fn pattern(state_dir: &Path, library: &Path) -> Option<String> {
    let state_dir = state_dir.canonicalize().ok()?;
    let below = state_dir.strip_prefix(library.canonicalize().ok()?).ok()?;
    let mut pattern = String::from("/");
    for name in below {
        // Patterns are text.
        name.to_str()?.chars().for_each(|c| push(&mut pattern, c));
        pattern.push('/');
    }
    let digits = "[0-9a-f]".repeat(DIGITS);
    Some(format!("{pattern}*-{digits}.sqlite*"))
}

fn push(pattern: &mut String, c: char) {
    if r"\*?[]{}".contains(c) {
        pattern.push('\\');
    }
    pattern.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ignore::gitignore::GitignoreBuilder;
    use std::fs;

    #[test]
    fn states_in_the_library_are_left_out_and_nothing_beside_them() {
        let library = tempfile::tempdir().unwrap();
        for folder in ["", "st ate", "a[b]*/{c}\\"] {
            let state_dir = library.path().join(folder);
            fs::create_dir_all(&state_dir).unwrap();
            let pattern = pattern(&state_dir, library.path()).unwrap();
            let mut builder = GitignoreBuilder::new(library.path());
            builder.add_line(None, &pattern).unwrap();
            let patterns = builder.build().unwrap();
            for (name, own) in [
                ("lib-0123456789abcdef.sqlite", true),
                ("lib-0123456789abcdef.sqlite-wal", true),
                ("lib-0123456789abcdef.sqlite.lock", true),
                ("pull-lib-0123456789abcdef.sqlite", true),
                ("photos.sqlite", false),
                ("photos-2026.sqlite", false),
                ("deeper/lib-0123456789abcdef.sqlite", false),
            ] {
                let path = state_dir.join(name);
                let ignored = patterns.matched(&path, false).is_ignore();
                assert_eq!(ignored, own, "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_state_elsewhere_needs_no_pattern() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(pattern(one.path(), other.path()), None);
    }
}
