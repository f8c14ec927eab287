//! How new content reaches the backup target: from the library, or from the sync target.

use crate::model::Via;
use crate::store::Site;

/// What is known before anything is asked.
#[derive(Clone, Debug)]
pub struct ViaView<'a> {
    /// The setting.
    pub via: Via,
    /// Where the sync target is; absent where this command does not write it.
    pub sync: Option<&'a Site>,
    /// Where the backup target is.
    pub backup: &'a Site,
    /// The storage class of what is written to the sync target.
    pub sync_class: Option<&'a str>,
}

/// What follows from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViaStep {
    /// The bytes are sent, for this reason.
    Upload(String),
    /// The store copies, if the backup's credentials may read the sync target.
    Ask,
    /// `copy` was asked for, and can't be.
    Refuse(String),
}

/// Classes that S3 copies from only after they were retrieved.
const ARCHIVED: &[&str] = &["GLACIER", "DEEP_ARCHIVE"];

/// Classes that S3 copies from without a fee for it.
const FREE_TO_READ: &[&str] = &["STANDARD", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"];

/// `auto` copies only where that costs no more than to send the bytes; `copy` wherever it can be.
///
/// | setting | sync target | places | its storage class | regions | step |
/// |---|---|---|---|---|---|
/// | upload | – | – | – | – | upload |
/// | – | not written | – | – | – | upload |
/// | auto, copy | written | differ | – | – | upload, refuse |
/// | auto, copy | written | same | archived | – | upload, refuse |
/// | auto, copy | written | same | billed when read | – | upload, ask |
/// | auto, copy | written | same | – | differ | upload, ask |
/// | auto, copy | written | same | – | same | ask |
pub fn via_step(view: &ViaView<'_>) -> ViaStep {
    let forced = match view.via {
        Via::Upload => return upload("via = \"upload\""),
        Via::Auto => false,
        Via::Copy => true,
    };
    let Some(sync) = view.sync else {
        return upload("the sync target takes no part");
    };
    let class = view.sync_class.unwrap_or("STANDARD");
    if sync.place != view.backup.place {
        let (sync, backup) = (&sync.place, &view.backup.place);
        return impossible(
            forced,
            format!("the targets share no endpoint (sync: {sync}; backup: {backup})"),
        );
    }
    if ARCHIVED.contains(&class) {
        let why = format!("storage class {class} of the sync target can't be copied from");
        return impossible(forced, why);
    }
    if forced {
        return ViaStep::Ask;
    }
    if !FREE_TO_READ.contains(&class) {
        return upload(&format!(
            "reading storage class {class} is billed; via = \"copy\" copies all the same"
        ));
    }
    if sync.region != view.backup.region {
        return upload(&format!(
            "a copy from {} to {} is billed as transfer between regions; via = \"copy\" copies \
             all the same",
            sync.region, view.backup.region
        ));
    }
    ViaStep::Ask
}

/// The same once it was asked: `refusal` is why the sync target can't be read with the backup's
/// credentials; none where it can.
pub fn via_answered(via: Via, refusal: Option<String>) -> Option<ViaStep> {
    refusal.map(|why| impossible(via == Via::Copy, why))
}

fn upload(why: &str) -> ViaStep {
    ViaStep::Upload(why.to_owned())
}

fn impossible(forced: bool, why: String) -> ViaStep {
    if forced {
        ViaStep::Refuse(why)
    } else {
        ViaStep::Upload(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_backup_follows_the_table() {
        let site = |place: &str, region: &str| Site {
            place: place.to_owned(),
            region: region.to_owned(),
        };
        let (home, other, far) = (site("a", "r"), site("b", "r"), site("a", "s"));
        // setting, sync target, its class -> upload, refuse or ask
        let table = [
            (Via::Upload, Some(&home), None, "upload"),
            (Via::Auto, None, None, "upload"),
            (Via::Copy, None, None, "upload"),
            (Via::Auto, Some(&other), None, "upload"),
            (Via::Copy, Some(&other), None, "refuse"),
            (Via::Auto, Some(&home), Some("DEEP_ARCHIVE"), "upload"),
            (Via::Copy, Some(&home), Some("GLACIER"), "refuse"),
            (Via::Auto, Some(&home), Some("STANDARD_IA"), "upload"),
            (Via::Copy, Some(&home), Some("STANDARD_IA"), "ask"),
            (Via::Auto, Some(&home), Some("INTELLIGENT_TIERING"), "ask"),
            (Via::Auto, Some(&far), None, "upload"),
            (Via::Copy, Some(&far), None, "ask"),
            (Via::Auto, Some(&home), None, "ask"),
            (Via::Copy, Some(&home), None, "ask"),
        ];
        for (row, (via, sync, sync_class, expected)) in table.into_iter().enumerate() {
            let step = via_step(&ViaView {
                via,
                sync,
                backup: &home,
                sync_class,
            });
            let found = match step {
                ViaStep::Upload(_) => "upload",
                ViaStep::Ask => "ask",
                ViaStep::Refuse(_) => "refuse",
            };
            assert_eq!(found, expected, "row {row}");
        }
    }

    #[test]
    fn credentials_that_may_not_read_stop_only_who_insists() {
        let denied = || Some("denied".to_owned());
        assert_eq!(via_answered(Via::Auto, None), None);
        assert_eq!(via_answered(Via::Copy, None), None);
        let upload = ViaStep::Upload("denied".to_owned());
        assert_eq!(via_answered(Via::Auto, denied()), Some(upload));
        let refuse = ViaStep::Refuse("denied".to_owned());
        assert_eq!(via_answered(Via::Copy, denied()), Some(refuse));
    }
}
