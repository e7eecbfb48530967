import re

from oimon.core.direction import Component
from tests.unit.analytics.days import make_session, play


def test_each_contribution_says_its_score_share_and_raw_value():
    answer = play(make_session(strikes=21, cadence_s=60.0), range(1300))[-1]

    names = [name for name, _, _ in answer.contributions]
    assert set(names) == set(Component)
    for name, share, text in answer.contributions:
        score = answer.components[name].score
        assert text.startswith(f"{name} {score:+.2f} → {share:+.3f}: ")
    texts = {name: text for name, _, text in answer.contributions}
    assert re.search(
        r"puts (written|covered) [\d,]+, calls (written|covered) [\d,]+ in 15 min$",
        texts["coi_balance"],
    )


def test_what_contradicts_the_score_is_listed_strongest_first():
    answer = play(make_session(strikes=21, cadence_s=60.0), range(1300))[-1]

    assert all(share * answer.score < 0 for _, share, _ in answer.against)
    sizes = [abs(share) for _, share, _ in answer.against]
    assert sizes == sorted(sizes, reverse=True)
