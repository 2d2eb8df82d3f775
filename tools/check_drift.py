"""Find where what is committed has come apart from what it was made from.

    python tools/check_drift.py            every check; exit status 1 when one fails
    python tools/check_drift.py docs       some of them by name
    python tools/check_drift.py --write    make the generated files anew (environment.yml, docs/openapi.json)

Each check is a function from a folder to a list of lines, one for each thing wrong. What the lines cannot be
allowed to contain in any tracked file is in tracked_files.py.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.tracked_files import tracked, unwanted_in  # noqa: E402 after the path is set

# Files that a room writes from its own definitions: (file, module, function giving its content).
GENERATED = (("docs/openapi.json", "workbench.api.openapi", "document"),)


def locked_versions(lock_text: str) -> dict[str, list[Version]]:
    """Every package of a requirements lock with the versions it is pinned to.

    >>> locked_versions("Numpy==2.5.5 \\\\\\n    --hash=sha256:00\\n")
    {'numpy': [<Version('2.5.5')>]}
    """
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock_text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def lock_drift(root: Path) -> list[str]:
    """requirements.lock holds, hashed and without addresses, what pyproject.toml asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lock_text = (root / "requirements.lock").read_text()
    wanted = [*project.get("dependencies", [])]
    for extra in project.get("optional-dependencies", {}).values():
        wanted += extra
    versions = locked_versions(lock_text)
    problems = []
    for requirement in map(Requirement, wanted):
        pins = versions.get(canonicalize_name(requirement.name), [])
        if not pins:
            problems.append(f"requirements.lock lacks {requirement.name}; run `make lock`")
        problems += [
            f"requirements.lock has {requirement.name} {pin}, pyproject.toml wants {requirement.specifier};"
            " run `make lock`"
            for pin in pins
            if not requirement.specifier.contains(pin, prereleases=True)
        ]
    if re.search(r"://|--(extra-)?index|--find-links|file:|^-e", lock_text, re.MULTILINE):
        problems.append("requirements.lock names an address; run `make lock`")
    entries = re.split(r"^(?=\S+==)", lock_text, flags=re.MULTILINE)[1:]
    problems += [
        f"requirements.lock has no hash for {entry.split('==')[0]}; run `make lock`"
        for entry in entries
        if "--hash=sha256:" not in entry
    ]
    return problems


def environment_text(root: Path) -> str:
    """environment.yml as pyproject.toml has it now, by pyproject2conda."""
    command = [sys.executable, "-m", "pyproject2conda", "yaml", "--pyproject", str(root / "pyproject.toml")]
    made = subprocess.run(
        [*command, "--name", "workbench", "--python-include", "infer", "--custom-command", "make lock"],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    return made.stdout


def environment_drift(root: Path) -> list[str]:
    """environment.yml is what pyproject.toml gives."""
    committed = root / "environment.yml"
    if not committed.exists() or committed.read_text() != environment_text(root):
        return ["environment.yml is not what pyproject.toml gives; run `make lock`"]
    return []


def generated_text(module: str, function: str) -> str | None:
    """What a room would write now; None while the room does not exist."""
    try:
        if importlib.util.find_spec(module) is None:
            return None
    except ModuleNotFoundError:
        return None
    content: Any = getattr(importlib.import_module(module), function)()
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def generated_drift(root: Path) -> list[str]:
    """The files that rooms generate (the OpenAPI document) are what the rooms would write now."""
    problems = []
    for name, module, function in GENERATED:
        text = generated_text(module, function)
        if text is None:
            if (root / name).exists():
                problems.append(f"{name} exists, but nothing makes it: no module {module}")
        elif not (root / name).exists() or (root / name).read_text() != text:
            problems.append(f"{name} is not what {module} gives; run `python tools/check_drift.py --write`")
    return problems


def docs_drift(root: Path) -> list[str]:
    """What the Markdown files point at exists: linked files, files in backticks, make targets."""
    makefile = root / "Makefile"
    targets = (
        set(re.findall(r"^([a-z][a-z-]*):", makefile.read_text(), re.MULTILINE))
        if makefile.exists()
        else set()
    )
    problems = []
    for page in (path for path in tracked(root) if path.suffix == ".md"):
        text = re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.DOTALL)
        name = page.relative_to(root)
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            if not re.match(r"[a-z]+:", link) and not (page.parent / link).exists():
                problems.append(f"{name} links to {link}, which does not exist")
        rooms = r"`((?:workbench|strategies|tools|docs|tests|data|notebooks|benchmarks)/[\w./-]+)`"
        for mentioned in re.findall(rooms, text):
            if not (root / mentioned).exists():
                problems.append(f"{name} names {mentioned}, which does not exist")
        for target in re.findall(r"(?:`|^\$? ?)make ([a-z][a-z-]*)", text, re.MULTILINE):
            if target not in targets:
                problems.append(f"{name} says `make {target}`, which is no target of the Makefile")
    return problems


def tracked_drift(root: Path) -> list[str]:
    """No tracked file names a folder of one machine, a package index, or what looks like a secret."""
    problems = []
    for path in tracked(root):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # pictures, Parquet
        problems += [f"{path.relative_to(root)}:{line}: {why}" for line, why in unwanted_in(text)]
    return problems


def notebook_drift(root: Path) -> list[str]:
    """The notebook pages hold the cells of their texts, and were run."""
    from tools.notebooks import drift  # nbformat loads here

    return drift(root)


CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "lock": lock_drift,
    "environment": environment_drift,
    "generated": generated_drift,
    "docs": docs_drift,
    "notebooks": notebook_drift,
    "tracked": tracked_drift,
}


def write_generated(root: Path) -> None:
    """Make every generated file anew."""
    (root / "environment.yml").write_text(environment_text(root))
    for name, module, function in GENERATED:
        text = generated_text(module, function)
        if text is not None:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}; all when none is named"
    )
    parser.add_argument(
        "--write", action="store_true", help="make the generated files anew instead of checking"
    )
    options = parser.parse_args(argv)
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown:
        parser.error(f"no check {unknown[0]!r}; there are {', '.join(CHECKS)}")
    if options.write:
        write_generated(ROOT)
        return 0
    failed = False
    for name in options.checks or CHECKS:
        problems = CHECKS[name](ROOT)
        print(f"drift: {name}: {'ok' if not problems else f'{len(problems)} wrong'}")
        for line in problems:
            print(f"  {line}", file=sys.stderr)
        failed |= bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
