//! What a restore would come to, in words.

use super::look::{Look, Tone};
use super::table::labelled;
use super::text::{plain, show_bytes};
use crate::model::archive::Tier;
use crate::model::{Archived, InArchive, Preview, words};

/// A line for each thing that there is to say.
pub(super) fn lines(preview: &Preview, look: Look) -> Vec<String> {
    let to = preview.to.to_string_lossy();
    let from = preview
        .snapshot
        .as_ref()
        .map(|id| format!(", from snapshot {id}"));
    let others = match preview.others {
        0 => String::new(),
        others => format!(
            ", {}",
            words::count(others, "link or empty folder", "links and empty folders")
        ),
    };
    let restore = format!(
        "{}{others}{}",
        words::files(preview.files),
        from.unwrap_or_default()
    );
    let free = preview
        .free_bytes
        .map(|free| format!(", {} free there", show_bytes(free)));
    let into = format!("{}{}", plain(&to), free.unwrap_or_default());
    let download = format!(
        "{} ({})",
        words::files(preview.fetch_files),
        show_bytes(preview.fetch_bytes)
    );
    let mut lines = Vec::new();
    let mut say = |label, text: &str, tone| lines.extend(labelled(label, text, tone, look));
    say("restore", &restore, Tone::Plain);
    say("into", &into, Tone::Plain);
    say("download", &download, Tone::Plain);
    if let Some(there) = there(preview) {
        say("there", &there, Tone::Plain);
    }
    if preview.replaced > 0 {
        let replaced = words::count(
            preview.replaced,
            "file that is there is",
            "files that are there are",
        );
        say(
            "replaced",
            &format!("{replaced} lost: --overwrite was given"),
            Tone::Bad,
        );
    }
    match &preview.archive {
        InArchive::NotAsked => {}
        InArchive::Unknown(why) => {
            say("archived", &format!("not known: {why}"), Tone::Notable);
        }
        InArchive::Known(groups) if groups.is_empty() => say("archived", "nothing", Tone::Plain),
        InArchive::Known(groups) => {
            for group in groups {
                say("archived", &archived(group), Tone::Notable);
            }
        }
    }
    lines
}

/// What is there before, and stays.
fn there(preview: &Preview) -> Option<String> {
    let parts = [
        (
            preview.right,
            words::count(
                preview.right,
                "file is right already",
                "files are right already",
            ),
        ),
        (
            preview.compared,
            words::count(
                preview.compared,
                "file has to be read to know",
                "files have to be read to know",
            ),
        ),
        (
            preview.refused,
            words::count(
                preview.refused,
                "file differs and stays as it is (--overwrite replaces it)",
                "files differ and stay as they are (--overwrite replaces them)",
            ),
        ),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, said)| said)
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn archived(group: &Archived) -> String {
    let (versions, bytes) = (words::versions(group.versions), show_bytes(group.bytes));
    let class = group.archive.name();
    if group.coming {
        return format!("{versions} ({bytes}) in {class}, being retrieved: come back later");
    }
    let (standard, bulk) = (
        group.archive.hours(Tier::Standard),
        group.archive.hours(Tier::Bulk),
    );
    format!(
        "{versions} ({bytes}) in {class}: to be read within {standard} hours with --thaw=standard, for \
         less money within {bulk} hours with --thaw=bulk"
    )
}

/// The question before a large restore.
pub fn question(preview: &Preview) -> String {
    format!(
        "Restore {} ({}) into {}?",
        words::files(preview.fetch_files),
        show_bytes(preview.fetch_bytes),
        plain(&preview.to.to_string_lossy())
    )
}
