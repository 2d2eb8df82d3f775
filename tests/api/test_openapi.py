"""The OpenAPI document: valid, complete, equal to the committed one, and without a secret."""

import json
from pathlib import Path

from openapi_spec_validator import validate

from tests.api.conftest import Served
from workbench.api.openapi import document, document_bytes
from workbench.api.routes import ROUTES

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_is_valid_openapi() -> None:
    validate(json.loads(document_bytes()))


def test_the_committed_document_is_the_generated_one() -> None:
    assert COMMITTED.read_bytes() == document_bytes(), (
        "run: python -m workbench.api.openapi > docs/openapi.json"
    )


def test_every_route_is_described_with_its_scope_and_its_errors() -> None:
    paths = document()["paths"]
    assert sum(len(operations) for operations in paths.values()) == len(ROUTES)
    ids = set()
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        ids.add(operation["operationId"])
        assert str(route.status) in operation["responses"]
        if route.scope:
            assert "security" not in operation  # the document's own: a bearer token
            assert {"401", "403"} <= operation["responses"].keys()
            assert f"`{route.scope}`" in operation["description"]
        else:
            assert operation["security"] == []
        assert ("requestBody" in operation) == (route.body is not None)
    assert len(ids) == len(ROUTES)


async def test_the_server_serves_it_and_no_token_is_in_it(served: Served) -> None:
    _, told, _ = await served.ask("GET", "/openapi.json")
    assert told == json.loads(document_bytes())
    assert served.token not in json.dumps(told)
