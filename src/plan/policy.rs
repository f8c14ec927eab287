//! Least-privilege policies: who may do what, and nothing else.
//!
//! The JSON is valid on AWS and MinIO. Listing is allowed for a whole bucket, since a store answers
//! 403 in place of 404 to a HEAD where it is not: that shows names outside of the prefix, no bytes.

use crate::model::{Mode, Target};
use serde_json::{Value, json};
use std::time::Duration;

/// For whom a policy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The nightly job: `run`, `sync`, `backup`, `renew`, `doctor`. It can destroy nothing of the backup.
    Writer,
    /// `restore`, `pull`, `ls` and their like.
    Reader,
    /// `prune`: deletes versions that no lock holds.
    Pruner,
    /// `verify`, `status`: reads, and sees locks and the bucket's settings.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Writer, Self::Reader, Self::Pruner, Self::Auditor];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Pruner => "pruner",
            Self::Auditor => "auditor",
        }
    }

    /// Reads [`Role::name`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }
}

/// What a policy is about.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The sync target, where there is one.
    pub sync: Option<&'a Target>,
    /// The backup target with the mode of its locks and the longest that may be set.
    pub backup: Option<(&'a Target, Mode, Duration)>,
}

/// One policy document for both targets.
pub fn policy(role: Role, scope: &Scope<'_>) -> Value {
    let mut statements = Vec::new();
    if let Some(target) = scope.sync.filter(|_| role != Role::Pruner) {
        sync(role, target, &mut statements);
    }
    if let Some((target, mode, longest)) = scope.backup {
        backup(role, target, mode, longest, &mut statements);
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn sync(role: Role, target: &Target, statements: &mut Vec<Value>) {
    let mut bucket = vec!["s3:GetBucketLocation", "s3:ListBucket"];
    let mut objects = vec!["s3:GetObject"];
    if role == Role::Writer {
        bucket.extend(["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]);
        bucket.push("s3:ListBucketMultipartUploads");
        objects.extend(["s3:PutObject", "s3:DeleteObject"]);
        objects.extend(["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]);
    }
    statements.push(allow("SyncBucket", &bucket, &[bucket_arn(target)]));
    statements.push(allow("SyncObjects", &objects, &[below(target, "")]));
}

/// What a night writes on the backup target.
const WRITTEN: [&str; 6] = [
    "files/",
    "manifests/",
    "snapshots/",
    "locks/",
    "pins/",
    ".tidelock/",
];

fn backup(role: Role, target: &Target, mode: Mode, longest: Duration, statements: &mut Vec<Value>) {
    let mut bucket = vec![
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketVersions",
    ];
    bucket.extend([
        "s3:GetBucketVersioning",
        "s3:GetBucketObjectLockConfiguration",
    ]);
    match role {
        Role::Writer => bucket.extend([
            "s3:GetLifecycleConfiguration",
            "s3:ListBucketMultipartUploads",
        ]),
        Role::Auditor => bucket.push("s3:GetLifecycleConfiguration"),
        Role::Reader | Role::Pruner => {}
    }
    statements.push(allow("BackupBucket", &bucket, &[bucket_arn(target)]));
    let mut read = vec!["s3:GetObject", "s3:GetObjectVersion"];
    match role {
        // Of archived versions: it costs, and destroys nothing.
        Role::Reader => read.push("s3:RestoreObject"),
        _ => read.push("s3:GetObjectRetention"),
    }
    statements.push(allow("BackupRead", &read, &[below(target, "")]));
    let write = [
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ];
    match role {
        Role::Reader | Role::Auditor => {}
        Role::Writer => {
            // Not below `prunes/`: what was pruned is the pruner's to say.
            let own = WRITTEN.map(|folder| below(target, folder));
            statements.push(allow("BackupWrite", &write, &own));
            statements.extend(lock(&[below(target, "")], mode, longest));
        }
        Role::Pruner => {
            let own = [below(target, "prunes/"), below(target, ".tidelock/")];
            statements.push(allow("PruneRecord", &write[..1], &own));
            statements.extend(lock(&own, mode, longest));
            // MinIO asks for DeleteObject, AWS for DeleteObjectVersion.
            let delete = ["s3:DeleteObject", "s3:DeleteObjectVersion"];
            let data = ["files/", "manifests/", "snapshots/", "locks/", "pins/"];
            let mut folders = data.map(|folder| below(target, folder)).to_vec();
            // What `doctor` had to leave.
            folders.push(below(target, ".tidelock/doctor-"));
            statements.push(allow("PruneVersions", &delete, &folders));
        }
    }
}

/// Locks may be set and extended, in one mode and up to a maximum: nobody can lock for a hundred
/// years what is stored. The maximum is a denial, since MinIO knows the remaining days only of
/// PutObjectRetention, not of a PutObject that brings its lock along.
fn lock(resources: &[String], mode: Mode, longest: Duration) -> [Value; 2] {
    let days = (longest.as_secs().div_ceil(86_400)).to_string();
    let actions = ["s3:PutObjectRetention"];
    let mut allowed = allow("BackupLock", &actions, resources);
    allowed["Condition"] = json!({"StringEquals": {"s3:object-lock-mode": mode.as_str()}});
    let mut denied = allow("NoLongerLock", &actions, resources);
    denied["Effect"] = json!("Deny");
    denied["Condition"] = json!({
        "NumericGreaterThan": {"s3:object-lock-remaining-retention-days": days},
    });
    [allowed, denied]
}

fn allow(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

fn bucket_arn(target: &Target) -> String {
    format!("arn:aws:s3:::{}", target.bucket)
}

fn below(target: &Target, folder: &str) -> String {
    format!("arn:aws:s3:::{}/{}*", target.bucket, target.key(folder))
}

/// The same for Backblaze B2, where a key is given capabilities: one command line a target.
pub fn b2_commands(role: Role, scope: &Scope<'_>) -> Vec<String> {
    // Without readBuckets, the S3 interface refuses to tell whether a bucket keeps versions (Backblaze, "S3-Compatible App Keys").
    let read = "listBuckets,readBuckets,listFiles,readFiles";
    let locks = "readBucketRetentions,readFileRetentions";
    let command = |side: &str, target: &Target, capabilities: String| {
        let prefix = match target.key("") {
            prefix if prefix.is_empty() => String::new(),
            prefix => format!(" --name-prefix {prefix}"),
        };
        format!(
            "b2 key create --bucket {}{prefix} tidelock-{}-{side} {capabilities}",
            target.bucket,
            role.name()
        )
    };
    let mut commands = Vec::new();
    if let Some(target) = scope.sync.filter(|_| role != Role::Pruner) {
        let write = if role == Role::Writer {
            ",writeFiles,deleteFiles"
        } else {
            ""
        };
        commands.push(command("sync", target, format!("{read}{write}")));
    }
    if let Some((target, ..)) = scope.backup {
        let more = match role {
            Role::Writer => format!(",{locks},writeFiles,writeFileRetentions"),
            Role::Reader => String::new(),
            Role::Pruner => format!(",{locks},writeFiles,writeFileRetentions,deleteFiles"),
            Role::Auditor => format!(",{locks}"),
        };
        commands.push(command("backup", target, format!("{read}{more}")));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(role: Role) -> String {
        let sync = Target::parse("s3://photos/library").unwrap();
        let backup = Target::parse("s3://vault/library").unwrap();
        let days = Duration::from_secs(60 * 86_400);
        let scope = Scope {
            sync: Some(&sync),
            backup: Some((&backup, Mode::Governance, days)),
        };
        policy(role, &scope).to_string()
    }

    #[test]
    fn f56_no_role_can_bypass_locks_or_change_a_bucket() {
        for role in Role::ALL {
            let text = text(role);
            for never in [
                "Bypass",
                "PutBucket",
                "PutLifecycle",
                "s3:*",
                "DeleteBucket",
                "\"*\"",
            ] {
                assert!(!text.contains(never), "{role:?} {never}");
            }
        }
    }

    #[test]
    fn every_b2_key_may_see_what_a_run_asks_of_a_bucket() {
        let backup = Target::parse("s3://vault/library").unwrap();
        let scope = Scope {
            sync: None,
            backup: Some((&backup, Mode::Governance, Duration::ZERO)),
        };
        for role in Role::ALL {
            let commands = b2_commands(role, &scope);
            assert!(commands[0].contains(",readBuckets,"), "{commands:?}");
        }
    }

    #[test]
    fn f56_only_the_pruner_deletes_on_the_backup_and_only_the_writer_on_the_mirror() {
        let deletes = |role| {
            let policy: Value = serde_json::from_str(&text(role)).unwrap();
            let statements = policy["Statement"].as_array().unwrap().clone();
            let deleting = statements
                .into_iter()
                .filter(|statement| statement["Action"].to_string().contains("s3:DeleteObject"));
            deleting
                .map(|it| it["Resource"].to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            deletes(Role::Writer),
            r#"["arn:aws:s3:::photos/library/*"]"#
        );
        assert!(!deletes(Role::Pruner).contains("photos"));
        assert!(!deletes(Role::Pruner).contains("prunes"));
        assert!(deletes(Role::Pruner).contains("/pins/*"));
        assert_eq!(deletes(Role::Reader), "");
        assert_eq!(deletes(Role::Auditor), "");
    }
}
