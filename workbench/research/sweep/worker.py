"""A worker process of a sweep: data and source once, then chunk numbers in and figures out, until the pipe closes.

Lives here: the worker's side. Not here: who starts it and when (workers.py).
"""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

from workbench.research.sweep.job import Job
from workbench.research.sweep.workers import read_message, write_message

__all__ = ["main"]


def main() -> None:
    """Serve the pipes on standard input and output; what user code prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    orders = sys.stdin.buffer
    job: Job | None = None
    packed, data = read_message(orders)
    while True:
        try:
            number = read_message(orders)
        except EOFError:
            return
        try:
            if job is None:
                with Path(data).open("rb") as file:
                    recordings = pickle.load(file)  # noqa: S301 - written by the process that started us
                job = Job.unpacked(packed, recordings)
            answer: Any = job.run(number)
        except Exception as error:  # noqa: BLE001 - raised again in the process that asked
            answer = error
        try:
            write_message(answers, answer)
        except (pickle.PicklingError, TypeError, AttributeError):
            write_message(answers, RuntimeError(f"{type(answer).__name__}: {answer}"))
