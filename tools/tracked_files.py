"""The files that git keeps here, and what none of them may contain.

Not here: what is done about it (check_drift.py). A line that must contain such a thing, as an example in a
test of redaction, says `not-a-secret` on the same line.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ALLOWED = "not-a-secret"

# One-letter classes keep this file from matching itself.
UNWANTED = (
    (re.compile(r"(?<![\w.~$}-])/(?:[r]oot|[U]sers/\w+|[h]ome/\w+|[w]ork)/"), "a folder of one machine"),
    (
        re.compile(r"[f]iles\.p[y]thonhosted\.org|[p]ypi\.org/simple|--[i]ndex-url|--[e]xtra-index-url"),
        "a package index",
    ),
    (re.compile(r"-----[B]EGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    (
        re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abpr]-[\w-]{10,}|[sr]k_live_\w{16,})\b"),
        "a key",
    ),
    (
        re.compile(
            r"""(?i)(?:secret|passw(?:or)?d|api_?key|token)["']?\s*[:=]\s*["'](?=[^"']*\d)(?=[^"']*[a-z])[\w+/=-]{20,}["']"""
        ),
        "what looks like a secret",
    ),
)


def tracked(root: Path) -> list[Path]:
    """Every file git keeps, also one added and not yet committed; without those deleted in this tree."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached"], capture_output=True, text=True, check=True
    ).stdout
    return [path for name in sorted(set(listed.split("\0"))) if name and (path := root / name).is_file()]


def unwanted_in(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) of what may not be there, and why.

    >>> list(unwanted_in("fine\\npip install --" + "index-url x"))
    [(2, 'names a package index')]
    """
    for number, line in enumerate(text.splitlines(), 1):
        if ALLOWED in line:
            continue
        for pattern, what in UNWANTED:
            if pattern.search(line):
                yield number, f"names {what}"
