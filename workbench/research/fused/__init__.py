"""The compiled loop: a plan run in one pass of machine code, exactly as the engine would have run it.

    run       may the plan be taken, and by which loop        build    a class's loop: from memory, disk or compiler
    one       one strategy on one instrument, by `loop`       many     on several instruments, by `panel`
    books     what `panel` books                              rules    would a risk rule have said no
    tables    the answer as rows

Not here: the engine's own loop (research/engine_loop.py), hooks (research/events), sweeps (research/sweep).
"""
