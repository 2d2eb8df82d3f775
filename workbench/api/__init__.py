"""The desk over loopback: HTTP and WebSocket server, OpenAPI document, typed client, and the notebook's `Session`.

What lives here: routes, tokens and tickets, Host and Origin lists, the address book, the engine process's main,
and the clients. What does not: any decision about trading. Importing this package loads nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.api.address import Address, desks, read_address
    from workbench.api.client import Client
    from workbench.api.session import Session
    from workbench.api.starting import attach, start

__all__ = ["Address", "Client", "Session", "attach", "desks", "read_address", "start"]

_WHERE = {
    "Address": "address",
    "Client": "client",
    "Session": "session",
    "attach": "starting",
    "desks": "address",
    "read_address": "address",
    "start": "starting",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'workbench.api' has no attribute '{name}'")
    return getattr(import_module(f"workbench.api.{_WHERE[name]}"), name)
