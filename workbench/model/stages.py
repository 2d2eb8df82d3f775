"""The stages of an order's life, and the stamps that bound them.

Stamps are `time.monotonic_ns()` readings, kept on the order while it lives. They never enter a decision and
are left out of every hash, so a replay with other timings is still the same replay.

    stamp   EDGE -> INBOX -> DECIDED -> RISKED -> SYNCED -> CALLED -> ACKED -> FILL_SEEN -> BOOKED
    stage      feed     decide     risk     journal   limiter   wire     fill        book
"""

__all__ = [
    "ACKED",
    "BOOKED",
    "CALLED",
    "DECIDED",
    "EDGE",
    "FILL_SEEN",
    "INBOX",
    "N_STAMPS",
    "RISKED",
    "STAGES",
    "SYNCED",
]

EDGE = 0  # the market data left the socket (or the recording)
INBOX = 1  # the engine took the event from its queue
DECIDED = 2  # the strategy answered
RISKED = 3  # the risk rules passed and the order was opened
SYNCED = 4  # the intent was on disk
CALLED = 5  # the limiter let it pass and the broker client was called
ACKED = 6  # the venue's acceptance arrived
FILL_SEEN = 7  # the last fill's report arrived
BOOKED = 8  # the ledger had booked it
N_STAMPS = 9

STAGES: tuple[str, ...] = ("feed", "decide", "risk", "journal", "limiter", "wire", "fill", "book")
