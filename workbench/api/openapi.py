"""The OpenAPI 3.1 document, made from the route table and the message types: it cannot say what the server does not do.

`python -m workbench.api.openapi` prints it; `docs/openapi.json` is that output, and a test holds them equal.
"""

import functools
import sys
from typing import Any

import msgspec

from workbench.api.bodies import ErrorBody
from workbench.api.route import Route
from workbench.api.routes import ROUTES, STREAM_PATH

__all__ = ["document", "document_bytes"]

_REF = "#/components/schemas/{name}"
_DESCRIPTION = (
    "The engine of one desk, on loopback. Every route but /healthz needs `Authorization: Bearer <token>`; Host and "
    "Origin must be on exact lists. Amounts are in the account's currency, `*_ns` are UTC nanoseconds, and a float "
    "that is not a number is null. Errors are one line with the name of their class. Live data: WebSocket "
    f"`{STREAM_PATH}`, whose first message carries the token or a one-use ticket."
)
_ERRORS = {
    400: "What was sent is wrong; nothing was done",
    401: "Token missing or not accepted",
    403: "Host, Origin or scope not accepted",
    404: "No such thing",
    409: "Understood, and the answer is no (also a risk refusal)",
    413: "Body too large",
    429: "Too many requests",
    503: "Not ready; may succeed later",
}


def document() -> dict[str, Any]:
    """The document as a dictionary.

    >>> document()["openapi"]
    '3.1.0'
    """
    types = [route.answer for route in ROUTES if route.answer is not bytes]
    bodies = [kind for route in ROUTES for kind in (route.body, route.query) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, *bodies, ErrorBody], ref_template=_REF)
    asked = {getattr(kind, "__name__", "") for kind in bodies}
    components = {name: _told(s) if name not in asked else s for name, s in components.items()}
    answers = iter(schemas)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        answer = next(answers) if route.answer is not bytes else {"type": "string"}
        query = components[route.query.__name__] if route.query is not None else None
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, answer, query)
    for kind in {route.query.__name__ for route in ROUTES if route.query is not None}:
        del components[kind]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Day Trading Orchestrator", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "http://127.0.0.1", "description": "the port is in the desk's engine.json"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(components.items())),
        },
    }


@functools.cache
def document_bytes() -> bytes:
    """The document as JSON text, two spaces deep, keys in a fixed order."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n"


def _operation(route: Route, answer: dict[str, Any], query: dict[str, Any] | None) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if "{id}" in route.path:
        schema = {"type": "string"} if "/tokens/" in route.path else {"type": "integer", "minimum": 0}
        parameters.append({"name": "id", "in": "path", "required": True, "schema": schema})
    if query is not None:
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in query["properties"].items()
        ]
    out: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "responses": {
            str(route.status): {"description": "Done", "content": {route.content_type: {"schema": answer}}},
            **{str(code): _error(text) for code, text in _ERRORS.items() if route.scope or code == 403},
        },
    }
    if route.scope:
        out["description"] = f"Needs scope `{route.scope}`."
    else:
        out["security"] = []
    if parameters:
        out["parameters"] = parameters
    if route.body is not None:
        schema = {"$ref": _REF.format(name=route.body.__name__)}
        required = bool(getattr(route.body, "__struct_fields__", ())) and _has_required(route.body)
        out["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return out


def _has_required(kind: Any) -> bool:
    return any(field.required for field in msgspec.structs.fields(kind))


def _operation_id(route: Route) -> str:
    words = [word for word in route.path.strip("/").split("/") if word not in ("api", "v1", "{id}")]
    one = "_one" if route.path.endswith("{id}") else ""
    return "_".join([route.method.lower(), *words]).replace(".", "_") + one


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=ErrorBody.__name__)}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _told(schema: Any) -> Any:
    """An answer's schema: a float may be null there, because JSON has no NaN."""
    if isinstance(schema, dict):
        if schema.get("type") == "number" and set(schema) <= {"type", "default"}:
            return {**schema, "type": ["number", "null"]}
        return {key: _told(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_told(value) for value in schema]
    return schema


if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
