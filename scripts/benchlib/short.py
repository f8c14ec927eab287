"""The short form: counts alone, which hold on any machine. It fails where one is higher than promised."""

import json
import random
import shutil
import subprocess

from . import server

KIB, MIB = 1 << 10, 1 << 20
SMALL, PHOTOS = 1_000, 12
FILM = 72 * MIB
MEMORY = 64 * MIB


def run(program, work):
    """Prints what was counted and returns what was too much."""
    library = work / "library"
    size = make(library)
    with server.Minio(work / "minio") as minio:
        return Counts(program, minio, library, size, work).all()


def make(folder):
    """A thousand small files, a few photos, one film; returns their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    source = random.Random("short")
    sizes = {f"small/{n:04}.txt": 2 * KIB for n in range(SMALL)}
    sizes |= {f"photos/{n:02}.jpg": 5 * MIB for n in range(PHOTOS)}
    sizes["film.mp4"] = FILM
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            # In pieces: a child's peak memory, as the kernel counts it, begins with its parent's.
            for begin in range(0, size, MIB):
                file.write(source.randbytes(min(MIB, size - begin)))
    return sum(sizes.values())


class Counts:
    def __init__(self, program, minio, library, size, work):
        self.program, self.minio, self.source, self.size, self.work = program, minio, library, size, work
        self.too_much = []
        self.environment = {
            "HOME": str(work), "AWS_ACCESS_KEY_ID": minio.access, "AWS_SECRET_ACCESS_KEY": minio.secret,
            "AWS_REGION": "us-east-1",
        }

    def all(self):
        for via in ("upload", "copy"):
            self.targets = ["--sync-to", f"s3://mirror-{via}/lib", "--backup-to", f"s3://vault-{via}/lib",
                            "--endpoint", self.minio.endpoint, "--path-style", "--state-dir", self.work / via]
            self.environment["TIDELOCK_BACKUP_VIA"] = via
            self.tidelock("init", self.source, "--retention", "2d", "--yes", "--config", self.work / f"{via}.toml")
            self.minio.forget_counts()
            self.nights(via, 2 if via == "upload" else 1)
        return self.too_much

    def nights(self, via, times_up):
        parts = FILM // (8 * MIB) + 2
        files = SMALL + PHOTOS + 1
        first, figures = self.night()
        self.at_most(f"{via}: requests of a first run", requests(first), 2.2 * files + 4 * parts + 60)
        self.at_most(f"{via}: bytes read", first["library"]["bytes_read"], self.size)
        self.at_most(f"{via}: bytes to the server", figures["sent_mib"] * MIB, times_up * self.size * 1.02 + 4 * MIB)
        # Beside the buffers that it was allowed, the program itself; a debug build is some 20 MiB larger.
        self.at_most(f"{via}: peak memory (MiB)", figures["peak_mib"], MEMORY / MIB + 56)
        idle, _ = self.night()
        # A small library pays for leases and looks that a large one has paid for by then.
        self.at_most(f"{via}: requests of an idle night", requests(idle), max(files / 1000 * 2 + 15, 25))
        self.at_most(f"{via}: bytes read in an idle night", idle["library"]["bytes_read"], 0)
        shutil.rmtree(self.work / via)
        fresh, _ = self.night()
        self.at_most(f"{via}: requests on a fresh machine", requests(fresh), files / 1000 * 2 + 35)
        self.at_most(f"{via}: bytes read on a fresh machine", fresh["library"]["bytes_read"], 0)

    def night(self):
        summary = {}

        def run():
            command = ["run", self.source, "--retention", "2d", "--memory", str(MEMORY), "--json"]
            cost, output = self.tidelock(*command)
            summary.update(json.loads(output.splitlines()[-1]))
            return cost

        figures = self.minio.measure(run)
        # The product's own count is what is held to the limits; the server's must agree with it.
        if figures["requests"] != requests(summary):
            self.too_much.append(f"the server counts {figures['requests']:.0f} requests, Tidelock {requests(summary)}")
        return summary, figures

    def tidelock(self, *words):
        return server.run_and_read([self.program, *words, *self.targets], self.environment)

    def at_most(self, what, count, limit):
        good = count <= limit
        print(f"  {'ok ' if good else 'BAD'} {what}: {count:,.0f}, at most {limit:,.0f}")
        if not good:
            self.too_much.append(f"{what}: {count:,.0f}, at most {limit:,.0f}")


def requests(summary):
    return sum(sum(summary[side]["requests"].values()) for side in ("sync", "backup"))
