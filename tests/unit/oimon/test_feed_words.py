from oimon.feed_words import MEANINGS, feed_lines, notes
from oimon.terms import FeedState, Mode
from tests import documents
from tests.builders import make_status


def ingest(**feed):
    return make_status("ingest", feed={"mode": Mode.LIVE.value, "state": "ok", **feed})


def test_the_states_of_a_live_feed_stand_in_the_document_as_here():
    text = (documents.ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert set(MEANINGS) == set(FeedState) - {FeedState.ENDED}
    for state, meaning in MEANINGS.items():
        assert f"| `{state}` | {meaning.means} | {meaning.remedy} |" in text


def test_a_feed_that_is_not_well_says_why_and_what_to_do():
    (told,) = feed_lines(ingest(state="login_failed", why="AB1007: client code or PIN."))
    (meant,) = feed_lines(ingest(state="silent", why=""))

    assert told == (
        "Feed login_failed: AB1007: client code or PIN. What to do: mend what it names, then start again"
    )
    assert meant.startswith("Feed silent: connected, and for 10 s no packet")


def test_what_is_off_unknown_missing_or_different_has_a_line_and_what_is_well_has_none():
    checks = {"oi": {"equal": 3, "newer": 0, "differs": 1, "missing": 0, "last": ["S2: 1 here, 2 there"]}}  # fmt: skip
    status = ingest(
        off=["No coaches."],
        notes=["MCX lists no COPPER"],
        master={"warnings": ["an old list"]},
        recording={"folder": "r", "bytes": 5, "frames_lost": 3, "why": "No space left on device"},
        oi_prev={"note": 2, "broker": 1, "unknown": 1},
        gaps={"filled": 5, "not_filled": 1, "to_come": 0},
        checks=checks,
    )

    assert list(feed_lines(status)) == [
        "Note: an old list",
        "Note: MCX lists no COPPER",
        "Off: No coaches.",
        "Not recorded: No space left on device (3 packets so far)",
        "Open interest of the session before: known of 3 of 4 contracts (2 noted here, 1 from the broker's history)",
        "Gaps: of 5 instruments filled, of 1 not, 0 to come",
        "Beside the broker's own oi: 3 equal, 1 differs; last: S2: 1 here, 2 there",
    ]
    well = ingest(recording={"folder": "r", "bytes": 5, "frames_lost": 0, "why": ""}, oi_prev={"note": 2, "broker": 1, "unknown": 0}, gaps=dict.fromkeys(("filled", "not_filled", "to_come"), 0), checks={})  # fmt: skip
    assert list(feed_lines(well)) == []


def test_of_what_is_not_live_only_the_notes_are_told():
    status = make_status("ingest", feed={"mode": "REPLAY", "state": "ended"}, notes=["a note"])

    assert list(feed_lines(status)) == []
    assert list(notes(status)) == ["Note: a note"]
    assert list(feed_lines(make_status("ingest", feed={"state": "standing by"}))) == []
    assert list(feed_lines(make_status("analytics"))) == []
