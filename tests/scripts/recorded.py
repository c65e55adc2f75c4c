"""A run of the tests with certain versions of the dependencies, as it is printed and recorded."""

import dataclasses
import datetime
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "docs" / "versions"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def call(*command: object) -> None:
    """Run a command, which must succeed."""
    subprocess.run([str(part) for part in command], check=True)


def name_of(requirement: str) -> str:
    """The name of what is required, less its versions and its extras."""
    return re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]


def requirements(*extras: str) -> dict[str, str]:
    """What is required directly, by name: always, and with these extras."""
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras)]
    return {name_of(each): each for found in lists for each in found if name_of(each) != "lrsched"}


@dataclasses.dataclass(frozen=True)
class Run:
    """What was run where, and what came out.

    Attributes:
        name: "oldest-jax", "newest" or "wasm".
        date: when it ran.
        python: the version of Python.
        platform: where it ran.
        versions: those of the direct dependencies that were installed, by name.
        passed: how many tests passed.
        skipped: how many were skipped, by reason.
    """

    name: str
    date: str
    python: str
    platform: str
    versions: dict[str, str]
    passed: int
    skipped: dict[str, int]

    def __str__(self) -> str:
        lines = [f"{self.name}: Python {self.python}, {self.platform}"]
        lines += [f"  {name} {version}" for name, version in self.versions.items()]
        lines.append(f"  {self.passed} passed")
        lines += [f"  {number} skipped: {reason}" for reason, number in self.skipped.items()]
        return "\n".join(lines)

    def save(self) -> None:
        """Write the record, from which `docs/versions.py` makes a page."""
        RECORDS.mkdir(exist_ok=True)
        text = json.dumps(dataclasses.asdict(self), indent=2)
        (RECORDS / f"{self.name}.json").write_text(f"{text}\n")


def read_runs() -> list[Run]:
    """The runs on record."""
    return [Run(**json.loads(path.read_text())) for path in sorted(RECORDS.glob("*.json"))]


# Prints where it runs, and the versions of what is named that is installed.
FACTS = """
import json, platform, sys
from importlib import metadata
installed = {each.metadata["Name"].lower().replace("_", "-") for each in metadata.distributions()}
print(json.dumps({
    "python": platform.python_version(),
    "platform": f"{platform.system()} {platform.machine()}",
    "versions": {name: metadata.version(name) for name in %r if name in installed},
}))
"""


def facts_code() -> str:
    """A program that prints the facts of an environment, as JSON."""
    return FACTS % sorted(requirements(*EXTRAS))


def _reason_in(text: str) -> str:
    """The reason of a skip, without the place of it."""
    needs = re.search(r"needs [^'\n]*", text)
    return needs[0] if needs else text


def from_report(name: str, facts: str, report: Path) -> Run:
    """A run from the facts of its environment and pytest's report in the form of JUnit."""
    cases = list(ET.parse(report).iter("testcase"))
    skips = [case.find("skipped") for case in cases]
    texts = ["".join(skip.itertext()) for skip in skips if skip is not None]
    reasons = Counter(map(_reason_in, texts))
    failed = sum(
        case.find("failure") is not None or case.find("error") is not None for case in cases
    )
    passed = len(cases) - failed - sum(reasons.values())
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    skipped = dict(sorted(reasons.items()))
    return Run(name, date, passed=passed, skipped=skipped, **json.loads(facts))
