//! Examples at the end of each command's help.

pub(super) const TIDELOCK: &str = "\
Sync keeps your copies the same. Backup keeps the copies you had. Tidelock does both from one
read of the library.

Examples:
  tidelock init                                     set up: buckets, library, tidelock.toml
  tidelock run                                      tonight's run
  tidelock run ~/Pictures --sync-to s3://my-photos/library --backup-to s3://my-photos-vault/library
  tidelock restore --to ~/restored                  the latest snapshot
  tidelock snapshots                                what there is to restore
  tidelock pull --to ~/Pictures                     the mirror, on a second machine

Settings: flags beat TIDELOCK_* variables (TIDELOCK_SYNC_TO, TIDELOCK_BACKUP_RETENTION, ...),
these beat tidelock.toml (./tidelock.toml, then ~/.config/tidelock/tidelock.toml).
Credentials: the AWS chain, a profile for each target (--sync-profile, --backup-profile), or
TIDELOCK_SYNC_ACCESS_KEY_ID, TIDELOCK_SYNC_SECRET_ACCESS_KEY, and the same with BACKUP.

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some files not stored, 4 refused by a
guard, 5 damage or risk found, 6 another run is at work, 7 stopped, run again, 130 interrupted.";

pub(super) const RUN: &str = "\
Examples:
  tidelock run                            the library, the targets and all else from tidelock.toml
  tidelock run photos                     one of several configured libraries; all without a name
  tidelock run ./photos -n                print the plan, touch nothing
  tidelock run ~/Pictures --sync-to s3://my-photos/library --backup-to s3://my-photos-vault/library
  tidelock run --time-budget 5h --bwlimit 10M
  tidelock run --max-delete 100%          allow this run's deletes after a look at them";

pub(super) const SYNC: &str = "\
Objects are overwritten or deleted only once a snapshot of the backup holds what they hold. Where
no backup target is configured, deletes are final.

Examples:
  tidelock sync
  tidelock sync ~/Pictures --sync-to s3://my-photos/library -n
  tidelock sync --without-backup          without a look at the backup that is configured";

pub(super) const BACKUP: &str = "\
Lock retention says how long each version can't be deleted (--retention, --mode). The keep policy
says which snapshots stay when pruning; the two are apart.

Examples:
  tidelock backup
  tidelock backup ~/Pictures --backup-to s3://my-photos-vault/library --retention 90d
  tidelock backup --checksum              read and compare every file";

pub(super) const RESTORE: &str = "\
Takes the newest snapshot that is not suspect, unless --at or --snapshot says otherwise. Files that
are right already are left alone, so an interrupted restore goes on where it was. A large restore
(over 1,000 files, over 10 GiB, or one that replaces a file) asks first, on a terminal; --yes does
not.

Examples:
  tidelock restore --to ~/restored
  tidelock restore 2024/summer --to ~/restored --at 2026-11-01
  tidelock restore --to ~/restored --at \"3 days ago\" -n
  tidelock restore --to ~/restored --deleted-since 7d
  tidelock restore --to ~/restored --pick              choose files and folders from a list
  tidelock restore 2024/a.jpg --to ~/restored --version-id ID    ID as `tidelock history` shows it
  tidelock restore --to ~/restored --backup-to s3://my-photos-vault/library   on a new machine
  tidelock restore --to ~/restored --backup-to s3://my-photos-vault           which libraries?
  tidelock restore --to ~/restored --thaw bulk         what is archived: ask for it, come back later";

pub(super) const SNAPSHOTS: &str = "\
Examples:
  tidelock snapshots
  tidelock snapshots --json | jq -r 'select(.id) | .id'";

pub(super) const LS: &str = "\
What is longer than the terminal goes through $PAGER, or less; --no-pager prints it.

Examples:
  tidelock ls
  tidelock ls 2024/summer
  tidelock ls --at 2026-11-01 --json";

pub(super) const INIT: &str = "\
Makes the buckets or accepts existing ones: the backup's with versioning and object lock, the
mirror's plain. Asks on a terminal for what the flags leave open. Keys are only used, never written.

Examples:
  tidelock init
  tidelock init ~/Pictures --sync-to s3://my-photos/library --backup-to s3://my-photos-vault/library
  tidelock init --endpoint https://s3.example.org --region eu-central-1 --retention 90d
  tidelock init --from s3://my-photos-vault/library     tidelock.toml again, on a new machine";

