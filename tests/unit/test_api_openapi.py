"""The OpenAPI document is well formed and tells every verb, argument and row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from engine.api import openapi
from engine.model import wire
from engine.model.commands import COMMANDS
from engine.model.rows import ROW_KINDS

DOCUMENT = openapi.describe("1.2.3")
TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}
SCHEMA_WORDS = {
    "type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "minimum",
    "maximum", "default", "description", "title", "enum", "oneOf", "anyOf", "$ref",
}  # fmt: skip


def walk(value: Any) -> Iterator[Any]:
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from walk(child)


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema: components, bodies, parameters, and the schemas inside them."""
    roots = list(DOCUMENT["components"]["schemas"].values())
    roots += [node["schema"] for node in walk(value) if isinstance(node, dict) and isinstance(node.get("schema"), dict)]
    while roots:
        schema = roots.pop()
        yield schema
        roots += schema.get("properties", {}).values()
        roots += [*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("prefixItems", [])]
        roots += [schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_is_json_and_names_its_version() -> None:
    assert wire.decode(wire.encode(DOCUMENT))["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_every_reference_leads_somewhere() -> None:
    for node in walk(DOCUMENT):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            found: Any = DOCUMENT
            for word in node["$ref"].removeprefix("#/").split("/"):
                found = found[word]


def test_every_schema_uses_known_words() -> None:
    count = 0
    for schema in schemas(DOCUMENT):
        count += 1
        assert set(schema) <= SCHEMA_WORDS, schema
        if "type" in schema:
            assert schema["type"] in TYPES
        assert set(schema.get("required", ())) <= set(schema.get("properties", schema.get("required", ())))
    assert count > 100


def test_every_operation_is_complete() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations():
        assert method in ("get", "post")
        assert operation["responses"]["200"]["description"]
        assert operation["summary"]
        in_path = {word[1:-1] for word in path.split("/") if word.startswith("{")}
        assert in_path == {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert ("requestBody" in operation) == (method == "post")


def test_lists_every_verb_with_every_argument() -> None:
    for name, kind in COMMANDS.items():
        operation = DOCUMENT["paths"][f"/v1/{name}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        specs = {spec.name: spec for spec in dataclasses.fields(kind)}
        assert set(schema["properties"]) == {*specs, "reason", "confirm"}
        for argument, spec in specs.items():
            described = schema["properties"][argument]
            assert described["description"].startswith(spec.metadata["help"])
            assert described.get("minimum") == spec.metadata.get("ge")
            assert described.get("maximum") == spec.metadata.get("le")
            has_default = spec.default is not dataclasses.MISSING or spec.default_factory is not dataclasses.MISSING
            assert ("default" in described) == has_default == (argument not in schema["required"])
    verbs = {path.removeprefix("/v1/") for path, method, _ in operations() if method == "post"}
    assert verbs == {*COMMANDS, "plan", "execute"}


def test_no_argument_is_called_reason_or_confirm() -> None:
    # The body of a verb holds its arguments, the reason and what was typed side by side.
    assert not [kind for kind in COMMANDS.values() if {"reason", "confirm"} & {spec.name for spec in dataclasses.fields(kind)}]


def test_lists_every_kind_with_every_field() -> None:
    for kind, row in ROW_KINDS.items():
        assert "get" in DOCUMENT["paths"][f"/v1/{kind}"]
        assert tuple(DOCUMENT["components"]["schemas"][row.__name__]["properties"]) == row._fields
