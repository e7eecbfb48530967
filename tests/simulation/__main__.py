"""Live through one seed again: ``python -m tests.simulation SEED [--without PROTECTION…]``; exit code 1 when it is not clean."""

import argparse
import sys

from tests.simulation.removed import PROTECTIONS, without
from tests.simulation.seeds import ROUGH, ROUGH_TEXTS
from tests.simulation.texts import ODDS_OF_TEXTS, Texts
from tests.simulation.world import ODDS, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, help="as the failed test printed it")
    parser.add_argument(
        "--rough", action="store_true", help="with the odds of the tests that take away"
    )
    parser.add_argument("--without", nargs="*", choices=sorted(PROTECTIONS), default=[])
    parser.add_argument("--texts", action="store_true", help="the world with notifiers in it")
    args = parser.parse_args()
    with without(args.without):
        if args.texts:
            findings = Texts(args.seed, ROUGH_TEXTS if args.rough else ODDS_OF_TEXTS).run()
        else:
            findings = World(args.seed, ROUGH if args.rough else ODDS).run()
    print(findings)
    return 0 if findings.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
