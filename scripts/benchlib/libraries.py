"""Libraries of a known shape, the same bytes for every tool."""

import os
import random
import shutil

KIB, MIB = 1 << 10, 1 << 20

# name -> (files, bytes each)
SETS = {
    "small": (20_000, 64 * KIB),
    "photos": (400, 5 * MIB),
    "large": (3, 1536 * MIB),
    "many": (100_000, 1 * KIB),
}
IN_A_FOLDER = 500
PIECE = 4 * MIB


def make(name, folder, scale):
    """Fresh files; content that neither compresses nor repeats."""
    shutil.rmtree(folder, ignore_errors=True)
    files, size = SETS[name]
    for number in range(max(1, int(files * scale))):
        write(path_of(folder, number), size, seed=number)
    os.sync()


def change(folder):
    """One file in a hundred (at least one) gets other bytes of the same length."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for number in range(0, len(files), 100):
        path = files[number]
        write(path, path.stat().st_size, seed=f"changed {number}")


def path_of(folder, number):
    return folder / f"{number // IN_A_FOLDER:04}" / f"file-{number:06}.bin"


def write(path, size, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(str(seed))
    with open(path, "wb") as file:
        while size > 0:
            piece = min(size, PIECE)
            file.write(source.randbytes(piece))
            size -= piece
