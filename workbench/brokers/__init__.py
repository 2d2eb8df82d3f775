"""Venues behind one contract: orders out, reports back.

    Submit, Cancel -> Broker -> venue -> Report -> sink

Lives here: the contract (contract.py), the checks every broker must pass (checks.py), finding brokers by folder
(registry.py), and one folder a venue. Not here: deciding, risk, retries of orders (there are none), reconciling.

Adding a broker is adding a folder whose package offers `open_broker(settings) -> Broker`, and `make_rig` in its
`rig.py` so that the shared checks can run over it; nothing has to be edited.
"""

from workbench.brokers.contract import (
    CAPABILITIES,
    Broker,
    BrokerAccount,
    BrokerOrder,
    Sink,
    capabilities_of,
)
from workbench.brokers.registry import find_brokers, open_broker

__all__ = [
    "CAPABILITIES",
    "Broker",
    "BrokerAccount",
    "BrokerOrder",
    "Sink",
    "capabilities_of",
    "find_brokers",
    "open_broker",
]
