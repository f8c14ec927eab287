"""Talks to a program on a terminal of its own, as a person would.

    converse.py COLUMNSxLINES PROGRAM [ARGUMENT...] < script.json

The script is a list of [what is waited for, what is typed then]; "\\x03" is Ctrl-C, "\\x04" the end of input on an empty
line, and "resize COLUMNSxLINES" makes the terminal another size instead. Prints what the terminal showed, and ends with the program's
exit code (128 + the signal that ended it).
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

# What hangs must not hang the tests.
PATIENCE = 60


def resize(fd, size):
    columns, lines = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def main():
    size, program = sys.argv[1], sys.argv[2:]
    script = json.load(sys.stdin)
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(program[0], program)
    resize(fd, size)
    shown, seen = b"", 0
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 1)
        if ready:
            try:
                more = os.read(fd, 65536)
            except OSError:  # Linux says so where the other side is gone.
                more = b""
            if not more:
                break
            shown += more
        while script and script[0][0].encode() in shown[seen:]:
            waited, typed = script.pop(0)
            seen += shown[seen:].index(waited.encode()) + len(waited.encode())
            if typed.startswith("resize "):
                resize(fd, typed.split(" ")[1])
            else:
                os.write(fd, typed.encode())
    else:
        sys.stdout.write(shown.decode(errors="replace"))
        sys.exit(f"\nnothing more came for {PATIENCE} s; still waiting for {script}")
    sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    sys.stdout.flush()
    if script:
        sys.exit(f"\nended, still waiting for {script}")
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


main()
