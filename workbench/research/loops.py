"""Which loop runs a plan. All of them answer the same; they differ in speed and in what they can do.

| loop | takes |
|---|---|
| compiled | one signal strategy that compiles |
| events | one event strategy |
| engine | everything |

Not here: the loops (fused/run.py, events/run.py, engine_loop.py).
"""

from typing import Final

from workbench.errors import BadValue, UnknownName
from workbench.research.engine_loop import engine_run
from workbench.research.events.run import events_run
from workbench.research.plan import Plan
from workbench.research.run import Run
from workbench.strategy import is_event

__all__ = ["LOOPS", "run_plan"]

LOOPS: Final = ("auto", "compiled", "events", "engine")


def run_plan(plan: Plan, loop: str = "auto") -> Run:
    """Run a plan by the loop asked for; "auto" takes the fastest that can.

    Raises:
        UnknownName: no such loop. BadValue: the loop asked for cannot run this plan, with the reason.
    """
    if loop not in LOOPS:
        raise UnknownName("loop", loop, LOOPS)
    if loop == "engine":
        return engine_run(plan, "that was asked for")
    if loop == "events" or (loop == "auto" and _is_events(plan)):
        run = events_run(plan)
        if loop == "events" and run.loop != loop:
            raise BadValue("loop", loop, f"{run.why}: leave it out, and the engine runs it")
        return run
    from workbench.research.fused.run import fused_run

    answer = fused_run(plan)
    if isinstance(answer, Run):
        return answer
    if loop == "compiled":
        raise BadValue("loop", loop, f"{answer}: leave it out, and the engine runs it")
    return engine_run(plan, answer)


def _is_events(plan: Plan) -> bool:
    return len(plan.placements) == 1 and is_event(type(plan.placements[0].strategy))
