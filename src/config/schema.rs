//! Every setting that there is, in one table: the file's keys, the variables and the flags are
//! spellings of these.

use super::value::Kind;

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    /// `section.name`, or `name` for what stands above all sections.
    pub(super) id: &'static str,
    /// What it may hold.
    pub(super) kind: Kind,
    /// Who may set it.
    pub(super) scope: Scope,
}

/// Who may set a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// File, variable, flag.
    Standing,
    /// As `Standing`; the variable may leave the section out, as the flag does.
    Short,
    /// Variable and flag alone: consent and wishes for one run, which no file may give for good.
    OneRun,
}

impl Key {
    /// The table of the file; empty for what stands above all tables.
    pub(super) fn section(&self) -> &'static str {
        self.id.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The key within its table.
    pub(super) fn name(&self) -> &'static str {
        self.id.rsplit_once('.').map_or(self.id, |(_, name)| name)
    }

    /// The variables that set it, the longest name first.
    pub(super) fn variables(&self) -> Vec<String> {
        let mut names = vec![variable(self.id)];
        if self.scope == Scope::Short {
            names.push(variable(self.name()));
        }
        names
    }
}

/// `TIDELOCK_BACKUP_KEEP_LAST` for `backup.keep.last`.
pub(super) fn variable(id: &str) -> String {
    format!("TIDELOCK_{}", id.replace('.', "_").to_ascii_uppercase())
}

const fn standing(id: &'static str, kind: Kind) -> Key {
    Key {
        id,
        kind,
        scope: Scope::Standing,
    }
}

const fn short(id: &'static str, kind: Kind) -> Key {
    Key {
        id,
        kind,
        scope: Scope::Short,
    }
}

const fn one_run(id: &'static str) -> Key {
    Key {
        id,
        kind: Kind::Switch,
        scope: Scope::OneRun,
    }
}

const PROVIDERS: Kind = Kind::Choice(&["aws", "b2", "minio", "other"]);
const CLOUD_FILES: Kind = Kind::Choice(&["skip", "download"]);
const COUNT: Kind = Kind::Number(0, 1_000_000);

/// All of them. A key that a later version acts on is read and checked all the same.
pub(super) const KEYS: &[Key] = &[
    standing("transfers", Kind::Number(1, 1_024)),
    standing("memory", Kind::Size(32 << 20)),
    standing("bwlimit", Kind::Rate),
    standing("state_dir", Kind::Path),
    standing("time_budget", Kind::Duration),
    standing("metrics_file", Kind::Path),
    standing("max_age", Kind::Duration),
    standing("cloud_files", CLOUD_FILES),
    // How both targets are reached, unless one has a setting of its own.
    standing("endpoint", Kind::Endpoint),
    standing("region", Kind::Text),
    standing("profile", Kind::Text),
    standing("role_arn", Kind::Text),
    standing("path_style", Kind::Switch),
    standing("provider", PROVIDERS),
    standing("ca_cert", Kind::Path),
    standing("allow_http", Kind::Switch),
    standing("library.name", Kind::Text),
    standing("library.path", Kind::Path),
    short("library.exclude", Kind::Patterns),
    short("library.include", Kind::Patterns),
    standing("library.default_excludes", Kind::Switch),
    standing("library.mtime", Kind::Choice(&["keep", "ignore"])),
    standing("library.ignore_inode", Kind::Switch),
    standing("library.ignore_ctime", Kind::Switch),
    standing("library.cloud_files", CLOUD_FILES),
    standing("sync.to", Kind::Target),
    standing("sync.endpoint", Kind::Endpoint),
    standing("sync.region", Kind::Text),
    standing("sync.profile", Kind::Text),
    standing("sync.role_arn", Kind::Text),
    standing("sync.path_style", Kind::Switch),
    standing("sync.provider", PROVIDERS),
    standing("sync.ca_cert", Kind::Path),
    standing("sync.allow_http", Kind::Switch),
    standing("sync.storage_class", Kind::Text),
    standing("sync.sse", Kind::Sse),
    short("sync.max_delete", Kind::Limit),
    short("sync.max_change", Kind::Limit),
    standing("backup.to", Kind::Target),
    standing("backup.endpoint", Kind::Endpoint),
    standing("backup.region", Kind::Text),
    standing("backup.profile", Kind::Text),
    standing("backup.role_arn", Kind::Text),
    standing("backup.path_style", Kind::Switch),
    standing("backup.provider", PROVIDERS),
    standing("backup.ca_cert", Kind::Path),
    standing("backup.allow_http", Kind::Switch),
    standing("backup.storage_class", Kind::Text),
    standing("backup.sse", Kind::Sse),
    short("backup.mode", Kind::Choice(&["governance", "compliance"])),
    short("backup.retention", Kind::Duration),
    standing("backup.renew_below", Kind::Duration),
    standing("backup.accept_irrevocable", Kind::Switch),
    standing("backup.via", Kind::Choice(&["auto", "upload", "copy"])),
    standing("backup.max_age", Kind::Duration),
    standing("backup.keep.last", COUNT),
    standing("backup.keep.hourly", COUNT),
    standing("backup.keep.daily", COUNT),
    standing("backup.keep.weekly", COUNT),
    standing("backup.keep.monthly", COUNT),
    standing("backup.keep.yearly", COUNT),
    standing("backup.keep.within", Kind::Within),
    standing("notify.url", Kind::Hidden),
    standing("notify.command", Kind::Hidden),
    standing("notify.allow_http", Kind::Switch),
    one_run("dry_run"),
    one_run("checksum"),
    one_run("allow_empty"),
    one_run("without_backup"),
    one_run("yes"),
    one_run("json"),
];

/// The file's tables, the keys above them included as `""`.
pub(super) const SECTIONS: &[&str] = &["", "library", "sync", "backup", "backup.keep", "notify"];

/// The key of this id.
pub(super) fn find(id: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.id == id)
}

/// The keys that a table of the file may have.
pub(super) fn of_section(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
        .filter(move |key| key.section() == section && key.scope != Scope::OneRun)
}

/// The key that a variable sets.
pub(super) fn of_variable(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.variables().iter().any(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_documentation_names_every_setting() {
        let page = include_str!("../../docs/configuration.md");
        for key in KEYS {
            let flag = format!("`--{}`", key.name().replace('_', "-"));
            let named = page.contains(&format!("`{}`", key.name()))
                || page.contains(&format!("] {}`", key.name()))
                || page.contains(&format!("{} = ", key.name()));
            assert!(named || page.contains(&flag), "{}", key.id);
        }
    }

    #[test]
    fn no_two_settings_share_a_name_or_a_variable() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            assert!(SECTIONS.contains(&key.section()), "{}", key.id);
            for name in key.variables() {
                assert!(seen.insert(name.clone()), "{name}");
                assert_eq!(of_variable(&name), Some(key));
            }
        }
    }
}
