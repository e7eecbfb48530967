"""What ``oi status`` makes of the replicas' own words."""

import io

from rich.console import Console

from oimon import status
from oimon.system import SILENT, System
from oimon.terms import SERVICES
from tests.builders import make_status


def an_owner(replica: str, epoch: int, *, said_ms: int, **fields) -> dict:
    held = {
        "role": "analytics", "partition": "NIFTY", "epoch": epoch, "lag": 0, "lag_s": 0.0,
        "restored": True, "parked": 0, "last_error": None, **fields,
    }  # fmt: skip
    return make_status("analytics", replica=replica, at_us=said_ms * 1000, partitions=[held])


def text_of(*services: dict) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status.tables(status.Status(system=System(services=services), ages=())))
    return console.export_text()


def test_two_replicas_that_claim_a_partition_are_a_problem_in_plain_words():
    services = (
        an_owner("analytics-a", 5_000, said_ms=9_500),
        an_owner("analytics-b", 9_000, said_ms=9_600),
    )

    text = " ".join(text_of(*services).split())

    assert not System(services=services).is_ready
    assert "analytics of NIFTY is claimed by analytics-a (epoch 5000) and analytics-b" in text
    assert "restart analytics-a" in text


def test_what_was_said_before_another_took_over_is_no_claim():
    killed = an_owner("analytics-a", 5_000, said_ms=8_900)
    successor = an_owner("analytics-b", 9_000, said_ms=9_600)

    assert System(services=[killed, successor]).contested == []
    assert System(services=[successor, killed]).contested == []


def test_each_replica_has_a_row_with_what_it_owns_how_far_behind_it_is():
    text = text_of(
        an_owner("analytics-a", 5_000, said_ms=9_500, lag=7, lag_s=6.5, parked=2),
        make_status("analytics", replica="analytics-b"),
    )

    assert "NIFTY, epoch 5000, 7 behind (6.5 s), 2 parked" in text
    assert "analytics-b" in text


def test_a_role_is_named_where_it_is_not_the_service_s_own():
    tells = an_owner("notifier-a", 5_000, said_ms=9_500, role="notify-minimal")
    sends = an_owner("notifier-a", 5_000, said_ms=9_500, role="telegram", partition="telegram")

    assert "notify-minimal of NIFTY, epoch 5000" in text_of({**tells, "service": "notifier"})
    assert "the outbox, epoch 5000" in text_of({**sends, "service": "notifier"})


def test_of_many_partitions_a_person_is_shown_some():
    owner = an_owner("analytics-a", 5_000, said_ms=9_500)
    owner["partitions"] = owner["partitions"] * (status.SHOWN + 3)

    assert "and 3 more" in text_of(owner)


def test_a_doubt_of_the_unit_of_open_interest_is_told():
    owner = an_owner("analytics-a", 5_000, said_ms=9_500)

    assert "Note: NIFTY: looks like lots" in text_of(
        {**owner, "oi_unit": ["NIFTY: looks like lots"]}
    )


def test_a_service_that_is_being_stopped_counts_as_gone_but_is_shown():
    services = [make_status(name) for name in SERVICES]
    leaving = make_status(
        "analytics", replica="analytics-2", state="stopping", problems=["it stops"]
    )

    assert System(services=[*services, leaving]).is_ready
    without_one = [each for each in services if each["service"] != "analytics"]
    assert System(services=[*without_one, leaving]).missing == ["analytics"]
    assert "stopping" in text_of(*services, leaving)


def test_who_starts_everything_is_told_what_it_still_waits_for():
    services = [
        make_status("ingest", state="not ready", problems=["no session yet", "no lead"]),
        make_status("analytics"),
        make_status("analytics", replica="analytics-2", state="stopping"),
    ]

    waits = System(services=services).waits_for({"ingest": 1, "analytics": 2, "notifier": 1})

    assert waits == [
        "analytics has not answered (1 of 2 replicas have)",
        "notifier has not answered",
        "ingest-1: no session yet; no lead",
    ]
    assert System(services=services[1:]).waits_for({"analytics": 1}) == []


def test_where_nobody_says_anything_it_is_not_said_that_nothing_runs():
    assert System(services=()).troubles == [SILENT]
    told = " ".join(text_of().split())
    assert "Redis takes no writes" in told
    assert "not running" not in told


def test_the_ages_of_data_are_told_as_those_of_the_analysis_that_stands_on_them():
    console = Console(width=200, record=True, file=io.StringIO())
    dead = status.Ages(underlying="NIFTY", analysis_s=600.0, tick_s=1.0, oi_s=42.0)

    console.print(status.tables(status.Status(system=System(services=()), ages=[dead])))

    lines = [line.split() for line in console.export_text().splitlines()]
    title = next(line for line in lines if line[:1] == ["Ages:"])
    assert " ".join(title) == "Ages: of the newest analysis now, of its data when it was made"
    assert next(line for line in lines if "600.0" in line)[3:10] == ["600.0", "s", "│", "1.0", "s", "│", "42.0"]  # fmt: skip


def test_a_service_that_is_not_heard_of_has_a_row_and_one_without_trouble_no_line():
    text = text_of(make_status("analytics", replica="analytics-a"))

    assert text.count("no status in the last 10 s") == len(SERVICES) - 1
    assert "analytics-a:" not in text
