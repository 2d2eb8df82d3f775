"""Any exchange ccxt speaks to, for spot trading. docs/brokers.md says what the bridge cannot promise.

preset.py      an exchange as a venue                  client.py    requests, limited and typed
config.py      options, what is known of exchanges     verdict.py   ccxt's errors as ours
library.py     ccxt itself, and our hooks in it        parse.py     its structures as ours
opening.py     keys, addresses, paper and live         rules.py     what is refused before it is sent
door.py        the session ccxt gets                   feed.py      market data
broker.py      the contract                            pages.py      lists, to their end
amendments.py, finder.py, executions.py, watch.py      what it is made of

ccxt is an extra: `pip install -e '.[ccxt]'` in the project's folder. It is loaded when an account is opened.
"""

from workbench.brokers.ccxt.preset import Preset

__all__ = ["Preset", "find_instruments", "open_broker", "open_feed"]

_ANY = Preset("ccxt")
open_broker, open_feed, find_instruments = _ANY.open_broker, _ANY.open_feed, _ANY.find_instruments