pub(super) const COMPLETIONS: &str = "\
Examples:
  tidelock completions bash > ~/.local/share/bash-completion/completions/tidelock
  tidelock completions zsh  > ~/.zfunc/_tidelock
  tidelock completions fish > ~/.config/fish/completions/tidelock.fish";

pub(super) const MAN: &str = "\
Examples:
  tidelock man | man -l -
  tidelock man restore | man -l -
  tidelock man ~/.local/share/man/man1/   all pages, for `man tidelock-restore`";

pub(super) const PULL: &str = "\
Fetches what changed in the mirror since the last pull, proven by checksum. What the mirror does not
have any more is moved to DIR/.tidelock-trash/DATE, within max_delete. A file that was changed here
is never overwritten: if it changed in the mirror too, it is kept as \"a (conflict DATE).jpg\" beside
the mirror's version, and the exit code is 3. The credentials of `tidelock policy reader` are enough.

Examples:
  tidelock pull --to ~/Pictures --sync-to s3://my-photos/library
  tidelock pull --to ~/Pictures -n        what would be fetched and moved
  tidelock pull photos --to ~/Pictures    one of several configured libraries, by name
  tidelock pull --to ~/Pictures --checksum          read and compare all files that are here
  tidelock pull --to ~/Pictures --max-delete 100%   allow this pull's deletes after a look at them";

pub(super) const HISTORY: &str = "\
Examples:
  tidelock history 2024/summer/a.jpg
  tidelock history 2024/summer            of every file below it
  tidelock history 2024/summer/a.jpg --json | jq -r .version_id";

pub(super) const DIFF: &str = "\
Examples:
  tidelock diff 20261122T021500Z-1a2b3c4d latest
  tidelock diff yesterday now
  tidelock diff 2026-11-01 latest --json | jq -r 'select(.change == \"removed\") | .path'";

pub(super) const STATUS: &str = "\
Writes nothing. Exits 5 where something needs attention: the newest complete snapshot is older than
max_age (3 days), the newest is suspect, the chain is broken, locks have run out, or lifecycle rules
would expire or archive what snapshots need.

Examples:
  tidelock status
  tidelock status --json | jq 'select(.target == \"backup\") | .protected_until'";

pub(super) const VERIFY: &str = "\
Looks at every version that a kept snapshot names: whether it is there, its size, checksum and lock.
Exits 5 where something can't be restored or is not locked as recorded, and names it.

Examples:
  tidelock verify
  tidelock verify --read-data=10          the bytes of a tenth of the versions too; night by night
                                          another tenth, until all were read
  tidelock verify --read-data             the bytes of all";

pub(super) const RENEW: &str = "\
Extends lock retention; the keep policy has no part in it. Nightly runs renew by themselves, by what
they know of the locks; this reads the locks, and brings back what someone has shortened.

Examples:
  tidelock renew";

pub(super) const PRUNE: &str = "\
The keep policy decides which snapshots stay. Lock retention decides when what nobody needs any
more can go: a version stays until its lock is over, and for 7 days after its snapshot was dropped.
The newest snapshot, the newest that is not suspect, and the newest that is complete as well, always
stay. Needs the credentials of `tidelock policy pruner`.

Examples:
  tidelock prune -n                       what would go now, what later and when
  tidelock prune";

pub(super) const DOCTOR: &str = "\
Tries everything that a night needs on small objects of its own below .tidelock/ of each target, and
what a thief could do with the keys at hand. Takes its objects away again, if the keys may; on the
backup they are locked for a day, so with the writer's keys some stay. Changes no setting.

Exits 0 if all that is needed works, 2 for wrong keys or settings, 4 for a vault without versioning
and lock, 5 where the keys could destroy the backup or lifecycle rules could, 7 without a network.

Examples:
  tidelock doctor
  tidelock doctor -n                      only what can be seen without a write
  tidelock doctor --backup-to s3://my-photos-vault/library --backup-profile writer
  tidelock doctor --json | jq -r 'select(.result == \"fail\") | .message'";

pub(super) const POLICY: &str = "\
One JSON document for both targets, valid on AWS and MinIO. The writer, which runs every night, can
destroy nothing of the backup; prune and restore with other keys.

Examples:
  tidelock policy writer > writer.json
  aws iam put-user-policy --user-name tidelock --policy-name writer --policy-document file://writer.json
  mc admin policy create ALIAS tidelock-writer writer.json
  tidelock policy writer --provider b2";

pub(super) const RECOVERY_CARD: &str = "\
Has no secret, of keys the name alone. Keep it where the reader's key is kept: in the password
manager, and on paper.

Examples:
  tidelock recovery-card > recovery-card.txt";
