"""Documents that are made from the code: ``python -m tests.documents`` writes them, a test compares them.

docs/messages.md and tests/data/schemas/*.json from messages.py, docs/metrics.md from metrics.py, .env.example from the
services' settings.
"""

import ast
import dataclasses
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import numpy as np
import orjson
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr

from oimon import messages, metrics
from oimon.config import Settings
from oimon.service import find, names

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = ROOT / "tests" / "data" / "schemas"

STREAMS = {
    "oi.ticks.v1:{U}": ("ingest", "session, ticks, gap, beat", "45 min (`TICKS_KEEP_S`)"),
    "oi.analysis.v1:{U}": (
        "analytics",
        "analysis (quote modes: quotes)",
        "7,200 entries, of more than two underlyings 14,400 together (`ANALYSIS_KEEP`)",
    ),
    "oi.advice-minimal.v1:{U}": ("coach-minimal", "advice", "2 days"),
    "oi.advice-rich.v1:{U}": ("coach-rich", "advice", "2 days"),
    "oi.trades.v1:{U}": ("the ledger (not built yet)", "trade", "2 days"),
    "oi.outbox.v1:{telegram}": ("notifier", "text", "2 days"),
}


def comments(cls: type) -> dict[str, str]:
    """Return what stands behind each field of a message's class in the source."""
    lines = inspect.getsource(cls).splitlines()
    found = {}
    for node in ast.parse("\n".join(lines)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            line = lines[node.end_lineno - 1]
            found[node.target.id] = line.partition("  # ")[2].strip()
    return found


def shown_type(cls: type, name: str) -> str:
    """Return a field's type as a reader of JSON sees it."""
    hint = get_type_hints(cls, include_extras=True)[name]
    extras = getattr(hint, "__metadata__", ())
    if extras:
        return "[number?]" if extras[0] == "float" else "[integer?]"
    text = cls.__annotations__.get(name) or next(
        base.__annotations__[name]
        for base in cls.__mro__
        if name in getattr(base, "__annotations__", {})
    )
    if not isinstance(text, str):
        text = (
            text.__name__
            if inspect.isclass(text) and not hasattr(text, "__origin__")
            else str(text)
        )
    text = text.replace("oimon.terms.", "").replace("oimon.messages.", "").replace(" | None", "?")
    return text.replace("|", "or").replace("collections.abc.", "")


def classes_of(kind: type) -> list[type]:
    """Return a message's class and the classes of its parts, in order of first use."""
    found: list[type] = []

    def visit(cls: Any) -> None:
        if dataclasses.is_dataclass(cls):
            if cls in found:
                return
            found.append(cls)
            for hint in get_type_hints(cls).values():
                visit(hint)
            return
        for part in getattr(cls, "__args__", ()):
            visit(part)

    visit(kind)
    return found


def messages_md() -> str:
    """Return docs/messages.md."""
    out = [
        "# Messages",
        "",
        "Made from `shared/oimon/messages.py` by `python -m tests.documents`; a test keeps it true.",
        "",
        "Every entry of a stream has `n` (contiguous number), `at` (server ms), `w` (writer), `v` (schema), `t` (type) and `d` (the",
        "message). `d` is JSON with sorted keys, for `ticks` packed bytes. `?` may be null; `us` are microseconds since the epoch (UTC).",
        "",
        "| stream | only writer | types | kept |",
        "| --- | --- | --- | --- |",
    ]
    out += [
        f"| `{name}` | {who} | {types} | {kept} |" for name, (who, types, kept) in STREAMS.items()
    ]
    done: set[type] = set()
    for kind, cls in messages.KINDS.items():
        out += ["", f"## `{kind}`"]
        for part in classes_of(cls):
            if part in done:
                out += ["", f"`{part.__name__}`: above."]
                continue
            done.add(part)
            out += ["", f"**{part.__name__}**: {inspect.getdoc(part)}", ""]
            if part is messages.TickBatch:
                out += packed()
                continue
            notes = {
                k: v
                for base in reversed(part.__mro__)
                if dataclasses.is_dataclass(base)
                for k, v in comments(base).items()
            }
            out += ["| field | type | note |", "| --- | --- | --- |"]
            out += [
                f"| `{f.name}` | {shown_type(part, f.name)} | {notes.get(f.name, '')} |"
                for f in dataclasses.fields(part)
            ]
    return "\n".join(out) + "\n"


def packed() -> list[str]:
    """Return the layout of a tick batch."""
    out = [
        "24-byte head: `v` u2, spare u2, `count` u4, `table` 8 bytes, `received_us` i8; then `count` records of 64 bytes, then a day",
        "record of 28 bytes for each tick with the flag DAY. Little-endian; prices in paise, here only.",
        "",
        "| record | offset | field | type |",
        "| --- | --- | --- | --- |",
    ]
    for title, dtype in (("tick", messages.TICK), ("day", messages.DAY)):
        for name in dtype.names or ():
            kind, offset = (dtype.fields or {})[name][:2]
            out.append(f"| {title} | {offset} | `{name}` | {np.dtype(kind).str} |")
    flags = {k: v for k, v in vars(messages.TickFlag).items() if k.isupper()}
    return [*out, "", "Flags: " + ", ".join(f"{k} {v}" for k, v in flags.items()) + "."]


def schemas() -> dict[str, bytes]:
    """Return the JSON schema of every message that is JSON, by file name."""

    def hook(kind: Any) -> dict[str, Any]:
        if kind is np.ndarray or getattr(kind, "__origin__", None) is np.ndarray:
            return {"type": "array", "items": {"type": ["number", "null"]}}
        raise NotImplementedError(kind)

    found = {}
    for kind, cls in messages.KINDS.items():
        if cls is not messages.TickBatch:
            schema = msgspec.json.schema(cls, schema_hook=hook)
            found[f"{kind}.json"] = (
                orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
            )
    return found


def metrics_md() -> str:
    """Return docs/metrics.md."""
    out = [
        "# Metrics",
        "",
        "Made from `shared/oimon/metrics.py` by `python -m tests.documents`; a test keeps it true. Every service answers `/metrics`.",
        "",
        "| metric | kind | labels | what |",
        "| --- | --- | --- | --- |",
    ]
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            described = next(iter(metric.describe()))
            suffix = "_total" if metric._type == "counter" else ""
            labels = ", ".join(metric._labelnames) or "--"
            out.append(
                f"| `{described.name}{suffix}` | {metric._type} | {labels} | {described.documentation} |"
            )
    return "\n".join(out) + "\n"


def env_example() -> str:
    """Return .env.example: every setting of every service, with its default."""
    out = [
        "# Every setting, with its default. Copy to .env and change what you need; nothing has to be set.",
        "# A secret may also come from a file: <NAME>_FILE=/path/to/file. Made by `python -m tests.documents`.",
    ]
    seen: set[str] = set()
    for title, cls in [
        ("every service", Settings),
        *((name, find(name).settings) for name in names()),
    ]:
        fields = {k: v for k, v in cls.model_fields.items() if k not in seen}
        ports = {"http_port": cls.model_fields["http_port"]} if title != "every service" else {}
        if fields or ports:
            out += ["", f"# --- {title}"]
        for name, info in {**fields, **ports}.items():
            seen.add(name)
            default = info.get_default()
            value = (
                default.get_secret_value()
                if isinstance(default, SecretStr)
                else getattr(default, "value", default)
            )
            if isinstance(value, Path) and value.is_absolute():
                value = None  # a file that comes with the program
            if isinstance(value, tuple | list):
                value = ",".join(map(str, value))
            out += [
                f"# {info.description or ''}".rstrip(),
                f"#{name.upper()}={'' if value is None else value}",
            ]
    return "\n".join(out) + "\n"


def documents() -> dict[Path, bytes]:
    """Return every made document by its path."""
    made = {
        ROOT / "docs" / "messages.md": messages_md().encode(),
        ROOT / "docs" / "metrics.md": metrics_md().encode(),
        ROOT / ".env.example": env_example().encode(),
    }
    return made | {SCHEMAS / name: data for name, data in schemas().items()}


if __name__ == "__main__":
    for path, data in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(path.relative_to(ROOT))
