"""What ingest can be told."""

import os
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode
from typing_extensions import override

from ingest.exchange_clock import FeedClock
from ingest.names import ALIASES, COMMODITIES, DEFAULTS
from ingest.recordings import BUNDLED
from ingest.simulator.day import EXPIRY_WEEK
from ingest.simulator.faults import parse
from ingest.simulator.universe import Universe
from oimon.config import Settings, falls_back, service_port, times_real_time
from oimon.terms import Segment

BUNDLED_SPEED = 60.0
"""Its prices are a minute apart: at 60 times there is one a second."""
MAX_DIGITS = 4
MASTER_URL = "https://margincalculator.angelone.in/OpenAPI_File/files/OpenAPIScripMaster.json"


class FeedKind(StrEnum):
    """Where frames come from."""

    LIVE = "live"
    REPLAY = "replay"
    SIM = "sim"


class IngestSettings(Settings):
    """What ingest can be told."""

    http_port: int = service_port("ingest")
    feed: FeedKind = Field(
        FeedKind.REPLAY,
        description="where market data comes from: live, replay, or sim for a simulated day",
    )
    recording: Path = Field(
        BUNDLED,
        description="the recorded day to play: a file, the first of its parts, or the folder of one underlying's",
    )
    feed_clock: FeedClock = Field(
        FeedClock.ARRIVAL,
        description="what says when a price came: its arrival, or exchange: the newest time of the exchange",
    )
    run: str = Field(
        "",
        pattern="^[A-Za-z0-9]*$",
        description="name of the run to play or to go on with; empty goes on with an unfinished one, or begins anew",
    )
    speed: float | Literal["max"] | None = Field(
        None,
        description="times real time of a recorded or simulated day, or max; 60 for the bundled day, else 1",
    )
    sim_seed: int = Field(
        7, ge=0, description="seed of the simulator: the same seed gives the same day"
    )
    sim_universe: Universe = Field(
        Universe.NIFTY,
        description="what is simulated: nifty, index (five), mcx (three commodities), nse (20 shares), or default (28 underlyings)",
    )
    sim_date: date = Field(EXPIRY_WEEK, description="the simulated day, a trading day")
    sim_oi_publish_s: float = Field(
        180.0,
        ge=1,
        le=600,
        description="seconds between two publications of one contract's open interest, simulated",
    )
    sim_faults: str = Field(
        "", description="faults of the simulated feed with their rates, as zero_oi=0.01,halt=1"
    )
    sim_truth: Path | None = Field(
        None, description="file that the simulator writes the truth to; it is in no message"
    )
    feed_segment: Segment = falls_back(Segment.NFO, "part of the exchange: NFO, BFO, MCX or NSE")
    mcx_name: str = falls_back(
        "SILVERMIC", "commodities of the segment MCX, separated by commas: GOLDM,COPPER"
    )
    mcx_oi: bool = Field(
        default=False,
        description="1: classify the build-up of a commodity's futures, and analyse its options where they are liquid",
    )
    smartapi_api_key: SecretStr | None = Field(
        None, description="broker: key of your app on the SmartAPI page; for the live feed"
    )
    smartapi_client_code: SecretStr | None = Field(
        None, description="broker: your client code, as A123456"
    )
    smartapi_pin: SecretStr | None = Field(
        None, description="broker: your four-digit MPIN, not the web password"
    )
    smartapi_totp_secret: SecretStr | None = Field(
        None,
        description="broker: the base32 text shown when you enabled TOTP, not a code of six digits",
    )
    smartapi_url: str = Field(
        "https://apiconnect.angelone.in",
        description="address of the broker's REST API; another for oi fake-broker",
    )
    smartapi_stream_url: str = Field(
        "wss://smartapisocket.angelone.in/smart-stream",
        description="address of the broker's stream; another for oi fake-broker",
    )
    underlyings: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="indices or shares with options, separated by commas: NIFTY,BANKNIFTY,SENSEX; empty: NIFTY, in BFO SENSEX",
    )
    nse_symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        DEFAULTS[Segment.NSE], description="shares of the segment NSE, separated by commas"
    )
    expiries: int = Field(2, ge=1, le=12, description="so many of the nearest expiries, live")
    expiry: Annotated[tuple[date, ...], NoDecode] = Field(
        (), description="these expiries instead, live, separated by commas: 2026-12-01,2026-12-29"
    )
    strikes_each_side: int | Literal["all"] = Field(
        20, description="strikes subscribed above and below the money, live, or all"
    )
    smartapi_master_url: str = Field(
        MASTER_URL,
        pattern="^https?://",
        description="the broker's list of instruments; public, fetched once a day",
    )
    record: bool = Field(
        default=True, description="0: do not record the live feed; a recording plays like any other"
    )
    record_dir: Path | None = Field(
        None, description="where live recordings go; DATA_DIR/recordings when empty"
    )
    record_keep_days: int = Field(
        30, ge=1, le=3650, description="live recordings of so many days are kept"
    )
    record_keep_gb: int = Field(
        20, ge=1, le=100_000, description="and of so many GB at most: the oldest days are deleted"
    )
    flush_ms: float = Field(
        5.0, ge=0, le=1000, description="least milliseconds between two batches; 0: none"
    )

    @property
    def commodities(self) -> tuple[str, ...]:
        """Those of ``mcx_name``, as MCX has them."""
        named = (ALIASES.get(name, name) for name in self.mcx_name.split(","))
        return tuple(dict.fromkeys(named))

    @property
    @override
    def notes(self) -> tuple[str, ...]:
        """What fell back to a default or is another's name, in plain words."""
        renamed = [
            f"MCX_NAME: MCX lists no {name}; using {ALIASES[name]}"
            for name in self.mcx_name.split(",")
            if name in ALIASES
        ]
        found = [*super().notes, *renamed]
        if self.feed is FeedKind.LIVE:
            found += [
                f"{name}: {url} is not encrypted: keys and tokens can be read on the way; use https and wss"
                for name, url in (
                    ("SMARTAPI_URL", self.smartapi_url),
                    ("SMARTAPI_STREAM_URL", self.smartapi_stream_url),
                )
                if urlsplit(url).scheme in ("http", "ws")
                and urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost")
            ]
        return tuple(found)

    @property
    def times_real_time(self) -> float | None:
        """Speed of a replay; ``None``: as fast as it goes."""
        if self.speed is None:
            is_bundled = self.feed is FeedKind.REPLAY and self.recording == BUNDLED
            return BUNDLED_SPEED if is_bundled else 1.0
        return None if self.speed == "max" else self.speed

    @field_validator("feed", mode="before")
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
        return str(value).strip().lower()

    @field_validator("smartapi_url")
    @classmethod
    def _is_a_root(cls, value: str) -> str:
        parts = _address(value, "https", "http")
        if parts.path.strip("/") or parts.query:  # the SDK would drop a path on some of its routes
            raise ValueError(
                f"takes scheme and host only, as https://host:port, found a path {parts.path!r}"
            )
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("smartapi_stream_url")
    @classmethod
    def _is_a_socket(cls, value: str) -> str:
        return _address(value, "wss", "ws").geturl()

    @field_validator("sim_universe", mode="before")
    @classmethod
    def _known_universe(cls, value: Any) -> Any:
        name = str(value).strip().lower()
        if name not in list(Universe):
            raise ValueError(f"{value!r} is not one of {', '.join(Universe)}")
        return name

    @field_validator("sim_faults")
    @classmethod
    def _known_faults(cls, value: str) -> str:
        parse(value)
        return value

    @field_validator("sim_truth")
    @classmethod
    def _can_be_written(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        there = value if value.exists() else value.parent
        if value.is_dir() or not os.access(there, os.W_OK):
            raise ValueError(f"cannot write {str(value)!r}; name a file in a folder of yours")
        return value

    @field_validator("recording")
    @classmethod
    def _is_there(cls, value: Path) -> Path:
        if not value.exists():
            raise ValueError(f"there is no file {str(value)!r}; name a recording (.oirec)")
        return value

    @field_validator("speed", mode="before")
    @classmethod
    def _above_zero(cls, value: Any) -> Any:
        if value is None:
            return None
        found = times_real_time(str(value))
        return "max" if found is None else found

    @field_validator("feed_segment", mode="before")
    @classmethod
    def _known_segment(cls, value: Any) -> Any:
        name = str(value).strip().upper()
        if name not in Segment.__members__:
            raise ValueError(f"{value!r} is not one of {', '.join(Segment)}")
        return name

    @field_validator("mcx_name", mode="before")
    @classmethod
    def _known_commodities(cls, value: Any) -> Any:
        names = _listed(str(value)) or ("",)
        for name in names:
            if name not in COMMODITIES and name not in ALIASES:
                raise ValueError(
                    f"{(value if len(names) == 1 else name)!r} is not one of {', '.join(COMMODITIES)}"
                )
        return ",".join(names)

    @field_validator("underlyings", "nse_symbols", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return _listed(value) if isinstance(value, str) else value

    @field_validator("expiry", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(date.fromisoformat(text) for text in _listed(value))
        except ValueError:
            raise ValueError(
                f"takes days as 2026-12-01, separated by commas, found {value!r}"
            ) from None

    @field_validator("strikes_each_side", mode="before")
    @classmethod
    def _number_or_all(cls, value: Any) -> Any:
        text = str(value).strip().lower()
        if text != "all" and not (text.isdecimal() and len(text) <= MAX_DIGITS):
            raise ValueError(f"takes a number of strikes, or all, found {value!r}")
        return text if text == "all" else int(text)


def _listed(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, in capitals, each once."""
    parts = (part.strip().upper() for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _address(text: str, safe: str, plain: str) -> SplitResult:
    """Return the parts of an address of one of two schemes."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no address: {error}") from None
    if parts.scheme not in (safe, plain) or not parts.hostname or port == 0 or parts.username:
        raise ValueError(
            f"takes an address like {safe}://host or {plain}://127.0.0.1:8710, without a user's name"
        )
    return parts
