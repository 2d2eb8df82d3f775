"""The whole route table: the server serves it, the OpenAPI document describes it, tests walk it."""

from workbench.api import routes_act, routes_read
from workbench.api.route import Route

__all__ = ["ROUTES", "STREAM_PATH"]

ROUTES: tuple[Route, ...] = (*routes_read.ROUTES, *routes_act.ROUTES)
# the WebSocket: Host and Origin are checked at the door, the secret is its first message
STREAM_PATH = "/api/v1/stream"
