//! The file: what it may say, and what is said about what it may not.

use super::*;

/// f58: what is wrong with the file is named with line and key, and a way out.
#[test]
fn f58_what_is_wrong_in_the_file_is_named_by_line_and_key() {
    for (file, message) in [
        (
            "[backup]\nretension = \"60d\"\n",
            "tidelock.toml:2: unknown key \"retension\" in [backup]; did you mean \"retention\"?",
        ),
        (
            "[sync]\nretention = \"60d\"\n",
            "tidelock.toml:2: key \"retention\" in [sync] belongs in [backup]",
        ),
        (
            "transfers = 8\n[backpu]\nto = \"s3://vault\"\n",
            "tidelock.toml:2: unknown section [backpu]; did you mean [backup]?",
        ),
        (
            "[sync]\nallow_empty = true\n",
            "tidelock.toml:2: \"allow_empty\" is for one run: give --allow-empty on the command \
             line instead",
        ),
        (
            "[backup]\n\nretention = 60\n",
            "tidelock.toml:3: backup.retention = 60 needs quotes and a unit, such as \"60d\", \
             \"1y\", \"5h\" or \"30m\"",
        ),
        (
            "[backup]\nretention = \"60 dayz\"\n",
            "tidelock.toml:2: backup.retention = \"60 dayz\" is not a duration; write a number with \
             a unit, such as 60d, 1y, 5h or 30m",
        ),
        (
            "[sync]\nmax_delete = \"110%\"\n",
            "tidelock.toml:2: sync.max_delete = \"110%\" must lie between 0% and 100%",
        ),
        (
            "memory = \"lots\"\n",
            "tidelock.toml:1: memory = \"lots\" is not a size; write a size such as 64M or 8MiB",
        ),
        (
            "[sync]\nendpoint = \"https://user:canary@host\"\n",
            "tidelock.toml:2: sync.endpoint holds credentials; take them out and give keys by a \
             profile or by TIDELOCK_SYNC_ACCESS_KEY_ID, TIDELOCK_BACKUP_ACCESS_KEY_ID and their \
             like",
        ),
        (
            "[sync]\nto = \"s3://My_Bucket/x\"\n",
            "tidelock.toml:2: sync.to = \"s3://My_Bucket/x\" is not a target: the bucket's name may only \
             have lower-case letters, digits, dots and hyphens",
        ),
        (
            "[library]\nexclude = \"*.tmp\"\nmtime = true\n",
            "tidelock.toml:3: library.mtime = true must be \"keep\" or \"ignore\", not true or \
             false",
        ),
        (
            "[backup]\nkeep = { last = 7, dialy = 3 }\n",
            "tidelock.toml:2: unknown key \"dialy\" in [backup.keep]; did you mean \"daily\"?",
        ),
        (
            "sync = 3\n",
            "tidelock.toml:1: sync must be a table: write [sync]",
        ),
        (
            "[[library]]\npath = \"a\"\n",
            "tidelock.toml:1: a [[library]] needs a name, such as \"photos\"",
        ),
    ] {
        assert_eq!(Case::new(file).usage(NOTHING), message, "{file}");
    }
}

#[test]
fn f58_everything_wrong_is_told_at_once() {
    let file = "transferz = 1\n[sync]\nto = 5\n[backup]\nmode = \"strict\"\n";
    let message = Case::new(file).usage(NOTHING);
    let mut lines: Vec<&str> = message
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["tidelock.toml:1:", "tidelock.toml:3:", "tidelock.toml:5:"],
        "{message}"
    );
}

#[test]
fn f58_a_file_that_is_no_toml_is_refused_with_the_line() {
    let message = Case::new("[sync]\nto = s3://x\n").usage(NOTHING);
    assert!(message.starts_with("tidelock.toml:2: "), "{message}");
}

#[test]
fn every_key_of_the_file_is_read() {
    let file = r#"
transfers = 8
memory = "64M"
bwlimit = "25M"
state_dir = "state"
time_budget = "5h"
metrics_file = "metrics.prom"
[library]
path = "~/Pictures"
exclude = [".DS_Store", "*.tmp"]
include = ["!keep.tmp"]
default_excludes = false
mtime = "ignore"
ignore_inode = true
ignore_ctime = true
cloud_files = "download"
[sync]
to = "s3://my-photos/library"
endpoint = "https://s3.example.org"
region = "eu-west-1"
profile = "photos"
role_arn = "arn:aws:iam::1:role/x"
path_style = false
provider = "minio"
storage_class = "STANDARD_IA"
sse = "aws:kms"
allow_http = true
max_delete = 25
max_change = "50%"
[backup]
to = "s3://my-photos-vault/library"
mode = "compliance"
retention = "1y"
renew_below = "30d"
accept_irrevocable = true
via = "copy"
max_age = "3d"
keep = { last = 7, hourly = 1, daily = 14, weekly = 8, monthly = 24, yearly = 10, within = "1y" }
[notify]
url = "https://example.org/ping"
command = "notify-send"
"#;
    let case = Case::new(file);
    let settings = case.settings();
    let shown = format!(
        "{:#?}",
        (
            settings.library,
            settings.sync,
            settings.backup,
            settings.run
        )
    );
    // The snapshot must not depend on where the test's folder is.
    let folder = case.folder.path().display().to_string();
    insta::assert_snapshot!(shown.replace(&folder, "FOLDER"));
}
