"""What a lane remembers, what a bar is marked with, which rules a set broke: the numbers both sides of the loop share.

Lives here: names of places in arrays. Not here: what is done with them (lane_loop.py), how they are filled (chunk.py).
"""

from typing import Final

WIDTH: Final = 16
"""Lanes in a vector: two registers of 512 bits a value, so that one can wait while the other computes."""

# state of a lane, by field
CASH: Final = 0  # in 1e-8
HELD: Final = 1  # in lots
WANTED: Final = 2  # what the working order leads to, in lots
TARGET: Final = 3  # what was decided last, -1 to 1
EQUITY: Final = 4  # from here on in currency
PEAK: Final = 5
WORST: Final = 6  # lowest equity over peak so far
ORDERS: Final = 7
FEES: Final = 8  # in 1e-8
SINCE: Final = 9  # time of the last change of the position, in seconds since the first bar
TIME_HELD: Final = 10
SESSION_EQUITY: Final = 11  # at the end of the last session
SESSION_MEAN: Final = 12
SESSION_M2: Final = 13  # sum of squares about the mean (Welford)
DAY_EQUITY: Final = 14  # at the first event of the UTC day
STATE_N: Final = 15

# columns of the price table
LOT_TRADED: Final = 0  # what a lot trades at, in 1e-8 and a rest in 1e-16
LOT_CLOSE: Final = 2  # what it is worth at the close, likewise
MARK: Final = 4  # the close in currency, as the book rounds it
PRICES_N: Final = 5

# marks of a bar, as bits
NEW_DAY_AT_OPEN: Final = 1  # its opening print is the UTC day's first event
NEW_DAY_AT_CLOSE: Final = 2  # its close is
SESSION_END: Final = 4
PERIOD_END: Final = 8
JUMP: Final = 16  # open to close moved further than a market order may follow
AFTER_HOURS: Final = 32
ASLEEP: Final = 64  # before the first bar that may be decided on
LAST: Final = 128

# rules of the risk desk that would have said no, as bits
SIZE: Final = 1
NOTIONAL: Final = 2
COLLAR: Final = 4
POSITION: Final = 8
GROSS: Final = 16
CREDIT: Final = 32
DAILY_LOSS: Final = 64
HOURS: Final = 128
RULE_NAMES: Final = ("SIZE", "NOTIONAL", "COLLAR", "POSITION", "GROSS", "CREDIT", "DAILY_LOSS", "HOURS")
OTHER_RULE: Final = 1 << 14  # a rule that only single runs can meet
ACTUAL: Final = 1 << 15  # a single run, in which the rules did say no
# what else there is to say about a set
NOT_A_NUMBER: Final = 1 << 16  # decide answered NaN or infinity
TOO_LARGE: Final = 1 << 17  # beyond what floats hold exactly: to be run by itself
FAILED: Final = 1 << 18  # its own code raised

# setup of a run, by place
QUANTITY_E8: Final = 0  # full size; with PERCENT_E8 above 0 it is that percentage of the equity
PERCENT_E8: Final = 1
LOT_E8: Final = 2
LOT_FEE: Final = 3  # the fee a unit, of a lot: whole units of 1e-8, and the rest in 1e-16
LOT_FEE_REST: Final = 4
RATE_E8: Final = 5
AT_CLOSE: Final = 6  # 1: fills at the close decided on
MAX_SIZE: Final = 7  # limits: in lots, ...
MAX_LONG: Final = 8
MAX_SHORT: Final = 9
MAX_NOTIONAL_E8: Final = 10  # ... in 1e-8, ...
MAX_GROSS_E8: Final = 11
CREDIT_E8: Final = 12
MAX_LOSS: Final = 13  # ... in currency
LOTS_PER_E8: Final = 14
BLOCK: Final = 15  # bars between two looks at the stop word
COLUMNS: Final = 16  # numbers a bar takes in the table of indicator values, the last one tells warm
LARGE: Final = 17  # 1: orders may be so large that the rules about sizes have to be asked
ORDER_FEE: Final = 18  # the fee an order, in 1e-8
SETUP_N: Final = 19
