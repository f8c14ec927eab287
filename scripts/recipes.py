"""What scripts/recipes asks of the recipes for which there is no checker to install.

    recipes.py launchd FILE    a property list that launchd understands
    recipes.py cron FILE       a crontab
    recipes.py docker FILE     the Dockerfile's build context holds all that it and the sources need, and no more
    recipes.py lay-out FILE DIR    the sources as the Dockerfile's build finds them, in DIR

Python 3.9 or newer, nothing else. Each problem is a line; exit 1 where there is one.
"""

import fnmatch
import pathlib
import plistlib
import re
import shutil
import sys

# launchd.plist(5), as far as the recipe needs it.
LAUNCHD_KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "StartCalendarInterval": dict,
    "ProcessType": str,
    "LowPriorityIO": bool,
    "Nice": int,
    "ExitTimeOut": int,
    "StandardOutPath": str,
    "StandardErrorPath": str,
}
CALENDAR = {"Minute": 59, "Hour": 23, "Day": 31, "Weekday": 7, "Month": 12}

# crontab(5): minute, hour, day of month, month, day of week.
CRON_RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def launchd(path):
    with path.open("rb") as file:
        plist = plistlib.load(file)
    for key, value in plist.items():
        kind = LAUNCHD_KEYS.get(key)
        if kind is None:
            yield f"{key}: not a key that launchd, or this check, knows"
        elif type(value) is not kind:
            yield f"{key}: {type(value).__name__} in the place of {kind.__name__}"
    if plist.get("Label") != path.stem:
        yield f"Label: must be the file's name, {path.stem}"
    for key, value in plist.get("StartCalendarInterval", {}).items():
        if key not in CALENDAR or not 0 <= value <= CALENDAR[key]:
            yield f"StartCalendarInterval: {key} = {value}"
    # launchd expands neither ~ nor variables, and searches no PATH.
    paths = [plist[key] for key in plist if key.endswith("Path")]
    for name in [plist["ProgramArguments"][0], *paths]:
        if not name.startswith("/"):
            yield f"{name}: launchd needs an absolute path"


def cron_field(field, low, high):
    """Whether this is a list of numbers, ranges and steps between both."""
    for part in field.split(","):
        match = re.fullmatch(r"(\*|\d+(-\d+)?)(/\d+)?", part)
        if not match:
            return False
        if match[1] != "*":
            bounds = [int(bound) for bound in match[1].split("-")]
            if bounds != sorted(bounds) or not all(low <= bound <= high for bound in bounds):
                return False
    return True


def cron(path):
    text = path.read_text()
    if not text.endswith("\n"):
        yield "the last line must end, or cron leaves it out"
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#") or re.match(r"[A-Z_]+=", line):
            continue
        fields = line.split(None, 5)
        if len(fields) < 6:
            yield f"line {number}: five fields and a command are needed"
            continue
        for field, (low, high) in zip(fields, CRON_RANGES):
            if not cron_field(field, low, high):
                yield f"line {number}: {field} is not within {low} to {high}"
        if re.search(r"(?<!\\)%", fields[5]):
            yield f"line {number}: cron takes a % for the end of the line"


def copies(dockerfile):
    """Each source that comes from the build context, with its destination below the working directory."""
    for line in dockerfile.splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            *sources, destination = (word for word in line.split()[1:] if not word.startswith("--"))
            yield from ((source, destination) for source in sources)


def lay_out(dockerfile, into):
    """As COPY does it: a folder's contents go to the destination, a file into it where that ends in a slash."""
    for source, destination in copies(dockerfile):
        if pathlib.Path(source).is_dir():
            shutil.copytree(source, into / destination)
        else:
            (into / destination).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, into / destination)


def let_through(ignore_file):
    """What the ignore file takes in again, after it has left out everything."""
    lines = [line for line in ignore_file.splitlines() if line and not line.startswith("#")]
    return lines[0] == "*", {line[1:] for line in lines[1:] if line.startswith("!")}


def included(root):
    """Files outside of src that the sources are built with, tests aside."""
    for source in (root / "src").rglob("*.rs"):
        program = source.read_text().split("#[cfg(test)]")[0]
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"', program):
            file = (source.parent / name).resolve().relative_to(root)
            if file.parts[0] != "src":
                yield str(file)


def docker(path):
    root = pathlib.Path.cwd().resolve()
    everything_else_stays_out, context = let_through(pathlib.Path(f"{path}.dockerignore").read_text())
    if not everything_else_stays_out:
        yield "the ignore file must begin with *"
    sources = {source for source, _ in copies(path.read_text())}
    for name in sources ^ context:
        yield f"{name}: copied and let through must be the same"
    for name in sources:
        if not (root / name).exists():
            yield f"{name}: is copied, and not there"
    for name in included(root):
        if not any(fnmatch.fnmatch(name, source) for source in sources):
            yield f"{name}: the sources include it, and the image's build lacks it"


def main(kind, *names):
    if kind == "lay-out":
        file, into = map(pathlib.Path, names)
        return lay_out(file.read_text(), into)
    check = {"launchd": launchd, "cron": cron, "docker": docker}[kind]
    problems = [f"{name}: {problem}" for name in names for problem in check(pathlib.Path(name))]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
