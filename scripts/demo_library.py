#!/usr/bin/env python3
"""The demo's library, and whether it came back. Standard library only.

    demo_library.py make DIR        fills DIR with pictures, a film and awkward names
    demo_library.py change DIR      what happens to a library overnight: an edit, a deletion, a new picture, a renamed folder
    demo_library.py compare A B     says whether two folders hold the same names, bytes and times
"""

import hashlib
import os
import random
import struct
import sys
import zlib
from pathlib import Path

FILM_BYTES = 70 * 1024 * 1024  # more than one part of a multipart upload, as films are

NFC = "Caf\u00e9, the twins.jpg"
NFD = "Cafe\u0301, the twins.jpg"  # the same to the eye, another name to the disk


def jpeg(seed, blocks=24):
    """A real JPEG: grey, baseline, one flat shade for each block of 8 by 8, so that only DC coefficients are needed."""
    shade = random.Random(seed)
    dc_lengths = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]  # the standard's table K.3
    codes = huffman(dc_lengths, range(12))
    bits, last = [], 0
    for _ in range(blocks * blocks):
        level = shade.randrange(-1000, 1000)
        bits.append(codes[(size := abs(level - last).bit_length())])
        if size:
            difference = level - last
            bits.append(format(difference if difference > 0 else difference + (1 << size) - 1, f"0{size}b"))
        bits.append("0")  # the only AC code of the table below: end of block
        last = level
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    side = blocks * 8
    return b"".join([
        b"\xff\xd8",
        segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        segment(0xDB, b"\0" + bytes([8] + [1] * 63)),
        segment(0xC0, struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\0"),
        segment(0xC4, b"\0" + bytes(dc_lengths) + bytes(range(12))),
        segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0"),
        segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        data,
        b"\xff\xd9",
    ])


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def huffman(lengths, symbols):
    """Canonical codes: how many there are of each length, and the symbols in order."""
    codes, code, symbols = {}, 0, iter(symbols)
    for length, count in enumerate(lengths, 1):
        for _ in range(count):
            codes[next(symbols)] = format(code, f"0{length}b")
            code += 1
        code <<= 1
    return codes


def png(seed, side=200):
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(side) for _ in range(side))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def write(root, name, data):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make(root):
    pictures = [
        "2024/Summer in Rome/IMG_0001.jpg",
        "2024/Summer in Rome/IMG_0002.jpg",
        "2024/100% + more, #1.jpg",
        "2025/Birthday \U0001f382/IMG_0003.jpg",
        "2025/Zoë & José/a question?.jpg",
        f"2025/{NFC}",
        f"2025/{NFD}",
        "Scans/ leading and trailing spaces .jpg",
    ]
    for name in pictures:
        write(root, name, jpeg(name))
    write(root, "Scans/plan.png", png("plan"))
    write(root, "Notes/read me.txt", "Keep this one.\n".encode())
    write(root, "Notes/empty.txt", b"")
    write(root, "2024/Summer in Rome/film.mov", random.Random("film").randbytes(FILM_BYTES))


def change(root):
    write(root, "Scans/plan.png", png("plan, drawn over"))
    os.remove(root / "2024/Summer in Rome/IMG_0002.jpg")
    write(root, "2026/New Year.jpg", jpeg("new year"))
    os.rename(root / "2025/Zoë & José", root / "2025/Zoë and José")


def inventory(root):
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
            found[os.fsencode(path.relative_to(root))] = (digest.hexdigest(), path.stat().st_mtime_ns, path.stat().st_size)
    return found


def compare(a, b):
    left, right = inventory(a), inventory(b)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            print(f"DIFFERENT: {os.fsdecode(name)}", file=sys.stderr)
    if left != right:
        return 1
    print(f"{len(left)} files, {sum(size for _, _, size in left.values()) / 2**20:.1f} MiB: every byte and every modification time is the same.")
    return 0


def main(arguments):
    actions = {"make": (make, 1), "change": (change, 1), "compare": (compare, 2)}
    action, count = actions.get(arguments[0] if arguments else "", (None, -1))
    if action is None or len(arguments) != count + 1:
        print(__doc__, file=sys.stderr)
        return 2
    return action(*map(Path, arguments[1:])) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
