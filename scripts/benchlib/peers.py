"""The tools, each doing both jobs: a mirror in one bucket, a backup in another."""

import os
import pathlib
import shutil
import subprocess
import sys

from . import server

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
REGION = "us-east-1"


class Tool:
    """One way to have a mirror and a backup. `run(phase)` returns what the phase cost the client."""

    name = ""
    # Whether the backup's bucket keeps versions and locks them, as one for backups must.
    locked = True

    def prepare(self, minio, library, home):
        self.minio, self.source, self.home = minio, library, home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": minio.access,
            "AWS_SECRET_ACCESS_KEY": minio.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self.variables(),
        }
        self.setup()

    def run(self, phase):
        if phase == "restore":
            shutil.rmtree(self.home / "restored", ignore_errors=True)
            return self.restore(self.home / "restored")
        if phase == "fresh":
            self.forget()
        return self.mirror() + self.backup()

    def command(self, *words):
        return server.run(words, self.environment)

    def quiet(self, *words):
        subprocess.run([str(w) for w in words], env=self.environment, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def variables(self):
        return {}

    def setup(self):
        """Makes both buckets; the second with a lock of the same length as Tidelock's."""
        self.mc_quiet("mb", "bench/mirror")
        if not self.locked:
            return self.mc_quiet("mb", "bench/vault")
        self.mc_quiet("mb", "--with-lock", "bench/vault")
        self.mc_quiet("retention", "set", "--default", "governance", "2d", "bench/vault")

    def mc_quiet(self, *words):
        subprocess.run([mc(), *words], env={**self.environment, **mc_variables(self.minio)}, check=True,
                       stdout=subprocess.DEVNULL)

    def forget(self):
        """A fresh machine: nothing local but the library is left."""
        for entry in self.home.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def mc_variables(minio):
    host = minio.endpoint.removeprefix("http://")
    return {"MC_HOST_bench": f"http://{minio.access}:{minio.secret}@{host}"}


def rclone_variables(minio):
    prefix = "RCLONE_CONFIG_BENCH_"
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Minio",
        "ENDPOINT": minio.endpoint,
        "ACCESS_KEY_ID": minio.access,
        "SECRET_ACCESS_KEY": minio.secret,
        "REGION": REGION,
    }
    return {prefix + name: value for name, value in settings.items()}


class Tidelock(Tool):
    name = "tidelock"

    def __init__(self):
        self.program = os.environ.get("TIDELOCK_BENCH_BINARY") or build_release()

    def setup(self):
        self.quiet(self.program, "init", self.source, *self.targets(), *self.where(), "--yes",
                   "--config", self.home / "tidelock.toml")

    def targets(self):
        return ["--sync-to", "s3://mirror/lib", "--backup-to", "s3://vault/lib", "--retention", "2d"]

    def where(self):
        return ["--endpoint", self.minio.endpoint, "--path-style", "--state-dir", self.home / "state"]

    def mirror(self):
        """Both jobs are one command: all of it is counted here."""
        return self.command(self.program, "run", self.source, *self.targets(), *self.where(), "-q")

    def backup(self):
        return server.Cost(0, 0)

    def restore(self, to):
        return self.command(self.program, "restore", "--to", to, *self.targets()[2:], *self.where(), "-q")


class Rclone(Tool):
    name = "rclone+rclone"

    def variables(self):
        return rclone_variables(self.minio)

    def mirror(self):
        return self.command(rclone(), "sync", self.source, "bench:mirror/lib", "--transfers", "16", "--checkers", "16")

    def backup(self):
        return self.command(rclone(), "sync", self.source, "bench:vault/lib", "--transfers", "16", "--checkers", "16")

    def restore(self, to):
        return self.command(rclone(), "copy", "bench:vault/lib", to, "--transfers", "16")


class S5cmd(Tool):
    name = "s5cmd+s5cmd"

    def s5cmd(self, *words):
        return self.command(pinned("s5cmd"), "--endpoint-url", self.minio.endpoint, *words)

    def mirror(self):
        return self.s5cmd("sync", "--delete", f"{self.source}/", "s3://mirror/lib/")

    def backup(self):
        return self.s5cmd("sync", "--delete", f"{self.source}/", "s3://vault/lib/")

    def restore(self, to):
        return self.s5cmd("cp", "s3://vault/lib/*", f"{to}/")


