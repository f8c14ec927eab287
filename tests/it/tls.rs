//! A store behind a private certificate authority: a MinIO of the test's own, with certificates by openssl.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command as Tidelock;
use tempfile::TempDir;

use crate::support::{Library, StoreKind, TestStore, assert_same_files};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Ends with its test.
struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    fn start(store: &TestStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_certificates(folder.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(minio())
            .args(["server", "--quiet", "--address"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--certs-dir")
            .arg(folder.path().join("certs"))
            .arg(folder.path().join("data"))
            .env("MINIO_ROOT_USER", &store.access_key)
            .env("MINIO_ROOT_PASSWORD", &store.secret_key)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            folder,
            port,
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < READY_WITHIN, "MinIO does not start");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// `tidelock VERB` for two buckets of this server, with that authority's certificate.
    fn tidelock(&self, store: &TestStore, verb: &str, authority: Option<&str>) -> Tidelock {
        let mut command = store.bare_tidelock();
        command.arg(verb);
        command.arg("--endpoint");
        command.arg(format!("https://127.0.0.1:{}", self.port));
        command.args(["--backup-to", "s3://vault/lib"]);
        if let Some(authority) = authority {
            command.env("TIDELOCK_CA_CERT", self.folder.path().join(authority));
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn minio() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/minio");
    let output = Command::new(script).arg("path").output().unwrap();
    assert!(output.status.success(), "no minio: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// `ca.crt` has signed the server's certificate, `other.crt` has not.
fn make_certificates(folder: &Path) {
    std::fs::create_dir_all(folder.join("certs")).unwrap();
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["ca", "other"] {
        openssl(
            folder,
            &format!(
                "req -x509 {key} -keyout {authority}.key -out {authority}.crt -days 2 -subj /CN={authority}"
            ),
        );
    }
    openssl(
        folder,
        &format!("req {key} -keyout certs/private.key -out request -subj /CN=localhost"),
    );
    openssl(
        folder,
        "x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -out certs/public.crt -days 2 -extfile names",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl, which makes the certificates, is on PATH");
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
}

#[test]
fn f36_a_private_authority_is_trusted_where_ca_cert_names_it_and_only_there() {
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    let (server, library) = (Server::start(&store), Library::new());
    library.file("2024/a.jpg", 5_000);
    library.file("film.mov", (8 << 20) + 5);
    for authority in [None, Some("other.crt")] {
        let mut run = server.tidelock(&store, "run", authority);
        run.args(["--sync-to", "s3://mirror/lib"])
            .arg(library.path());
        let ended = run.assert().code(2);
        let said = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert!(said.contains("ca_cert"), "{said}");
    }
    for verb in ["init", "run"] {
        let mut command = server.tidelock(&store, verb, Some("ca.crt"));
        command
            .args(["--sync-to", "s3://mirror/lib"])
            .arg(library.path());
        command.assert().success();
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("restored");
    let mut restore = server.tidelock(&store, "restore", Some("ca.crt"));
    restore.arg("--to").arg(&to).assert().success();
    assert_same_files(library.path(), &to);
}
