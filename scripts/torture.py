"""The kill campaign, see scripts/torture. Everything follows from the seed but the moment of a random kill, which depends
on how fast the machine is that day."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import checker
import s3

MIB = 1 << 20

# Where the process kills itself, and up to the how-manieth time that it comes by.
POINTS = {
    "leases-taken": 1, "stock-taken": 1, "rescued": 1, "transferred": 1, "before-commit": 1, "chunk-put": 2,
    "chunks-put": 2, "snapshot-put": 1, "folded": 1, "before-deletes": 1, "object-deleted": 3, "deleted": 1, "swept": 1,
    "closing": 1, "lease-released": 2, "version-put": 9, "object-put": 9, "upload-begun": 4, "part-sent": 9,
    "version-completed": 2, "object-completed": 2, "placed": 9, "remembered": 9, "version-rescued": 3,
    "rescue-committed": 1, "version-copied": 9,
}

# How new content gets to the backup target.
WAYS = ["auto", "copy", "upload"]


class Campaign:
    def __init__(self, given):
        self.given = given
        self.random = random.Random(given.seed)
        self.work = tempfile.mkdtemp(prefix="tidelock-torture-")
        self.library = os.path.join(self.work, "library")
        self.state = os.path.join(self.work, "state")
        os.mkdir(self.library)
        keys = os.environ["TIDELOCK_TEST_ACCESS_KEY"], os.environ["TIDELOCK_TEST_SECRET_KEY"]
        self.store = s3.S3(given.endpoint, *keys)
        name = f"torture-{given.seed}-{os.getpid()}"
        self.sync, self.vault = (name + "-mirror", "lib/"), (name + "-vault", "lib/")
        self.store.create_bucket(self.sync[0], False)
        self.store.create_bucket(self.vault[0], True)
        self.checker = checker.Checker(self.store, self.sync, self.vault)
        self.contents = {}  # BLAKE3 of every state that any file ever had -> what it was
        self.held = set()  # those that the mirror was seen to hold
        self.serial = 0
        self.killed = 0
        self.way = WAYS[0]
        self.log = []

    # The library ---------------------------------------------------------------------------------------------------

    def files(self):
        found = []
        for folder, _, names in os.walk(self.library):
            found += [os.path.relpath(os.path.join(folder, name), self.library) for name in names]
        return sorted(found)

    def at(self, name):
        return os.path.join(self.library, name)

    def bytes(self, size):
        return self.random.randbytes(size)

    def size(self):
        kind = self.random.random()
        if kind < 0.06:
            return self.random.randrange(9 * MIB, 20 * MIB)
        return self.random.choice([0, 1, 100, 5000, 70_000, self.random.randrange(300_000)])

    def learn(self, name):
        with open(self.at(name), "rb") as file:
            self.contents[checker.digest(file.read())] = name

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "r+b" if os.path.exists(self.at(name)) else "wb") as file:
            file.write(data)
            file.truncate()
        self.learn(name)

    def new(self):
        self.serial += 1
        name = f"{self.random.choice('abc')}/{self.random.choice('xy')}/{self.serial:04}{self.random.choice(['.jpg', ' é+%.mov', ''])}"
        self.write(name, self.bytes(self.size()))
        return f"new {name}"

    def edit(self):
        """One edit of the library, or of the mirror behind the product's back; in words."""
        files = self.files()
        if len(files) < 40:
            return self.new()
        name = self.random.choice(files)
        kind = self.random.choice(["new", "rewrite", "truncate", "grow", "rename", "delete", "copy", "touch", "foreign", "restore"])
        size = os.path.getsize(self.at(name))
        if kind == "new":
            return self.new() if len(files) < 80 else "none"
        if kind == "rewrite":
            self.write(name, self.bytes(size or 10))
        elif kind == "truncate":
            os.truncate(self.at(name), size // 2)
            self.learn(name)
        elif kind == "grow":
            with open(self.at(name), "ab") as file:
                file.write(self.bytes(self.random.choice([1, 1000, 2 * MIB])))
            self.learn(name)
        elif kind == "rename":
            self.serial += 1
            os.rename(self.at(name), self.at(f"{os.path.dirname(name)}/moved-{self.serial:04}"))
        elif kind == "delete":
            os.remove(self.at(name))
        elif kind == "copy":
            self.serial += 1
            shutil.copyfile(self.at(name), self.at(f"{os.path.dirname(name)}/copy-{self.serial:04}"))
        elif kind == "touch":
            os.utime(self.at(name))
        elif kind == "foreign":
            if self.random.random() < 0.3:
                self.serial += 1
                name = f"foreign-{self.serial:04}"
            self.forget(name)
            data = self.bytes(self.random.choice([size, 1000, 9 * MIB if self.random.random() < 0.1 else 7]))
            self.contents[checker.digest(data)] = "foreign " + name
            self.store.put(self.sync[0], self.sync[1] + name, data)
        elif kind == "restore":
            with open(self.at(name), "rb") as file:
                before = file.read()
            self.write(name, self.bytes(size or 3))
            self.write(name, before)
        return f"{kind} {name}"

    def forget(self, name):
        """What the foreign writer is about to overwrite is lost by its doing alone."""
        try:
            self.held.discard(checker.digest(self.store.get(self.sync[0], self.sync[1] + name)))
        except s3.Failed:
            pass

    # Runs ----------------------------------------------------------------------------------------------------------

    def command(self, verb, *rest):
        return [self.given.binary, verb, "--endpoint", self.given.endpoint, "--path-style", "--state-dir", self.state,
                "--backup-to", "s3://" + "/".join(self.vault).rstrip("/"), *rest]

    def run_command(self):
        return self.command("run", self.library, "--sync-to", "s3://" + "/".join(self.sync).rstrip("/"), "--max-delete", "1000",
                            "--max-change", "1000", "--retention", "60d", "--quiet")

    def environment(self, kill_at=None):
        keep = {"PATH": os.environ.get("PATH", ""), "HOME": self.work, "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": self.store.access_key,
                "AWS_SECRET_ACCESS_KEY": self.store.secret_key}
        keep["TIDELOCK_BACKUP_VIA"] = self.way
        if kill_at:
            keep["TIDELOCK_KILL_AT"] = kill_at
        return keep

    def run(self, kill_at=None, after=None):
        """(exit code, output); -9 where it was killed."""
        process = subprocess.Popen(self.run_command(), env=self.environment(kill_at), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, cwd=self.work)
        try:
            output = process.communicate(timeout=after or 300)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
            if not after:
                raise SystemExit(f"a run hangs; its output: {output.decode()}")
        return process.returncode, output.decode(errors="replace")

    def harm_state(self):
        """It is lost, or a copy from some steps ago comes back, as from a backup of the machine."""
        dice, old = self.random.random(), os.path.join(self.work, "old-state")
        if dice < 0.2:
            shutil.rmtree(self.state, ignore_errors=True)
            return "the state is lost"
        if dice < 0.3 and os.path.exists(self.state):
            shutil.rmtree(old, ignore_errors=True)
            shutil.copytree(self.state, old)
        elif dice < 0.4 and os.path.exists(old):
            shutil.rmtree(self.state, ignore_errors=True)
            shutil.copytree(old, self.state)
            return "an old state is put back"
        return "the state is kept"

    def look_at_mirror(self):
        """Before each run: what the mirror holds now must be named once it is gone."""
        for key in self.checker.mirror_keys():
            self.held.add(checker.digest(self.store.get(self.sync[0], key)))

    def step(self, number):
        edits = [self.edit() for _ in range(self.random.randrange(1, 9))]
        edits.append(self.harm_state())
        point, after = None, None
        if self.random.random() < 0.6:
            name = self.random.choice(sorted(POINTS))
            point = f"{name}:{self.random.randrange(1, POINTS[name] + 1)}"
        else:
            after = self.random.uniform(0.02, self.given.longest)
        self.way = self.random.choice(WAYS)
        edits.append("via " + self.way)
        self.look_at_mirror()
        code, output = self.run(point, after)
        self.killed += code == -signal.SIGKILL
        what = f"{number}: {', '.join(edits)}; killed at {point or f'{after:.3f} s'}: exit {code}"
        self.log.append(what)
        if code not in (0, 3, -signal.SIGKILL):
            self.violated([f"exit {code}: {output}"])
        self.check()

    def check(self, more=()):
        wrong = self.checker.run(self.contents, self.held) + list(more)
        if wrong:
            self.violated(wrong)

    def violated(self, wrong):
        print("\n".join(self.log[-12:]), file=sys.stderr)
        print("\n".join(wrong), file=sys.stderr)
        sys.exit(f"VIOLATED with --seed {self.given.seed} --points {self.given.points}; left as it is: {self.work}, {self.sync[0]}, {self.vault[0]}")

    def converge(self):
        """One run without a kill: then everything is as if nothing had ever happened."""
        self.look_at_mirror()
        code, output = self.run()
        if code != 0:
            self.violated([f"the run without a kill: exit {code}: {output}"])
        wrong = self.checker.finished()
        library = {}
        for name in self.files():
            with open(self.at(name), "rb") as file:
                library[name] = file.read()
        mirror = {key[len(self.sync[1]):]: self.store.get(self.sync[0], key) for key in self.checker.mirror_keys()}
        wrong += [f"mirror differs: {name}" for name in sorted(library.keys() | mirror.keys()) if library.get(name) != mirror.get(name)]
        back = tempfile.mkdtemp(prefix="back-", dir=self.work)
        restored = subprocess.run(self.command("restore", "--to", back, "--quiet"), env=self.environment(), cwd=self.work,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if restored.returncode != 0:
            wrong.append(f"restore: exit {restored.returncode}: {restored.stdout.decode()}")
        differ = subprocess.run(["diff", "-r", self.library, back], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if differ.returncode != 0:
            wrong.append(f"restored otherwise: {differ.stdout.decode()[:2000]}")
        shutil.rmtree(back)
        self.log.append("a run without a kill: exit 0")
        self.check(wrong)

    def campaign(self):
        for _ in range(60):
            self.new()
        begun = time.monotonic()
        for number in range(1, self.given.points + 1):
            self.step(number)
            if number % 20 == 0:
                self.converge()
                print(f"{number} of {self.given.points} points, {time.monotonic() - begun:.0f} s", file=sys.stderr)
        self.converge()
        versions = sum(1 for v in self.store.versions(self.vault[0], self.vault[1]) if "/files/" in v["key"])
        print(f"{self.given.points} points, {self.killed} killed, {versions} versions, seed {self.given.seed}: every promise held")
        shutil.rmtree(self.work)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--points", type=int, default=30)
    parser.add_argument("--longest", type=float, default=1.5, help="seconds until the latest random kill")
    campaign = Campaign(parser.parse_args())
    print(f"seed {campaign.given.seed}", file=sys.stderr)
    campaign.campaign()


if __name__ == "__main__":
    main()
