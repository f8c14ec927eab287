"""Checks docs/monitoring: alert rules of the right form, and only metrics, labels and values that the program writes.

    scripts/tools monitoring-python   prints the Python to run it with, which has a parser of YAML and Prometheus' of expressions

What the program writes is the snapshot of a night's metrics file, to which a test of the program holds it.
"""

import json
import pathlib
import re
import sys

import promql_parser
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
NIGHT = ROOT / "src/report/metrics/snapshots/tidelock__report__metrics__tests__a_night_in_numbers.snap"
COMMANDS = {"run", "sync", "backup", "status", "verify", "renew", "prune"}
RULE = {"alert", "expr", "for", "labels", "annotations"}
DURATION = re.compile(r"^(\d+(ms|[smhdwy]))+$")
# What Prometheus adds to what it reads.
ADDED = {"instance", "job"}


def written():
    """Names of metrics, and of each label the values that are known."""
    metrics, values = {}, {}
    for name, labels in re.findall(r"^(tidelock_\w+)\{(.*)\} ", NIGHT.read_text(), re.M):
        pairs = re.findall(r'(\w+)="([^"]*)"', labels)
        metrics.setdefault(name, set()).update(label for label, _ in pairs)
        for label, value in pairs:
            values.setdefault(label, set()).add(value)
    values["command"] = COMMANDS
    return metrics, values


class Check:
    def __init__(self):
        self.metrics, self.values = written()
        self.used, self.wrong = set(), []

    def expect(self, condition, where, what):
        if not condition:
            self.wrong.append(f"{where}: {what}")

    def expression(self, where, text):
        try:
            promql_parser.parse(text)
        except ValueError as error:
            return self.wrong.append(f"{where}: {error}")
        used = re.findall(r"\b(tidelock_\w+)(?:\{([^}]*)\})?", text)
        self.expect(used, where, "uses no metric")
        for name, labels in used:
            self.used.add(name)
            self.expect(name in self.metrics, where, f"there is no metric {name}")
            for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', labels):
                self.label(where, name, label, value)

    def label(self, where, name, label, value):
        self.expect(label in self.metrics.get(name, ()) or label in ADDED, where, f"{name} has no label {label}")
        if label in ("library", "version") or label in ADDED:
            return
        for one in value.split("|"):
            self.expect(one in self.values.get(label, ()), where, f"{label} is never {one!r}")

    def rules(self, path):
        document = yaml.safe_load(path.read_text())
        self.expect(set(document) == {"groups"}, path.name, "has more or less than groups")
        names = []
        for group in document["groups"]:
            self.expect(set(group) <= {"name", "rules", "interval"} and group.get("name"), path.name, "a group has other keys, or no name")
            for rule in group["rules"]:
                names.append(rule.get("alert"))
                self.rule(f"{path.name}: {rule.get('alert')}", rule)
        self.expect(len(set(names)) == len(names), path.name, "two alerts have the same name")
        page = (ROOT / "docs/monitoring.md").read_text()
        for name in names:
            self.expect(f"| {name} |" in page, "docs/monitoring.md", f"does not explain {name}")

    def rule(self, where, rule):
        self.expect(set(rule) <= RULE and {"alert", "expr", "labels", "annotations"} <= set(rule), where, "has other keys, or too few")
        self.expect(DURATION.match(str(rule.get("for", "1m"))), where, "for: is no duration")
        self.expect(rule["labels"].get("severity") in ("critical", "warning"), where, "has no severity")
        self.expect({"summary", "description"} == set(rule["annotations"]), where, "has other annotations")
        self.expression(where, rule["expr"])

    def dashboard(self, path):
        document = json.loads(path.read_text())
        ids = [panel["id"] for panel in document["panels"]]
        self.expect(len(set(ids)) == len(ids), path.name, "two panels have the same id")
        for panel in document["panels"]:
            for target in panel["targets"]:
                self.expression(f"{path.name}: {panel['title']}", target["expr"])
        for variable in document["templating"]["list"]:
            if variable["type"] == "query":
                name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
                self.expect(name in self.metrics, path.name, f"there is no metric {name}")
                self.expect(label in self.metrics.get(name, ()) or label in ADDED, path.name, f"{name} has no label {label}")


def main():
    check = Check()
    check.rules(ROOT / "docs/monitoring/alerts.yml")
    check.dashboard(ROOT / "docs/monitoring/grafana.json")
    for name in sorted(set(check.metrics) - check.used - {"tidelock_build_info", "tidelock_library_files"}):
        check.wrong.append(f"neither rules nor dashboard show {name}")
    for line in check.wrong:
        print(line, file=sys.stderr)
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
