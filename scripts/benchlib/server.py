"""A MinIO of its own for each measurement, and what a command costs it and the client."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import typing
import urllib.request

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
# MinIO answers its metrics from a cache of this age.
METRICS_AGE = 10.5
# ext4 without a journal does not use a deleted file's inode again for so long, and searches past all of them for each
# new file: who comes after a large cleaning would pay for it.
AFTER_CLEANING = 65
# So many files make a cleaning large.
MANY = 5_000


class Minio:
    """Started by scripts/minio; stopped, by its process, at the end of the block."""

    def __init__(self, folder, wan=None):
        self.folder = folder
        self.wan, self.line = wan, None
        self.counted = None

    def __enter__(self):
        environment = {**os.environ, "MINIO_PROMETHEUS_AUTH_TYPE": "public"}
        command = [SCRIPTS / "minio", "start", "--dir", self.folder, "--for", "2h"]
        told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        facts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        self.own, self.access, self.secret = facts["ENDPOINT"], facts["ACCESS_KEY"], facts["SECRET_KEY"]
        self.endpoint = self.own
        if self.wan:
            self.line = Line(self.wan, self.own)
            self.endpoint = self.line.endpoint
        return self

    def __exit__(self, *_):
        if self.line:
            self.line.close()
        subprocess.run([SCRIPTS / "minio", "stop", "--dir", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def measure(self, command):
        """Runs `command()` and returns wall and CPU seconds, peak MiB, requests and MiB sent to the server.

        Whoever asks anything of the server outside of this calls `forget_counts` before the next.
        """
        before = self.counted or self.counters()
        begun = time.monotonic()
        cost = command()
        wall = time.monotonic() - begun
        after = self.counted = self.counters()
        calls = {api: after[0][api] - before[0].get(api, 0) for api in after[0]}
        return {
            "wall": wall,
            "cpu": cost.cpu,
            "peak_mib": cost.peak_kib / 1024,
            "requests": sum(calls.values()),
            "sent_mib": (after[1] - before[1]) / (1 << 20),
            "apis": {api: count for api, count in sorted(calls.items()) if count},
        }

    def forget_counts(self):
        self.counted = None

    def counters(self):
        time.sleep(METRICS_AGE)
        with urllib.request.urlopen(f"{self.own}/minio/v2/metrics/cluster", timeout=30) as answer:
            text = answer.read().decode()
        calls = {}
        for api, count in re.findall(r'^minio_s3_requests_total\{[^}]*api="([^"]+)"[^}]*\} (\S+)', text, re.M):
            calls[api] = calls.get(api, 0) + float(count)
        received = re.findall(r"^minio_s3_traffic_received_bytes\{[^}]*\} (\S+)", text, re.M)
        return calls, sum(map(float, received))


class Line:
    """A long, thin line before the server (tests/wan): 40 ms there and back, 50 Mbit/s up, 200 down."""

    def __init__(self, program, server):
        self.process = subprocess.Popen([program, "serve", server], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip().removeprefix("ENDPOINT=")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


@functools.cache
def wan_program():
    """Builds the line, once."""
    command = ["cargo", "test", "--test", "wan", "--no-run", "--message-format", "json"]
    built = subprocess.run(command, cwd=SCRIPTS.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in built.splitlines())
    programs = [m["executable"] for m in messages
                if m.get("reason") == "compiler-artifact" and m["target"]["name"] == "wan"]
    return programs[-1]


def words(figures):
    return (
        f"{figures['wall']:8.2f} s  {figures['cpu']:8.2f} s CPU  {figures['peak_mib']:7.0f} MiB  "
        f"{figures['requests']:8.0f} requests  {figures['sent_mib']:9.1f} MiB sent"
    )


class Cost(typing.NamedTuple):
    """CPU seconds of all processes, peak memory of the largest: never less than this program's own, some 30 MiB."""

    cpu: float
    peak_kib: int

    def __add__(self, other):
        return Cost(self.cpu + other.cpu, max(self.peak_kib, other.peak_kib))


def run(command, environment):
    """Runs one command to its end and returns its cost; stops with what it said if it fails."""
    return run_and_read(command, environment, subprocess.DEVNULL)[0]


def run_and_read(command, environment, output=None):
    """The same, and what it printed."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdout=output or printed, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{command[0]} ended with {process.returncode}: {said}")
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss), text
