"""Who may see the dashboard: a link that carries the dashboard's own token once, then a signed cookie.

The token is not the engine's. The cookie is HttpOnly, SameSite=Strict and signed; its name carries the port,
because cookies ignore ports. Only exact Host headers are answered, so a rebound name finds nothing.
"""

import asyncio
import hmac
import os
import secrets
from html import escape
from pathlib import Path
from typing import Any

import msgspec
from bokeh.server.auth_provider import AuthProvider
from tornado.web import HTTPError, RequestHandler

from workbench.api.security import FailedLogins

__all__ = ["Door", "Keys", "load_keys"]

COOKIE_DAYS = 7.0
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Workbench</title>{refresh}
<style>body{{font:15px/1.5 system-ui,sans-serif;background:#f3f5f8;color:#111827;display:grid;place-items:center;
min-height:90vh}}main{{background:#fff;border:1px solid #e1e6ee;border-radius:12px;padding:28px 32px;width:340px}}
h1{{font-size:19px;margin:0 0 6px}}p{{color:#5b6678;margin:0 0 16px}}
input{{width:100%;box-sizing:border-box;font:inherit;
padding:8px 10px;border:1px solid #cbd3df;border-radius:7px}}button{{margin-top:12px;width:100%;font:inherit;
font-weight:600;padding:9px;border:0;border-radius:7px;background:#1f5fd6;color:#fff;cursor:pointer}}
b.no{{color:#b93a06}}</style></head><body><main>{body}</main></body></html>"""
_FORM = """<h1>Workbench dashboard</h1><p>Desk <b>{desk}</b>. Open the link that <code>workbench status</code> prints,
or give its token.</p>{trouble}<form method="post" action="login"><input name="token" type="password" autofocus
autocomplete="current-password" aria-label="token"><button type="submit">Open the dashboard</button></form>"""


class Keys(msgspec.Struct, frozen=True):
    """The dashboard's two secrets. They outlive a restart, so a visitor stays known."""

    token: str
    cookie_secret: str

    def __repr__(self) -> str:
        return "<Keys ***>"


def load_keys(folder: Path) -> Keys:
    """The keys kept in the desk's folder (0600), made when there are none or when others could read them."""
    path = folder / "dashboard.keys"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = -1
    if descriptor >= 0:
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read()
        if status.st_mode & 0o077 == 0 and status.st_uid == os.getuid():
            return msgspec.json.decode(data, type=Keys)
    keys = Keys(secrets.token_urlsafe(24), secrets.token_urlsafe(32))
    temporary = path.with_name(f".dashboard-{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(msgspec.json.encode(keys))
    temporary.replace(path)
    return keys


class Door(AuthProvider):
    """Bokeh asks this at every page and every WebSocket."""

    def __init__(self, desk: str, keys: Keys, port: int) -> None:
        self.desk, self.keys, self.port = desk, keys, port
        self.failed = FailedLogins()
        super().__init__()

    @property
    def cookie(self) -> str:
        return f"workbench-{self.desk}-{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host headers that are ours."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def check_host(self, asked: RequestHandler) -> None:
        """Refuse a request that came under another name."""
        if asked.request.headers.get_list("Host") not in [[host] for host in self.hosts]:
            raise HTTPError(403, "this Host is not served here")

    @property
    def get_user(self) -> Any:
        def user(asked: RequestHandler) -> str | None:
            self.check_host(asked)
            known = asked.get_signed_cookie(self.cookie, max_age_days=COOKIE_DAYS)
            return "visitor" if known == b"visitor" else None

        return user

    get_user_async = None
    get_login_url = None
    login_url = "/login"
    logout_url = None
    logout_handler = None

    @property
    def login_handler(self) -> type[RequestHandler]:
        door = self

        class LoginPage(RequestHandler):
            """GET /login?token=..., or the form."""

            def set_default_headers(self) -> None:
                self.set_header("Referrer-Policy", "no-referrer")
                self.set_header("Cache-Control", "no-store")
                self.set_header("X-Content-Type-Options", "nosniff")
                self.set_header(
                    "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
                )

            async def get(self) -> None:
                token = self.get_query_argument("token", "")
                await self._admit(token, tried=bool(token))

            async def post(self) -> None:
                await self._admit(self.get_body_argument("token", ""), tried=True)

            async def _admit(self, token: str, tried: bool) -> None:
                door.check_host(self)
                if hmac.compare_digest(token.encode(), door.keys.token.encode()):
                    self.set_signed_cookie(
                        door.cookie,
                        "visitor",
                        expires_days=COOKIE_DAYS,
                        httponly=True,
                        samesite="Strict",
                        path="/",
                    )
                    # not a redirect: a Strict cookie is not sent along one that began on another site
                    self.finish(
                        _PAGE.format(
                            refresh='<meta http-equiv="refresh" content="0; url=./">', body="<p>Opening…</p>"
                        )
                    )
                    return
                if tried:
                    await asyncio.sleep(door.failed.delay_s())
                    self.set_status(403)
                trouble = '<p><b class="no">This token is not the dashboard\'s.</b></p>' if tried else ""
                self.finish(
                    _PAGE.format(refresh="", body=_FORM.format(desk=escape(door.desk), trouble=trouble))
                )

        return LoginPage
