"""Market data: from files, frames and generators to one ordered stream of events.

    open_data / import_data -> Columns -> checks -> Recording -> Player -> venue, engine

Lives here: reading and checking recorded data, the trading calendars, the pacing of a replay.
Not here: who consumes the events (orchestrator, research), matching (engine/match), live venues (brokers/).
One file is one feed; nothing has to be registered.
"""

from workbench.feeds.bounds import session_bounds
from workbench.feeds.calendars import Session, Sessions, sessions_between
from workbench.feeds.checks import CheckReport, DataRefused, Finding, check_columns
from workbench.feeds.columns import Columns
from workbench.feeds.importer import ImportResult, check_data, import_data
from workbench.feeds.player import Player
from workbench.feeds.recording import Recording, Series
from workbench.feeds.sources import DataSet, list_data, open_data
from workbench.feeds.synthetic import synthetic, synthetic_pair
from workbench.feeds.synthetic_quotes import synthetic_quotes
from workbench.feeds.timers import timer_after

__all__ = [
    "CheckReport",
    "Columns",
    "DataRefused",
    "DataSet",
    "Finding",
    "ImportResult",
    "Player",
    "Recording",
    "Series",
    "Session",
    "Sessions",
    "check_columns",
    "check_data",
    "import_data",
    "list_data",
    "open_data",
    "session_bounds",
    "sessions_between",
    "synthetic",
    "synthetic_pair",
    "synthetic_quotes",
    "timer_after",
]
