"""A trading session of a published client, step by step: each step passes or says why not.

Lives here: counting. A client's steps are in a file of its venue's folder; it runs as

    python -m tests.testbed.clients.VENUE.NAME < facts.json      (what `workbench emulate VENUE --json` printed)

and prints one JSON object with its steps.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any


class Session:
    """The steps of one client."""

    def __init__(self, client: str, package: str) -> None:
        self.client = client
        self.version = version(package)
        self.steps: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = json.load(sys.stdin)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step: what raises inside is its failure, and the session goes on."""
        start = time.monotonic()
        text = ""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a client raises is the step's result
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"[
                :500
            ]
        self.steps.append(
            {"name": name, "ok": not text, "text": text, "seconds": round(time.monotonic() - start, 3)}
        )

    def report(self) -> None:
        """Print the result."""
        passed = sum(step["ok"] for step in self.steps)
        document = {
            "client": self.client,
            "version": self.version,
            "venue": self.facts["venue"],
            "tried": len(self.steps),
            "passed": passed,
            "steps": self.steps,
        }
        print(json.dumps(document))


def expect(condition: object, text: str) -> None:
    """Fail the step unless the condition holds."""
    if not condition:
        raise AssertionError(text)


def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait for something to become true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"{what} did not happen within {seconds:g} s")


def refused(call: Callable[[], Any], error: type[Exception], *words: str) -> Exception:
    """The error a call raises; it must be of this type and say these words."""
    try:
        call()
    except error as raised:
        for word in words:
            expect(word in str(raised), f"{word!r} is not in {raised}")
        return raised
    raise AssertionError(f"no {error.__name__} was raised")
