//! Sessions that run out while a run goes on: credentials of a program, as company logins hand them out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Case, Ran};
use crate::support::{Fault, Rule, StoreKind, TestStore, User, on_both};

/// Keys that a program hands out.
#[derive(Clone)]
struct Keys {
    id: String,
    secret: String,
    /// In seconds from the handing out.
    end: Option<u32>,
}

impl Keys {
    /// Those of the store itself.
    fn own(store: &TestStore) -> Self {
        Self {
            id: store.access_key.clone(),
            secret: store.secret_key.clone(),
            end: None,
        }
    }

    /// Other ones that open the same buckets.
    fn others(case: &Case) -> Self {
        let (id, secret) = match case.direct.kind {
            StoreKind::Minio => {
                let user = User::new(&case.direct, &[&case.sync, &case.vault], &["s3:*"]);
                (user.id, user.secret)
            }
            StoreKind::Localstack => ("others".to_owned(), "unchecked".to_owned()),
        };
        Self {
            id,
            secret,
            end: None,
        }
    }

    fn ending(self, seconds: u32) -> Self {
        Self {
            end: Some(seconds),
            ..self
        }
    }

    /// A line of shell that prints them as the AWS tools want it.
    fn printed(&self) -> String {
        let Self { id, secret, end } = self;
        let keys = format!(r#""Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}""#);
        match end {
            None => format!("echo '{{{keys}}}'"),
            Some(end) => {
                let date = format!("date -u -d \"+{end} seconds\" +%Y-%m-%dT%H:%M:%SZ");
                let bsd = format!("date -u -v +{end}S +%Y-%m-%dT%H:%M:%SZ");
                format!(
                    "end=$({date} 2>/dev/null || {bsd})\necho '{{{keys},\"Expiration\":\"'$end'\"}}'"
                )
            }
        }
    }
}

impl Case {
    /// A run whose credentials come from a program: the first two times (once for each target) these, later those.
    fn run_with(&self, first: &Keys, later: &Keys, more: &[&str]) -> Ran {
        let aws = self.store.home().join(".aws");
        fs::create_dir_all(&aws).unwrap();
        let calls = aws.join("calls");
        let _ = fs::remove_file(&calls);
        let program = aws.join("keys.sh");
        let script = format!(
            "#!/bin/sh\necho call >> '{calls}'\nif [ $(wc -l < '{calls}') -le 2 ]; then\n{}\nelse\n{}\nfi\n",
            first.printed(),
            later.printed(),
            calls = calls.display(),
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let profile = format!(
            "[profile session]\ncredential_process = {}\n",
            program.display()
        );
        fs::write(aws.join("config"), profile).unwrap();
        let mut command = self.process("run", more);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_PROFILE", "session")
            .arg(self.library.path());
        Ran::of(command)
    }

    fn calls(&self) -> usize {
        let calls = self.store.home().join(".aws/calls");
        fs::read_to_string(calls).unwrap().lines().count()
    }
}

/// Whichever request finds out, of whichever target.
async fn f35_credentials_that_the_store_calls_expired_are_renewed(store: TestStore) {
    let case = Case::new(store, 80).await;
    let (old, new) = (Keys::others(&case), Keys::own(&case.direct));
    for skip in [4, 9, 14, 18, 22] {
        case.library.file(format!("new/{skip}.jpg"), 2_000);
        let expired = Rule::always(Fault::Refuse(400, "ExpiredToken")).signed_by(&old.id);
        case.proxy.plan(expired.skip(skip));
        case.run_with(&old, &new, &[]).ends(0);
        assert!((3..=4).contains(&case.calls()), "{}", case.calls());
        case.proxy.clear();
    }
    case.assert_converged().await;
}

async fn f35_credentials_are_renewed_before_they_run_out(store: TestStore) {
    let case = Case::new(store, 81).await;
    let (old, new) = (
        Keys::others(&case).ending(3),
        Keys::own(&case.direct).ending(3600),
    );
    case.run_with(&old, &new, &["--bwlimit", "3M"]).ends(0);
    assert_eq!(case.calls(), 4, "once more for each target");
    case.assert_converged().await;
}

async fn f35_where_the_program_has_no_others_the_run_ends_resumable(store: TestStore) {
    let case = Case::new(store, 82).await;
    let old = Keys::others(&case);
    let expired = Rule::always(Fault::Refuse(400, "ExpiredToken")).signed_by(&old.id);
    case.proxy.plan(expired.skip(20));
    let ran = case.run_with(&old, &old, &[]);
    ran.ends(7);
    assert!(ran.stderr.contains("ran out"), "{}", ran.stderr);
    case.proxy.clear();
    case.run_with(&old, &old, &[]).ends(0);
    case.assert_converged().await;
}

/// Others that are refused too, again and again, are not asked for without end.
async fn f35_credentials_that_expire_as_soon_as_they_are_renewed_end_the_run(store: TestStore) {
    let case = Case::new(store, 83).await;
    let (old, new) = (Keys::others(&case), Keys::own(&case.direct));
    case.proxy
        .plan(Rule::always(Fault::Refuse(400, "ExpiredToken")).skip(20));
    case.run_with(&old, &new, &[]).ends(7);
    assert!(case.calls() < 12, "{}", case.calls());
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

on_both!(
    f35_credentials_that_the_store_calls_expired_are_renewed,
    f35_credentials_are_renewed_before_they_run_out,
    f35_where_the_program_has_no_others_the_run_ends_resumable,
    f35_credentials_that_expire_as_soon_as_they_are_renewed_end_the_run,
);
