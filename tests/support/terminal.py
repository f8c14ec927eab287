"""Runs a command on a pseudo-terminal of a given size, and types what a test wants typed.

    terminal.py JSON

JSON: {"command": [...], "env": {...}, "folder": "...", "columns": 80, "lines": 24, "steps": [["what is waited for", "what is typed"]]}

Each step waits until its text has come since the last step, then types. Prints {"exit": code, "output": "..."}, with everything that the
terminal was sent. A text that does not come within a minute ends it: {"missing": "...", "output": "..."}.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 60


def main():
    job = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        size = struct.pack("HHHH", job["lines"], job["columns"], 0, 0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
        os.chdir(job["folder"])
        os.execvpe(job["command"][0], job["command"], job["env"])
    output, seen, steps = b"", 0, list(job["steps"])
    deadline = time.monotonic() + PATIENCE
    while True:
        if steps:
            at = output.find(steps[0][0].encode(), seen)
            if at >= 0:
                seen = len(output)
                os.write(terminal, steps.pop(0)[1].encode())
                deadline = time.monotonic() + PATIENCE
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"missing": steps[0][0] if steps else "the end", "output": output.decode(errors="replace")}
        if select.select([terminal], [], [], left)[0]:
            try:
                more = os.read(terminal, 65536)
            except OSError:  # Linux says so where the other side is closed.
                more = b""
            if not more:
                break
            output += more
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"exit": code, "output": output.decode(errors="replace")}


print(json.dumps(main()))
