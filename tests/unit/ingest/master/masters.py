"""Masters read, and instants of their day."""

from datetime import date, time

from ingest.master.columns import Master
from ingest.master.reading import MasterReader
from oimon.calendar import instant_us
from tests.masters import DAY, as_file, small_market


def read_master(rows=None) -> Master:
    reader = MasterReader("the list")
    reader.take(as_file(small_market() if rows is None else rows))
    return reader.close()


def at(hour: int, minute: int = 0, day: date = DAY) -> int:
    return instant_us(day, time(hour, minute))
