"""The topics as an AsyncAPI 3 document, made of what the code itself reads and writes.

`python -m streams.asyncapi` prints it; `deploy/asyncapi.yaml` is a copy.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import msgspec

from models.alerts.envelope import AlertData, AlertType
from streams.dashboard.triage import Triage
from streams.dispositions import Disposition
from streams.freeze.actions import Entry as FreezeEntry
from streams.freeze.requests import Request as FreezeRequest
from streams.lifecycle.entries import Entry as LifecycleEntry
from streams.settings import Settings
from streams.topics import TopicSpec, every_spec

Json: TypeAlias = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"
NAME: Final = {"type": "string", "minLength": 1, "maxLength": 256}
# A number may also come as a numeric string, as exchanges send it.
AMOUNT: Final = {"type": ["number", "string", "null"], "exclusiveMinimum": 0}
ORDER: Final[Json] = {
    "type": "object",
    "description": "One order event; unknown fields are ignored.",
    "required": ["event_id", "ts", "venue", "symbol", "api_key", "account", "side"],
    "properties": {
        "event_id": NAME | {"description": "unique; a repeated id changes nothing"},
        "ts": {"type": ["integer", "string"], "description": "ms since the Unix epoch, UTC"},
        "venue": NAME | {"description": "exchange, or matching engine of it"},
        "symbol": NAME | {"description": "traded pair"},
        "api_key": NAME | {"type": ["string", "null"], "description": "null: web or mobile"},
        "account": NAME | {"description": "account that owns the order"},
        "app": {"type": ["string", "null"], "description": "third-party app it came from"},
        "order_id": {"type": ["string", "null"]},
        "side": {"enum": ["buy", "sell"]},
        "type": {"enum": ["market", "limit", None], "default": "limit"},
        "status": {
            "enum": [
                *("new", "partially_filled", "filled", "canceled", "rejected", "expired"),
                None,
            ],
            "default": "filled",
        },
        "price": AMOUNT | {"description": "in the quote currency; required of fills"},
        "qty": AMOUNT | {"description": "in the base currency; required of fills"},
        "notional": AMOUNT | {"description": "value in USD; default price * qty"},
        "maker": {"type": ["boolean", "null"], "default": False},
        "arrival_price": AMOUNT | {"description": "mid price when the order came"},
        "counterparty": {"type": ["string", "null"]},
        "network": {"type": ["string", "null"], "description": "masked address or AS number"},
    },
}
ALERT: Final[Json] = {
    "type": "object",
    "description": "CloudEvents 1.0, structured mode; `id` depends on the input only.",
    "required": [
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"),
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string"},
        "source": {"const": "roguekey"},
        "type": {"enum": [kind.value for kind in AlertType]},
        "subject": {"type": "string", "description": "API key, app or account"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"$ref": REFERENCE.format(name="AlertData")},
    },
}
# What each topic carries: a struct as it is written, or a schema. Others carry bytes of our own.
PAYLOADS: Final[Mapping[str, Any]] = {
    "orders": ORDER,
    "alerts": ALERT,
    "dispositions": Disposition,
    "freezes": FreezeEntry,
    "lifecycle": LifecycleEntry,
    "requests": FreezeRequest,
    "triage": Triage,
}
RECEIVED: Final = {"orders", "dispositions"}  # that others write, too
OWN: Final = ("market_changelog", "keys_changelog", "alerts_changelog", "put_back")  # by app_id


def document() -> Json:
    """Describe all topics, by their default names."""
    settings = Settings()
    specs = {spec.name: spec for spec in every_spec(settings.topics, settings.app_id)}
    kinds = asdict(settings.topics)
    kinds |= zip(OWN, [name for name in specs if name not in kinds.values()], strict=True)
    structs = [payload for payload in PAYLOADS.values() if not isinstance(payload, dict)]
    references, schemas = msgspec.json.schema_components(
        [AlertData, *structs], ref_template=REFERENCE
    )
    schema_of = dict(zip([AlertData, *structs], references, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "roguekey",
            "version": version("roguekey"),
            "description": "Topics of roguekey, by their default names and numbers of partitions."
            " Names are settings; where there are several partitions, so is their number.",
        },
        "defaultContentType": "application/json",
        "channels": {kind: _channel(kind, specs[name]) for kind, name in kinds.items()},
        "operations": dict(_operations(kinds)),
        "components": {
            "messages": {
                kind: _message(specs[name], _payload(kind, schema_of))
                for kind, name in kinds.items()
            },
            "schemas": schemas,
        },
    }


def _payload(kind: str, schema_of: Mapping[Any, Json]) -> Json | None:
    payload = PAYLOADS.get(kind)
    return payload if payload is None or isinstance(payload, dict) else schema_of[payload]


def _channel(kind: str, spec: TopicSpec) -> Json:
    kept = spec.config.get("retention.ms", "-1")
    return {
        "address": spec.name,
        "description": f"{spec.carries}; key: {spec.key}",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
        "bindings": {
            "kafka": {
                "partitions": spec.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [spec.cleanup],
                    "retention.ms": int(kept),
                    "max.message.bytes": spec.max_bytes,
                },
            }
        },
    }


def _message(spec: TopicSpec, payload: Json | None) -> Json:
    if payload is None:
        return {"summary": spec.carries, "contentType": "application/octet-stream"}
    return {
        "summary": spec.carries,
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string"}}},
    }


def _operations(kinds: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    for kind in kinds:
        channel = {"$ref": f"#/channels/{kind}"}
        if kind in RECEIVED:
            yield f"receive_{kind}", {"action": "receive", "channel": channel}
        if kind != "orders":
            yield f"send_{kind}", {"action": "send", "channel": channel}


def as_yaml(value: Json) -> str:
    """Write it as YAML, of which JSON's scalars and empty collections are a part.

    >>> print(as_yaml({"a": [1, {"b": "c"}], "d": {}}), end="")
    "a":
      - 1
      - "b": "c"
    "d": {}
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _under(f"{json.dumps(name)}:", part, "  ")
    elif isinstance(value, list) and value:
        for part in value:
            first, *rest = _lines(part)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _under(head: str, part: Any, indent: str) -> Iterator[str]:
    if isinstance(part, dict | list) and part:
        yield head
        yield from (indent + line for line in _lines(part))
    else:
        yield f"{head} {json.dumps(part, ensure_ascii=False)}"


if __name__ == "__main__":
    sys.stdout.write(as_yaml(document()))
