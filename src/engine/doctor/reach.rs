//! Whether the bucket answers, what it is set to, and what happens in it by itself.

use super::check::Findings;
use super::subject::{Subject, server_now};
use crate::model::{Provider, Side, StoreErrorKind, Time, time};
use crate::plan::{drops_old_versions, harm_to_backup, harm_to_mirror};
use crate::store::{ListRequest, Store};

/// S3 refuses requests that are dated further off than this, in seconds.
const SKEW_REFUSED: u64 = 900;

/// A clock that is kept right is never off so far.
const SKEW_NOTED: u64 = 60;

/// Whether endpoint, region, keys and bucket are right.
pub(super) async fn answers(subject: &Subject, findings: &mut Findings<'_>) -> bool {
    // Not by a HEAD, whose refusals do not say why.
    let first = ListRequest {
        prefix: subject.target.listing_prefix(),
        max_keys: Some(1),
        ..ListRequest::default()
    };
    let place = subject.store.place();
    match subject.call(|store| store.list(&first)).await {
        Ok(_) => {
            let endpoint = match &subject.connection.endpoint {
                Some(endpoint) => endpoint.clone(),
                None if subject.connection.provider == Provider::Aws => "AWS".to_owned(),
                None => "the endpoint of the AWS settings".to_owned(),
            };
            let region = subject.store.region();
            let text = format!("{place} is there and answers ({endpoint}, region {region})");
            findings.ok("reach", text);
            true
        }
        Err(error) => {
            findings.refused("reach", &format!("{place} can't be listed"), error);
            false
        }
    }
}

/// How far the local clock is from the server's.
pub(super) async fn clock(subject: &Subject, findings: &mut Findings<'_>) {
    let server = match server_now(subject).await {
        Ok(server) => server,
        Err(error) => return findings.refused("clock", "the server's time is not known", error),
    };
    compare(server, time::local_now(), findings);
}

fn compare(server: Time, local: Time, findings: &mut Findings<'_>) {
    let off = server.duration_since(local);
    let seconds = off.unsigned_abs().as_secs();
    if seconds < SKEW_NOTED {
        return findings.ok("clock", "this machine's clock agrees with the server's");
    }
    let direction = if off.is_positive() {
        "behind"
    } else {
        "ahead of"
    };
    let refused = if seconds > SKEW_REFUSED {
        format!(", and S3 refuses what is off by more than {SKEW_REFUSED} s")
    } else {
        String::new()
    };
    let text = format!("this machine's clock is {seconds} s {direction} the server's{refused}");
    let advice = "set it (NTP); Tidelock itself goes by the server's";
    findings.warn("clock", text, advice);
}

/// Whether the vault can protect anything.
pub(super) async fn object_lock(subject: &Subject, findings: &mut Findings<'_>) -> bool {
    let name = "object_lock";
    let bucket = &subject.target.bucket;
    match subject.call(|store| store.bucket_info()).await {
        Ok(info) if info.versioned && info.lock => {
            findings.ok(name, "versioning and object lock are on");
            return true;
        }
        Ok(info) => {
            let lacks = if info.versioned {
                "object lock"
            } else {
                "versioning and object lock"
            };
            let text = format!("the bucket {bucket} has no {lacks}, so nothing in it is protected");
            let advice = "`tidelock init` makes a bucket that has both; on AWS they can be enabled \
                          on an existing one";
            findings.unsafe_store(name, text, advice);
        }
        Err(error) => {
            let what = format!("the settings of the bucket {bucket} can't be seen");
            findings.refused(name, &what, error);
        }
    }
    false
}

/// Lifecycle rules that harm, and the mirror's old versions that pile up without one.
pub(super) async fn lifecycle(subject: &Subject, findings: &mut Findings<'_>) {
    let name = "lifecycle";
    let rules = match subject.call(|store| store.lifecycle()).await {
        Ok(rules) => rules,
        Err(error) if error.kind == StoreErrorKind::Denied => {
            let text = "these keys may not read the bucket's lifecycle rules";
            let advice = "allow s3:GetLifecycleConfiguration, or look with keys that may whether \
                          any rule expires or archives what is below the prefix";
            return findings.warn(name, text, advice);
        }
        Err(error) => return findings.refused(name, "no lifecycle rules can be read", error),
    };
    let (target, before) = (&subject.target, findings.count());
    match subject.side {
        Side::Backup => {
            for harm in harm_to_backup(&rules, target) {
                findings.risk(name, harm.text, harm.advice);
            }
        }
        Side::Sync => {
            for harm in harm_to_mirror(&rules, target) {
                findings.warn(name, harm.text, harm.advice);
            }
            let versioned = subject.call(|store| store.probe_versioning()).await;
            if versioned.unwrap_or_default() && !drops_old_versions(&rules, target) {
                let text = "the bucket keeps every old version of the mirror's files, and you pay \
                            for them";
                let advice = "let noncurrent versions expire after a day: `tidelock init` sets \
                              such a rule; the backup keeps what is needed";
                findings.warn(name, text, advice);
            }
        }
    }
    if findings.count() == before {
        findings.ok(name, "no lifecycle rule touches what is needed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::doctor::Mark;

    #[test]
    fn a_clock_that_is_off_is_told_with_how_much_and_which_way() {
        let server: Time = "2026-11-24T10:00:00Z".parse().expect("a time");
        for (local, mark, words) in [
            ("2026-11-24T10:00:03Z", Mark::Ok, "agrees"),
            ("2026-11-24T10:05:00Z", Mark::Warn, "300 s ahead of"),
            ("2026-11-24T09:58:00Z", Mark::Warn, "120 s behind"),
            ("2026-11-24T10:16:00Z", Mark::Warn, "S3 refuses"),
        ] {
            let mut findings = Findings::new(Side::Sync, &|_| ());
            compare(server, local.parse().expect("a time"), &mut findings);
            let [check] = &findings.into_checks()[..] else {
                panic!("one check");
            };
            assert_eq!(check.mark, mark, "{local}");
            assert!(check.text.contains(words), "{}", check.text);
        }
    }
}
