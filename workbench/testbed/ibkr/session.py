"""The two sessions at the gateway: a browser's login, and the brokerage session on top of it.

    logged out --login--> logged in --ssodh/init--> brokerage          (a login lasts 24 h)
                             ^                          |
                             +-- 6 min without a request, the night, a competing session, an outage

Lives here: the states, what ends them, and who is told. Not here: routes (session_routes.py), sockets (socket.py).

One user name has one brokerage session. Another one that competes takes it away; `init(compete=True)` takes it back.
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.clock import VenueClock
from workbench.testbed.emulator import new_secret

__all__ = ["SERVER", "Session"]

SERVER: Final = {"serverName": "JifE00001", "serverVersion": "Build 10.46.2d, Aug 4, 2026 2:11:05 PM"}
_IDLE_NS: Final = 360_000_000_000
_LOGIN_NS: Final = 86_400_000_000_000


class Session:
    """The gateway's sessions. `sinks` are told of every change, `number` is the session clients compare."""

    def __init__(self, clock: VenueClock, seed: int, user: str) -> None:
        self.user = user
        self.clock = clock
        self.sinks: list[Callable[[], None]] = []
        self.logged_in = True
        self.brokerage = True
        self.competing = False
        self.linked = True  # the gateway reaches the back end
        self.accounts_asked = self.portfolio_asked = False
        self.orders_read = self.trades_read = False
        self.filtered = False  # orders were asked for with filters: the live updates are mute
        self.suppressed: set[str] = set()
        self.started: set[int] = set()  # contracts whose snapshot was asked for
        self._seed, self._given = seed, 0
        self.login_ns = clock.now_ns()
        self.last_ns = 0  # nobody asked yet: an emulator that waits for its first client stays logged in
        self.number = self._next_number()

    def _next_number(self) -> str:
        self._given += 1
        return new_secret(32, self._seed * 1_000 + self._given).lower()

    @property
    def authenticated(self) -> bool:
        return self.logged_in and self.brokerage and self.linked

    def touch(self, now_ns: int) -> None:
        """A request came: a session that was left alone too long is over by now."""
        if self.logged_in and now_ns - self.login_ns > _LOGIN_NS:
            self.logout()
        elif self.brokerage and self.last_ns and now_ns - self.last_ns > _IDLE_NS:
            self.drop()
        self.last_ns = now_ns

    def login(self) -> None:
        """Somebody logs in with a browser: a new session, brokerage included."""
        self.logged_in, self.competing = True, False
        self.login_ns = self.last_ns = self.clock.now_ns()
        self._begin()

    def logout(self) -> None:
        """Nothing goes any more until the next login."""
        self.logged_in = False
        self.drop()

    def drop(self) -> None:
        """The brokerage session is over."""
        self.brokerage = False
        self._forget()
        self._tell()

    def init(self, *, compete: bool) -> bool:
        """Open the brokerage session; False when another one has it and is not to be taken from."""
        if not self.linked or (self.competing and not compete):
            return False
        self.competing = False
        if not self.brokerage:
            self._begin()
        return True

    def renew(self) -> None:
        """The session goes on under another number; sockets of the old one are not told."""
        self.number = self._next_number()

    def take_over(self) -> None:
        """Another session of the same user competes, and has won."""
        self.competing, self.brokerage = True, False
        self._forget()
        self._tell()

    def set_link(self, linked: bool) -> None:
        """The connection to the back end is lost, or there again."""
        self.linked = linked
        self._tell()

    def _begin(self) -> None:
        self.brokerage = True
        self._forget()
        self.number = self._next_number()
        self._tell()

    def _forget(self) -> None:
        self.accounts_asked = self.portfolio_asked = False
        self.orders_read = self.trades_read = self.filtered = False
        self.suppressed.clear()
        self.started.clear()

    def _tell(self) -> None:
        for told in self.sinks:
            told()

    def status(self) -> dict[str, Any]:
        """What `auth/status` says."""
        return {
            "authenticated": self.authenticated,
            "competing": self.competing,
            "connected": self.linked,
            "established": self.authenticated,
            "message": "",
            "MAC": "98:F2:B3:23:BF:A0",
            "serverInfo": SERVER,
            "hardware_info": "00000000|98:F2:B3:23:BF:A0",
            "fail": "",
        }
