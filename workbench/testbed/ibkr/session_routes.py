"""Session routes: tickle, authentication, single sign-on, logout; and what the emulated user may do by hand.

Lives here: those routes. Not here: the states behind them (session.py).
"""

from typing import Any

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.refusals import Refusal, no_login
from workbench.testbed.ibkr.session import Session

__all__ = ["SessionRoutes"]

_DAY_MS = 86_400_000


class SessionRoutes:
    """Routes about the session itself; they go without a brokerage session, some without a login."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/tickle", self.tickle, open=True),
            Route("POST", "/tickle", self.tickle, open=True),
            Route("GET", "/iserver/auth/status", self.status, open=True),
            Route("POST", "/iserver/auth/status", self.status, open=True),
            Route("POST", "/iserver/auth/ssodh/init", self.init, open=True),
            Route("GET", "/iserver/reauthenticate", self.reauthenticate, open=True),
            Route("POST", "/iserver/reauthenticate", self.reauthenticate, open=True),
            Route("GET", "/sso/validate", self.validate, open=True),
            Route("POST", "/logout", self.logout, open=True),
            Route("GET", "/logout", self.logout, open=True),
        ]

    def _expires_ms(self) -> int:
        session = self.session
        return max(0, _DAY_MS - (session.clock.now_ns() - session.login_ns) // 1_000_000)

    def tickle(self, call: Call) -> Answer:
        """Keep the session; tells its number, which a socket's cookie needs."""
        session = self.session
        status = {k: v for k, v in session.status().items() if k not in ("fail", "established")}
        return Answer(
            {
                "session": session.number,
                "ssoExpires": self._expires_ms(),
                "collission": False,
                "userId": 100_000_001,
                "hmds": {"error": "no bridge"},
                "iserver": {"authStatus": status},
            }
        )

    def status(self, call: Call) -> Answer:
        return Answer(self.session.status())

    def init(self, call: Call) -> Answer:
        """Open the brokerage session. Losing against another one is no error: it is said in the answer."""
        said = json_object(call.body)
        if said.get("publish") is not True:
            raise Refusal("Internal Server Error", 500)
        self.session.init(compete=said.get("compete") is True)
        return Answer(self.session.status())

    def reauthenticate(self, call: Call) -> Answer:
        self.session.init(compete=False)
        return Answer({"message": "triggered"})

    def validate(self, call: Call) -> Answer:
        session = self.session
        now_ms = session.clock.now_ns() // 1_000_000
        return Answer(
            {
                "USER_ID": 100_000_001,
                "USER_NAME": session.user,
                "RESULT": True,
                "AUTH_TIME": session.login_ns // 1_000_000,
                "SF_ENABLED": False,
                "IS_FREE_TRIAL": False,
                "CREDENTIAL": session.user,
                "IP": "127.0.0.1",
                "EXPIRES": self._expires_ms(),
                "QUALIFIED_FOR_MOBILE_AUTH": None,
                "LANDING_APP": "UNIVERSAL",
                "IS_MASTER": False,
                "lastAccessed": now_ms,
                "LOGIN_TYPE": 2,
                "PAPER_USER_NAME": session.user,
                "features": {"env": "PROD", "wlms": True, "realtime": True, "bond": True, "gfis": True},
                "region": "NJ",
            }
        )

    def logout(self, call: Call) -> Answer:
        if not self.session.logged_in:
            return no_login()
        self.session.logout()
        return Answer({"status": True})

    def by_hand(self, said: dict[str, Any]) -> None:
        """What somebody in front of the gateway does: log in or out."""
        if said["in"]:
            self.session.login()
        else:
            self.session.logout()
