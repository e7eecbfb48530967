"""The chain's net build-up turning from one side to the other."""

from oimon.core.compare import reaches
from oimon.terms import Verdict

THRESHOLD = 0.25  # of the score, as for the verdict of a strike
HOLD_S = 60.0


def build_up_side(in_force: str | None, score: float | None) -> Verdict | None:
    """Return the side of the chain's net build-up; between the thresholds the one in force stays.

    Ours: the whole chain's score and not single strikes, of which a dozen would flip in a minute of an ordinary move; the score
    is discounted already by how many take part and how far the market moved. Told after 60 s (:func:`oimon.core.held.hold`),
    so two flips are at least a minute and half of the scale apart.

    Args:
        in_force: Bull or Bear; None before the first.
        score: of the net build-up, in [−1, 1]; None where unknown.

    Source: analytics specification, 5.4 (score), 5.3 (threshold); decision record 0011.
    """
    if score is None:
        return None
    if reaches(score, THRESHOLD):
        return Verdict.BULL
    if reaches(-score, THRESHOLD):
        return Verdict.BEAR
    return None if in_force is None else Verdict(in_force)
