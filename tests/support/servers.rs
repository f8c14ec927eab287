//! The two servers behind the tests: those that `scripts/test` started and named in the environment, or, under a plain
//! `cargo test`, ones that this process starts when a test first asks for them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// Which of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Minio,
    Localstack,
}

impl StoreKind {
    pub(crate) const ALL: [Self; 2] = [Self::Minio, Self::Localstack];

    /// As in file names, test names and `scripts/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minio => "minio",
            Self::Localstack => "localstack",
        }
    }

    /// The environment variable with its endpoint, or `off`.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Minio => "TIDELOCK_TEST_MINIO",
            Self::Localstack => "TIDELOCK_TEST_LOCALSTACK",
        }
    }
}

/// How to reach a running server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// The server of that kind, started if nobody did; `None` where it is left out by name.
pub(crate) fn server(kind: StoreKind) -> Option<Server> {
    match env::var(kind.variable()).as_deref() {
        Ok("off") => None,
        Ok(endpoint) if !endpoint.is_empty() => Some(Server {
            endpoint: endpoint.to_owned(),
            access_key: key("TIDELOCK_TEST_ACCESS_KEY"),
            secret_key: key("TIDELOCK_TEST_SECRET_KEY"),
        }),
        _ => Some(own_server(kind).server.clone()),
    }
}

fn key(variable: &str) -> String {
    env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} must be set where a running server is named"))
}

/// A server that belongs to this process. Its wrapper script ends it when the pipe `_child.stdin` closes, which it does
/// however this process ends: statics are never dropped, and a killed process runs no destructors.
struct OwnServer {
    server: Server,
    _child: Child,
    /// Kept open: the script must not die of a closed pipe.
    _stdout: Lines<BufReader<ChildStdout>>,
}

fn own_server(kind: StoreKind) -> &'static OwnServer {
    static MINIO: OnceLock<OwnServer> = OnceLock::new();
    static LOCALSTACK: OnceLock<OwnServer> = OnceLock::new();
    let cell = match kind {
        StoreKind::Minio => &MINIO,
        StoreKind::Localstack => &LOCALSTACK,
    };
    cell.get_or_init(|| start(kind))
}

fn start(kind: StoreKind) -> OwnServer {
    let script = scripts().join(kind.name());
    let mut child = Command::new(&script)
        .args(["serve", "--for", "2h"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("can't run {}: {error}", script.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut value = |name: &str| {
        let line = lines.next().and_then(Result::ok).unwrap_or_default();
        line.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
            .unwrap_or_else(|| {
                panic!(
                    "{} could not be started: {} said why on stderr",
                    kind.name(),
                    script.display()
                )
            })
            .to_owned()
    };
    let server = Server {
        endpoint: value("ENDPOINT"),
        access_key: value("ACCESS_KEY"),
        secret_key: value("SECRET_KEY"),
    };
    OwnServer {
        server,
        _child: child,
        _stdout: lines,
    }
}

/// The pinned rclone, installed by `scripts/tools` if need be.
pub(crate) fn rclone() -> &'static Path {
    static RCLONE: OnceLock<PathBuf> = OnceLock::new();
    RCLONE.get_or_init(|| match env::var_os("TIDELOCK_TEST_RCLONE") {
        Some(path) => path.into(),
        None => tool("rclone"),
    })
}

/// A `PATH` with the tools that restoring by hand takes. `jq` and `zstd` are any system's own; the test fails without.
pub(crate) fn path_with_public_tools() -> &'static OsStr {
    static PATH: OnceLock<OsString> = OnceLock::new();
    PATH.get_or_init(|| {
        let mut folders: Vec<PathBuf> = ["aws", "b3sum"].map(folder_of).into();
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).expect("a PATH")
    })
}

/// The folder of a tool that `scripts/tools` installs.
fn folder_of(name: &str) -> PathBuf {
    let program = tool(name);
    program.parent().expect("a folder").to_owned()
}

/// A program that `scripts/tools` provides.
pub(crate) fn tool(name: &str) -> PathBuf {
    let output = Command::new(scripts().join("tools"))
        .arg(name)
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/tools");
    assert!(output.status.success(), "no {name}, see above");
    let path = String::from_utf8(output.stdout).expect("a path");
    path.trim_end().into()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}
