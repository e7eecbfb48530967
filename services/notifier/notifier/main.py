"""The notifier: what the others say goes to the database, to the coaches' files and to Telegram, each at its own pace."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from notifier import herald
from notifier.ai_log import AiLog
from notifier.config import NotifierSettings
from notifier.store import Store, address
from notifier.telegram import Telegram
from oimon.bus import Entry, Role, Sink
from oimon.clock import SystemClock
from oimon.errors import TransientError
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, TICKS, TRADES
from oimon.service import Running, Service
from oimon.terms import Group

TO_DATABASE = (TICKS, ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH, TRADES)
TO_FILES = (ADVICE_MINIMAL, ADVICE_RICH)

log = logging.getLogger(__name__)


async def run(running: Running[NotifierSettings]) -> None:
    """Work until stopped, until what the sinks were handed is written and what is owned is given back."""
    settings = running.settings
    store = open_store(settings)
    transcripts = AiLog(settings.data_dir / "logs")
    sender = _sender(running, store)
    running.facts |= {
        "database": lambda: {
            "where": store.where,
            "is_reachable": "database" not in running.blockers,
            "rows_written": store.rows_written,
            "rows_refused": store.rows_refused,
        },
        "transcripts": lambda: {"lines_written": transcripts.lines_written},
        "telegram": lambda: {"off": sender} if isinstance(sender, str) else sender.facts(),
    }
    to_database = _watched(running, "database", store.write)
    to_files = _watched(running, "transcripts", transcripts.write)
    try:
        await _try_first(to_database)
        async with asyncio.TaskGroup() as tasks:
            for group, streams, sink in (
                (Group.DATABASE, TO_DATABASE, to_database),
                (Group.FILES, TO_FILES, to_files),
            ):
                tasks.create_task(running.bus.share(group, streams, sink), name=group)
            if isinstance(sender, str):
                log.info("Telegram is off", extra={"why": sender})
            else:
                for role in herald.roles(settings.telegram_chat_ids, running.clock):
                    tasks.create_task(running.bus.own(role), name=role.name)
                tasks.create_task(running.bus.send(sender), name="telegram")
    finally:
        if not isinstance(sender, str):
            await sender.close()
        await store.close()


def open_store(settings: NotifierSettings) -> Store:
    """Return the database that the settings name."""
    url = settings.database_url
    return Store(address(None if url is None else url.get_secret_value(), settings.data_dir))


def _sender(running: Running[NotifierSettings], store: Store) -> Telegram | str:
    """Return the sender, or in plain words why there is none."""
    settings = running.settings
    if settings.telegram_bot_token is None:
        return "TELEGRAM_BOT_TOKEN is not set"
    if not settings.telegram_chat_ids:
        return "TELEGRAM_CHAT_IDS is not set: there is nobody to tell"
    return Telegram(
        settings.telegram_bot_token.get_secret_value(),
        settings.telegram_chat_ids,
        base_url=settings.telegram_base_url,
        record=store.write_text,
        clock=running.clock,
    )


def _watched(
    running: Running[NotifierSettings],
    name: str,
    write: Callable[[Sequence[Entry]], Awaitable[None]],
) -> Sink:
    """Return a sink that says in ``/readyz`` and ``/status`` when its way out is away."""

    async def sink(entries: Sequence[Entry]) -> None:
        try:
            await write(entries)
        except TransientError as error:
            running.blockers[name] = running.last_error = str(error)
            raise
        running.blockers.pop(name, None)

    return sink


async def _try_first(sink: Sink) -> None:
    """Make the tables before there is anything to write: a wrong database shows at once.

    Raises:
        ConfigError: its tables are of another version.
    """
    try:
        await sink(())
    except TransientError as error:
        log.warning("the database is away", extra={"error": str(error)})


def tellers() -> Sequence[Role[herald.Said]]:
    """Return the roles that tell, as they are while nobody is told."""
    return herald.roles((), SystemClock())


service = Service(
    name="notifier", settings=NotifierSettings, run=run, tellers=tellers, archive=open_store
)
