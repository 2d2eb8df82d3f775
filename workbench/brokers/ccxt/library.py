"""ccxt itself: loaded when it is first needed (that takes seconds), and its exchanges as classes we can hold.

Lives here: finding an exchange's class and putting our hooks into it. Not here: what the hooks do (client.py).

ccxt 4.5 is told what to do by attributes and by methods that subclasses may replace; these are replaced:

    throttle            our limiter instead of its own: with ccxt's costs and rate, and our lanes
    on_rest_response    status and headers of every answer
    parse_json          an answer that is none is an error: ccxt would take it for an empty list
    handle_errors       sees the exchange's usual address: some exchanges choose their table of errors by it
    client              a frame that ccxt cannot read ends the connection (its reader would stop for ever otherwise);
                        so does what ends its reader or its pings; what comes and goes is counted
    on_connected        a stream (re)connected: what it missed is fetched
"""

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from types import ModuleType
from typing import Any, Final, Protocol

from workbench.errors import Refused, UnknownName

__all__ = ["Hooks", "exchanges", "library", "made", "shown"]

_QUIET: Final = logging.getLogger("workbench.brokers.ccxt.quiet")
_QUIET.setLevel(logging.WARNING)  # at DEBUG ccxt logs every request with its headers: keys are among them


class Hooks(Protocol):
    """What an exchange asks and tells us."""

    async def gate(self, cost: float) -> None:
        """Return when a request of that cost may go."""
        ...

    def answered(self, status: int, headers: dict[str, str]) -> None:
        """A request was answered."""
        ...

    def unparsed(self, body: str) -> None:
        """An answer was no JSON object or list; may raise an error of ccxt's."""
        ...

    def usual(self, url: str) -> str:
        """The address ccxt would have used for `url`."""
        ...

    def connected(self, url: str) -> None:
        """A stream is open."""
        ...

    def talked(self, more: int) -> None:
        """A frame came (0), is about to be sent (1), was sent (-1)."""
        ...

    def unreadable(self, error: Exception) -> None:
        """A frame could not be read."""
        ...


@lru_cache(maxsize=1)
def library() -> ModuleType:
    """`ccxt.pro`, which holds `ccxt.async_support` as well.

    Raises:
        Refused: it is not installed.
    """
    try:
        import ccxt.pro as found
    except ImportError as error:
        raise Refused(
            "venue 'ccxt' needs the extra 'ccxt': `pip install -e '.[ccxt]'` in the project's folder"
        ) from error
    module: ModuleType = found
    return module


def exchanges() -> list[str]:
    """Every exchange ccxt knows, those without streams too. Raises Refused: it is not installed."""
    library()
    import ccxt

    return sorted(ccxt.exchanges)


@lru_cache(maxsize=32)
def _class_of(exchange: str) -> Any:
    pro = library()
    found = getattr(pro, exchange, None)
    if exchange not in exchanges() or found is None:
        from ccxt import async_support

        found = getattr(async_support, exchange, None) if exchange in exchanges() else None
    if found is None:
        raise UnknownName("ccxt exchange", exchange, exchanges())
    return type(exchange, (found,), dict(_METHODS))


@lru_cache(maxsize=32)
def shown(exchange: str) -> Any:
    """An exchange without keys, to be looked at only: what it has, what it costs. Raises as `made` does."""
    return _class_of(exchange)({})


def made(exchange: str, config: dict[str, Any], hooks: Hooks) -> Any:
    """One of ccxt's exchanges with our hooks, not connected yet.

    Raises:
        Refused: ccxt is not installed. UnknownName: it has no such exchange.
    """
    found = _class_of(exchange)({"enableRateLimit": True, **config})
    found.logger = _QUIET
    found.timeout_on_exit = 0
    found.workbench_hooks = hooks
    return found


# -- the methods that are replaced ---------------------------------------------------------------------------------


async def _throttle(self: Any, cost: float | None = None) -> None:
    await self.workbench_hooks.gate(1.0 if cost is None else float(cost))


def _on_rest_response(
    self: Any, code: int, reason: str, url: str, method: str, headers: dict[str, str], body: str, *more: Any
) -> str:
    self.workbench_hooks.answered(code, headers)
    return body.strip()


def _parse_json(self: Any, body: str) -> Any:
    found = super(type(self), self).parse_json(body)
    if found is None:
        self.workbench_hooks.unparsed(body)
    return found


def _handle_errors(self: Any, code: int, reason: str, url: str, *more: Any) -> Any:
    usual = self.workbench_hooks.usual(url)
    return super(type(self), self).handle_errors(code, reason, usual, *more)


def _client(self: Any, url: str) -> Any:
    link = super(type(self), self).client(url)
    if "handle_message" not in vars(link):
        hooks = self.workbench_hooks
        link.handle_message = partial(_frame, hooks, link, link.handle_message)
        link.throttle = partial(_paced, hooks, link.throttle)
        link.send = partial(_send, hooks, link.send)
        link.reject = partial(_reject, link, link.reject)
        link.reset = partial(_reset, link)
    return link


def _reject(link: Any, plain: Callable[..., Any], error: Any, message_hash: str | None = None) -> Any:
    """When ccxt's reader ends it tells everybody who waits, and leaves a connection that nobody reads any more."""
    if message_hash is None and link.error is None and isinstance(error, library().NetworkError):
        link.on_error(error)
        return error
    return plain(error, message_hash)


def _reset(link: Any, error: Any) -> None:
    """ccxt would stop the pings and let the connection stand."""
    known = isinstance(error, BaseException)
    link.on_error(error if known else library().NetworkError(link.stringify_reset_payload(error)))


async def _paced(hooks: Hooks, plain: Callable[[float], Awaitable[None]], cost: float = 1.0) -> None:
    hooks.talked(1)
    await plain(cost)


async def _send(hooks: Hooks, plain: Callable[[Any], Awaitable[None]], message: Any) -> None:
    try:
        await plain(message)
    finally:
        hooks.talked(-1)


def _frame(hooks: Hooks, link: Any, read: Callable[[Any], None], message: Any) -> None:
    """One that was given up tells no more, though what it has received is still handed on until it is closed: rows of
    it would come after its break was told, and stay for whoever watches next."""
    if link.error is not None:
        return
    hooks.talked(0)
    try:
        read(message)
    except Exception as error:  # noqa: BLE001 - whatever ccxt's readers raise would end its reader without a word
        hooks.unreadable(error)
        known = isinstance(error, library().BaseError)
        link.on_error(error if known else library().NetworkError(f"a frame cannot be read ({error})"))


def _on_connected(self: Any, client: Any, message: Any = None) -> None:
    super(type(self), self).on_connected(client, message)
    self.workbench_hooks.connected(client.url)


_METHODS: Final[dict[str, Any]] = {
    "throttle": _throttle,
    "on_rest_response": _on_rest_response,
    "parse_json": _parse_json,
    "handle_errors": _handle_errors,
    "client": _client,
    "on_connected": _on_connected,
}