class Aws(Tool):
    name = "aws+aws"

    def aws(self, *words):
        return self.command(pinned("aws"), "--endpoint-url", self.minio.endpoint, "s3", "sync", *words)

    def mirror(self):
        return self.aws("--delete", self.source, "s3://mirror/lib")

    def backup(self):
        return self.aws("--delete", self.source, "s3://vault/lib")

    def restore(self, to):
        return self.aws("s3://vault/lib", to)


class Mc(Tool):
    name = "mc+mc"

    def variables(self):
        return mc_variables(self.minio)

    def mc(self, *words):
        return self.command(mc(), "--quiet", "mirror", *words)

    def mirror(self):
        return self.mc("--overwrite", "--remove", self.source, "bench/mirror/lib")

    def backup(self):
        return self.mc("--overwrite", "--remove", self.source, "bench/vault/lib")

    def restore(self, to):
        return self.mc("bench/vault/lib", to)


class S3sync(Tool):
    name = "s3sync+s3sync"

    def s3sync(self, *words):
        side = "source" if str(words[0]).startswith("s3:") else "target"
        return self.command(pinned("s3sync"), f"--{side}-endpoint-url", self.minio.endpoint,
                            f"--{side}-force-path-style", *words)

    def mirror(self):
        return self.s3sync("--delete", self.source, "s3://mirror/lib/")

    def backup(self):
        return self.s3sync("--delete", self.source, "s3://vault/lib/")

    def restore(self, to):
        return self.s3sync("s3://vault/lib/", to)


class Restic(Rclone):
    """A mirror by rclone, a backup in restic's packs."""

    name = "rclone+restic"

    def variables(self):
        return {**super().variables(), "RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(self.home / "cache"),
                "RESTIC_REPOSITORY": f"s3:{self.minio.endpoint}/vault/restic"}

    def setup(self):
        super().setup()
        self.quiet(pinned("restic"), "init")

    def backup(self):
        return self.command(pinned("restic"), "backup", "--quiet", self.source)

    def restore(self, to):
        return self.command(pinned("restic"), "restore", "latest", "--quiet", "--target", to)


class Bare(Tool):
    """No tool: the same bytes over bare sockets, without signature, hash or disk (tests/wan). What is above it is the
    clients' own."""

    name = "bare"

    def setup(self):
        super().setup()
        for bucket in ("mirror", "vault"):
            self.mc_quiet("anonymous", "set", "public", f"bench/{bucket}")

    def move(self, way, files):
        sizes = {path.stat().st_size for path in files}
        return self.command(server.wan_program(), "bare", way, self.minio.endpoint, "mirror,vault", len(files), *sizes)

    def run(self, phase):
        files = [path for path in self.source.rglob("*") if path.is_file()]
        if phase in ("idle", "fresh"):
            return server.Cost(0, 0)
        if phase == "changed":
            files = files[::100]
        return self.move("get" if phase == "restore" else "put", files)


TOOLS = {"tidelock": Tidelock, "rclone": Rclone, "s5cmd": S5cmd, "mc": Mc, "aws": Aws, "s3sync": S3sync,
         "restic": Restic, "bare": Bare}


def available(names, work):
    """The tools that can be had; the others are named and left out."""
    tools = []
    for name in names:
        if name not in TOOLS:
            raise SystemExit(f"bench: no tool is called {name}; there are {', '.join(TOOLS)}")
        try:
            needed = {"tidelock": lambda: None, "bare": server.wan_program, "mc": mc}
            needed.get(name, lambda: pinned(name))()
            tools.append(TOOLS[name]())
        except subprocess.CalledProcessError:
            print(f"bench: {name} can't be had here and is left out", file=sys.stderr)
    return tools


def pinned(name):
    """A program that scripts/tools provides."""
    return output(SCRIPTS / "tools", name)


def rclone():
    return pinned("rclone")


def mc():
    return output(SCRIPTS / "minio", "mc-path")


def build_release():
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=SCRIPTS.parent, check=True)
    return SCRIPTS.parent / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "tidelock"


_FOUND = {}


def output(*command):
    key = tuple(map(str, command))
    if key not in _FOUND:
        _FOUND[key] = subprocess.run(key, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return _FOUND[key]
