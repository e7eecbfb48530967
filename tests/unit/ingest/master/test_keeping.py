import os
from datetime import timedelta

import pytest

from ingest.master import keeping
from ingest.master.keeping import Kept, copies, keep, read
from oimon.errors import InputError
from tests.masters import DAY, make_entry, small_market
from tests.unit.ingest.master.masters import at, read_master


def kept_on(folder, day, rows=None):
    return keep(folder, Kept(master=read_master(rows), fetched_us=at(9, day=day)))


def test_a_copy_holds_what_was_kept(tmp_path):
    master = read_master([*small_market(), make_entry(lotsize="x")])
    path = keep(tmp_path / "master", Kept(master=master, fetched_us=at(9)))

    again = read(path)

    assert path.name == "2026-11-26.master"
    assert (again.day, again.fetched_us) == (DAY, at(9))
    assert again.master.instruments(range(len(master))) == master.instruments(range(len(master)))
    assert (list(again.master.names), again.master.tally) == (list(master.names), master.tally)


def test_the_newest_copies_stay(tmp_path):
    for days in range(6):
        kept_on(tmp_path, DAY + timedelta(days))

    assert [path.name for path in copies(tmp_path)] == [
        "2026-12-01.master", "2026-11-30.master", "2026-11-29.master",
    ]  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 3


def test_a_write_that_fails_leaves_the_old_copy_whole(tmp_path, monkeypatch):
    path = kept_on(tmp_path, DAY, small_market()[:50])
    monkeypatch.setattr(os, "fsync", full_disk)

    with pytest.raises(OSError, match="No space"):
        kept_on(tmp_path, DAY)

    assert len(read(path).master) == 50
    assert list(tmp_path.iterdir()) == [path]


def full_disk(_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("at_byte", range(0, 2000, 97))
def test_a_flipped_byte_is_noticed(tmp_path, at_byte):
    path = kept_on(tmp_path, DAY, small_market()[:20])
    data = bytearray(path.read_bytes())
    data[at_byte % len(data)] ^= 1
    path.write_bytes(data)

    with pytest.raises(InputError, match=r"Delete it; it is fetched again") as caught:
        read(path)

    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [0, 5, 12, 14, 15, 400])
def test_a_cut_copy_is_noticed(tmp_path, size):
    path = kept_on(tmp_path, DAY, small_market()[:20])
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(InputError):
        read(path)


def test_columns_that_do_not_fit_together_are_refused(tmp_path):
    master = read_master(small_market()[:20])
    columns = dict(master.columns) | {"lot": master.columns["lot"][:5]}
    names = type(master)(names=["ONE"], columns=master.columns, tally=master.tally)
    short = type(master)(names=master.names, columns=columns, tally=master.tally)
    other = type(master)(
        names=master.names,
        columns=dict(master.columns) | {"lot": master.columns["lot"].astype("f8")},
        tally=master.tally,
    )

    for wrong in (names, short, other):
        if wrong is names:
            wrong.columns["name"][:] = 7
        with pytest.raises(InputError, match=r"columns do not fit|column lot is of type"):
            read(keep(tmp_path, Kept(master=wrong, fetched_us=at(9))))


def test_a_copy_of_another_version_is_refused(tmp_path, monkeypatch):
    path = kept_on(tmp_path, DAY, small_market()[:20])
    monkeypatch.setattr(keeping, "_MAGIC", b"OIMAST\r\n\x1a\x02")

    with pytest.raises(InputError, match="of another version"):
        read(path)
