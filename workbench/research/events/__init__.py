"""The event loop: a strategy's hooks called with next to nothing around them, exactly as the engine would call them.

    run             the loop                               timetable, inputs    what is called when, with which values
    hooks, calls    how a hook is called                   lag                  what engine and venue are owed meanwhile
    equity          the curve

Not here: signal strategies that compile (research/fused), the engine's own loop (research/engine_loop.py).
"""
