"""Reads both buckets by the documented layout and says what is wrong with them. It uses none of the product's code.

    checker.py --endpoint URL --sync BUCKET/PREFIX --backup BUCKET/PREFIX [--finished]

Keys come from TIDELOCK_TEST_ACCESS_KEY and TIDELOCK_TEST_SECRET_KEY. Without a history of the library it proves the
snapshots and the chain; the kill campaign gives it one, and then it also proves that nothing stored is a mix of two
states, and that nothing left the mirror that no snapshot names."""

import argparse
import base64
import datetime
import json
import os
import sys

import blake3
import zstandard

import s3


def digest(data):
    return blake3.blake3(data).hexdigest()


def moment(text):
    return datetime.datetime.fromisoformat(text.split(".")[0].rstrip("Z")).replace(tzinfo=datetime.timezone.utc)


def path_of(entry):
    return base64.b64decode(entry["path_base64"]) if "path_base64" in entry else entry["path"].encode()


class Checker:
    """Versions never change, so what was once fetched is not fetched again."""

    def __init__(self, store, sync, backup):
        self.store = store
        self.sync, self.backup = sync, backup
        self.hashes = {}  # (key, version id) -> (BLAKE3, size)
        self.locks = {}  # (key, version id) -> retain-until: locks only grow, so an old answer is a lower bound
        self.chunks = {}  # version id -> entries
        self.wrong = []

    def fail(self, text):
        self.wrong.append(text)

    def fetch(self, key, version):
        return self.store.get(self.backup[0], key, version)

    def hash_of(self, key, version):
        if (key, version) not in self.hashes:
            data = self.fetch(key, version)
            self.hashes[key, version] = (digest(data), len(data))
        return self.hashes[key, version]

    def lock_of(self, key, version, least=None):
        """The version's lock; asked for anew where an old answer is not as late as `least`."""
        known = self.locks.get((key, version))
        if not known or (least and moment(known) < moment(least)):
            head = self.store.head(self.backup[0], key, version)
            self.locks[key, version] = head.get("x-amz-object-lock-retain-until-date")
        return self.locks[key, version]

    def run(self, contents=None, mirror_held=None):
        """contents: BLAKE3 of every state that any file ever had, foreign ones included. mirror_held: those of them that
        the mirror was seen to hold."""
        self.wrong = []
        bucket, prefix = self.backup
        versions = self.store.versions(bucket, prefix)
        self.by_id = {(v["key"], v["version_id"]): v for v in versions}
        self.whole_versions(versions, contents)
        snapshots = self.snapshots(versions)
        named = set()
        for snapshot in snapshots:
            named |= self.snapshot(snapshot)
        self.mirror(contents, mirror_held, named)
        return self.wrong

    def whole_versions(self, versions, contents):
        """Nothing stored is a mix, and no content is locked twice under its path."""
        base, seen = self.backup[1] + "files/", {}
        for version in versions:
            if not version["key"].startswith(base):
                continue
            content, size = self.hash_of(version["key"], version["version_id"])
            if size != version["size"]:
                self.fail(f"{version['key']}: {size} bytes, listed with {version['size']}")
            if contents is not None and content not in contents:
                self.fail(f"{version['key']} ({version['version_id']}): bytes that the library never had")
            if not self.lock_of(version["key"], version["version_id"]):
                self.fail(f"{version['key']} ({version['version_id']}): not locked")
            other = seen.setdefault((version["key"], content), version["version_id"])
            if other != version["version_id"]:
                self.fail(f"{version['key']}: the same content is locked twice: {other}, {version['version_id']}")

    def snapshots(self, versions):
        """Every snapshot object, oldest first; the chain has no gap."""
        base = self.backup[1] + "snapshots/"
        oldest = {v["key"]: v for v in versions if v["key"].startswith(base)}  # newest first: the last one is the oldest
        found, hashes = [], {}
        for key in sorted(oldest):
            body = self.fetch(key, oldest[key]["version_id"])
            snapshot = json.loads(body)
            if key != base + snapshot["id"] + ".json":
                self.fail(f"{key}: its id is {snapshot['id']}")
            parent = snapshot.get("parent")
            if parent and hashes.get(parent) != snapshot["parent_blake3"]:
                self.fail(f"{key}: its parent {parent} is missing or another")
            if not parent and found:
                self.fail(f"{key}: has no parent though {found[-1]['id']} is older")
            if not self.lock_of(key, oldest[key]["version_id"]):
                self.fail(f"{key}: not locked")
            hashes[snapshot["id"]] = digest(body)
            found.append(snapshot)
        return found

    def snapshot(self, snapshot):
        """It is whole; the contents that it names."""
        named, last, files, size = set(), b"", 0, 0
        for where in ("manifest", "rescued"):
            last = b""
            for chunk in snapshot[where]:
                entries = self.chunk(snapshot, chunk)
                for entry in entries:
                    if path_of(entry) <= last and where == "manifest":
                        self.fail(f"{snapshot['id']}: {entry.get('path')} is out of order")
                    last = path_of(entry)
                    self.entry(snapshot, chunk, entry)
                    if entry["type"] == "file":
                        named.add(entry["blake3"])
                        if where == "manifest":
                            files, size = files + 1, size + entry["size"]
        if (files, size) != (snapshot["files"], snapshot["bytes"]):
            self.fail(f"{snapshot['id']}: says {snapshot['files']} files, {snapshot['bytes']} bytes; has {files}, {size}")
        return named

    def chunk(self, snapshot, chunk):
        if chunk["version_id"] in self.chunks:
            return self.chunks[chunk["version_id"]]
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(self.fetch(chunk["key"], chunk["version_id"]))
        name = f"{snapshot['id']}: chunk {chunk['key']}"
        if digest(lines) != chunk["blake3"] or len(lines) != chunk["size"] or chunk["blake3"] not in chunk["key"]:
            self.fail(f"{name}: other bytes than its name says")
        entries = [json.loads(line) for line in lines.splitlines()]
        if len(entries) != chunk["entries"] or not entries or path_of(entries[0]) != path_of({"path": chunk["first"]}):
            self.fail(f"{name}: other entries than the snapshot says")
        for at, entry in enumerate(entries, 1):
            ends = int.from_bytes(blake3.blake3(path_of(entry)).digest()[:8], "little") % 1024 == 0
            if ends and at < len(entries) or at > 16384:
                self.fail(f"{name}: goes on behind entry {at}, where it should end")
        self.chunks[chunk["version_id"]] = entries
        return entries

    def entry(self, snapshot, chunk, entry):
        if entry["type"] != "file":
            return
        name = f"{snapshot['id']}: {entry.get('path') or entry.get('path_base64')}"
        at = (entry["key"], entry["version_id"])
        version = self.by_id.get(at) or self.unlisted(*at)
        if version is None:
            self.fail(f"{name}: its version {at} does not exist")
            return
        if version["size"] != entry["size"] or version["etag"] != entry["etag"]:
            self.fail(f"{name}: size or ETag differ from its version's: {version}")
        if self.hash_of(*at)[0] != entry["blake3"]:
            self.fail(f"{name}: its version holds other bytes")
        until = self.lock_of(*at, least=chunk["locked_until"])
        if not until or moment(until) < moment(chunk["locked_until"]):
            self.fail(f"{name}: locked until {until}, claimed {chunk['locked_until']}")

    def unlisted(self, key, version):
        """MinIO lists nothing below a key that is an object itself, though it has it."""
        try:
            head = self.store.head(self.backup[0], key, version)
        except s3.Failed:
            return None
        return {"key": key, "version_id": version, "size": int(head["content-length"]), "etag": head["etag"].strip('"')}

    def mirror(self, contents, held, named):
        """What the mirror was seen to hold and holds no longer is in a snapshot."""
        if contents is None:
            return
        now = set()
        for key in self.mirror_keys():
            content = digest(self.store.get(self.sync[0], key))
            now.add(content)
            if content not in contents:
                self.fail(f"mirror: {key} holds bytes that nobody ever wrote")
        for content in (held or set()) - now - named:
            self.fail(f"mirror: {contents[content]} was there, is gone, and no snapshot names it")
        self.mirrored = now

    def mirror_keys(self):
        own = self.sync[1] + ".tidelock/lease"
        return [key for key in self.store.objects(*self.sync) if not key.startswith(own)]

    def finished(self):
        """After a run that ended with 0: nothing is left over."""
        wrong = []
        for bucket, _ in (self.sync, self.backup):
            # MinIO goes on listing an upload whose Complete outlived its client; asked for the key, it knows better.
            keys = {key for key, _ in self.store.uploads(bucket)}
            wrong += [f"{bucket}: unfinished upload of {key}" for key in sorted(keys) if self.store.uploads(bucket, key)]
        if any(key.startswith(self.sync[1] + ".tidelock/lease") for key in self.store.objects(*self.sync)):
            wrong.append("the sync target's lease was not given back")
        lease = json.loads(self.store.get(self.backup[0], self.backup[1] + ".tidelock/lease.json"))
        if not lease.get("released"):
            wrong.append("the backup target's lease was not given back")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("endpoint", "sync", "backup"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--finished", action="store_true")
    given = parser.parse_args()
    store = s3.S3(given.endpoint, os.environ["TIDELOCK_TEST_ACCESS_KEY"], os.environ["TIDELOCK_TEST_SECRET_KEY"])
    split = lambda target: (target.partition("/")[0], target.partition("/")[2].rstrip("/") + "/")
    checker = Checker(store, split(given.sync), split(given.backup))
    wrong = checker.run() + (checker.finished() if given.finished else [])
    print("\n".join(wrong) or "all snapshots are whole")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
