"""Every command, in good and in bad cases, and every line that it prints against the schema. See scripts/schema.

Readers must ignore fields that they don't know, so the schema allows them. Here it does not: a field that the program prints and the
schema has not fails, and so does an action, a problem or a command that nothing here makes it print, as far as EXPECTED names it.
"""

import argparse
import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "docs/schema/output.json").read_text())
# The kinds of lines that must have been met in the end, or nothing would be proven about them.
EXPECTED = {
    "phase", "file", "library", "note", "warning", "error", "check", "summary", "snapshot", "entry", "version", "change", "status_backup",
    "status_sync", "verified", "problem", "card", "overview", "b2_command", "policy",
}


def strict(schema):
    """The same, without room for fields that it does not name."""
    if isinstance(schema, dict):
        result = {key: strict(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            result["additionalProperties"] = False
        return result
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


class Lines:
    """All lines that were printed, and what was wrong with them."""

    def __init__(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        closed = strict(copy.deepcopy(SCHEMA))
        self.kinds = {}
        for branch in ("then", "else"):
            for reference in closed[branch]["anyOf"]:
                name = reference["$ref"].rsplit("/", 1)[1]
                self.kinds[name] = jsonschema.Draft202012Validator({**reference, "$defs": closed["$defs"]})
        self.met, self.wrong, self.count = set(), 0, 0

    def take(self, command, text):
        lines = text.splitlines()
        for line in lines:
            self.count += 1
            self.one(command, line)
        if not lines or (json.loads(lines[-1]).get("event") != "summary" and "Statement" not in lines[-1]):
            self.complain(command, lines[-1:], "does not end with a summary")

    def one(self, command, line):
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            return self.complain(command, line, f"is no JSON: {error}")
        names = [value["event"]] if value.get("event") in self.kinds else [name for name in self.kinds]
        fits = [name for name in names if self.kinds[name].is_valid(value)]
        self.met.update(fits)
        if not fits:
            names = names if len(names) == 1 else []
            why = [f"{'/'.join(map(str, it.absolute_path))}: {it.message}" for name in names for it in self.kinds[name].iter_errors(value)]
            self.complain(command, line, "is not in the schema " + "; ".join(why))

    def complain(self, command, line, what):
        self.wrong += 1
        print(f"{' '.join(command)}: {what}\n    {line}")


class Place:
    """A home, a library and a server, and the program in it."""

    def __init__(self, work, program, endpoint, lines):
        self.work, self.program, self.lines = work, program, lines
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(work), "AWS_ACCESS_KEY_ID": "tidelock", "AWS_SECRET_ACCESS_KEY": "tidelock-secret",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "TIDELOCK_ENDPOINT": endpoint,
        }

    def run(self, *arguments, code=0, **more):
        command = [*arguments, "--json"]
        done = subprocess.run([self.program, *command], cwd=self.work, text=True, env={**self.environment, **more}, capture_output=True)
        self.lines.take(command, done.stdout)
        if done.returncode != code:
            self.lines.complain(command, done.stderr, f"ended with {done.returncode} instead of {code}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def write(self, path, text):
        path = self.work / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def a_library(place):
    """Files, folders and links of every kind that a manifest knows."""
    for name in ("2024/a.jpg", "2024/b.jpg", "notes.txt", "moved.txt"):
        place.write(f"library/{name}", name)
    library = place.work / "library"
    (library / "empty").mkdir()
    (library / "link").symlink_to("notes.txt")
    (library / "link to bytes").symlink_to(b"\xff\xfe".decode("utf-8", "surrogateescape"))
    os.link(library / "notes.txt", library / "twin.txt")
    os.mkfifo(library / "pipe")
    with open(bytes(library) + b"/na\xefve.txt", "w") as file:
        file.write("not UTF-8")


def nights(place):
    """Set up, two nights and a night without the disk."""
    place.run(code=0)
    place.run("run", code=2)
    targets = ("--sync-to", "s3://json-mirror/library", "--backup-to", "s3://json-vault/library")
    place.run("init", "library", *targets)
    place.run("doctor", code=5)
    place.run("run", "--dry-run")
    place.run("run")
    (place.work / "library/moved.txt").rename(place.work / "library/2024/moved.txt")
    (place.work / "library/2024/b.jpg").unlink()
    place.write("library/notes.txt", "more of it")
    os.chmod(place.work / "library/2024/a.jpg", 0o600)
    place.run("run", "-v")
    place.run("sync", "--checksum")
    place.run("backup")
    (place.work / "library").rename(place.work / "unplugged")
    place.run("run", code=4)
    (place.work / "unplugged").rename(place.work / "library")


def looking(place):
    """All that reads."""
    place.run()
    snapshots = [row["id"] for row in place.run("snapshots") if "id" in row]
    place.run("ls")
    place.run("ls", "--snapshot", snapshots[0])
    place.run("history", "2024")
    place.run("diff", snapshots[0], "latest")
    place.run("status")
    place.run("verify")
    place.run("verify", "--read-data")
    place.run("recovery-card")
    place.run("restore", "--to", "restored", "-n")
    place.run("restore", "--to", "restored")
    place.run("restore", "2024", "--to", "restored")
    place.run("restore", "no/such", "--to", "restored", code=3)
    place.run("restore", "--deleted-since", "1d", "--to", "deleted")
    for role in ("writer", "reader", "pruner", "auditor"):
        place.run("policy", role)
        place.run("policy", role, "--provider", "b2")


def keeping(place):
    place.run("renew")
    place.run("prune", "--dry-run")
    place.run("prune")
    place.run("pull", "--to", "second-machine")
    place.write("library/notes.txt", "changed here")
    place.write("second-machine/notes.txt", "and changed there")
    place.run("run")
    place.run("pull", "--to", "second-machine", code=3)
    place.run("init", "--from", "s3://json-vault/library", "--config", "again.toml")


def damage(place, mc):
    """What somebody with the account's keys could do, as verify and status tell it."""
    version = next(row for row in place.run("ls") if row.get("path") == "2024/a.jpg")
    mc("rm", "--bypass", "--version-id", version["version_id"], f"walks/json-vault/{version['key']}")
    place.run("verify", code=5)
    mc("rm", f"walks/json-vault/library/files/notes.txt")
    place.run("verify", code=5)
    place.run("restore", "--to", "damaged", code=5)


def several(place):
    """Two libraries, one of which is not there."""
    place.write("several.toml", """
        [[library]]
        name = "photos"
        path = "library"
        [[library]]
        name = "papers"
        path = "nowhere"
        [sync]
        to = "s3://json-mirror/home"
        [backup]
        to = "s3://json-vault/home"
    """)
    place.run("--config", "several.toml")
    place.run("run", "--config", "several.toml", code=2)
    place.run("status", "photos", "--config", "several.toml")


def client(work, endpoint):
    program = script("minio", "mc-path").strip()
    environment = {"HOME": str(work), "PATH": os.environ["PATH"], "MC_HOST_walks": endpoint.replace("http://", "http://tidelock:tidelock-secret@")}

    def mc(*arguments):
        subprocess.run([program, "--quiet", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)

    return mc


def script(name, *arguments):
    return subprocess.run([str(ROOT / "scripts" / name), *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout


def build():
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/tidelock"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidelock", type=pathlib.Path)
    program = (parser.parse_args().tidelock or build()).resolve()
    work = pathlib.Path(tempfile.mkdtemp(prefix="tidelock-schema."))
    lines = Lines()
    try:
        printed = script("minio", "start", "--dir", str(work / "minio"), "--for", "1h")
        endpoint = dict(line.split("=", 1) for line in printed.splitlines())["ENDPOINT"]
        home = work / "home"
        home.mkdir()
        place = Place(home, str(program), endpoint, lines)
        a_library(place)
        nights(place)
        looking(place)
        keeping(place)
        several(place)
        damage(place, client(home, endpoint))
    finally:
        if (work / "minio/server.pid").exists():
            script("minio", "stop", "--dir", str(work / "minio"))
        shutil.rmtree(work, ignore_errors=True)
    for kind in sorted(EXPECTED - lines.met):
        lines.complain(["nothing"], "", f"printed a line of the kind {kind}, so it is not tested")
    print(f"{lines.count} lines of --json, {lines.wrong} wrong")
    return 1 if lines.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
