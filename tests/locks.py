"""The hash-locked requirements of the laptop, of its extra ``fast``, of its checks and of each service's image: ``python -m tests.locks`` (needs ``uv`` on the PATH).

The others take their versions from the laptop's, so that all of them agree.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPILE = (
    "uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "-q"
)  # fmt: skip
BUILD = ("setuptools",)  # builds our own packages


def declared(folder: Path) -> list[str]:
    """Return what a package and the extras of oimon that it asks for need from outside."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shared = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    found = list(BUILD) + list(shared["dependencies"])
    for need in project["dependencies"]:
        if need.split("[")[0] == "oimon":
            extras = need.partition("[")[2].rstrip("]").split(",") if "[" in need else []
            found += [item for extra in extras for item in shared["optional-dependencies"][extra]]
        else:
            found.append(need)
    return sorted(set(found))


def declared_extra(name: str) -> list[str]:
    """Return what an extra of oimon needs."""
    shared = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text(encoding="utf-8"))
    needs: list[str] = shared["project"]["optional-dependencies"][name]
    return needs


def folders() -> list[Path]:
    """Return the services' folders."""
    return sorted(path.parent for path in (ROOT / "services").glob("*/pyproject.toml"))


def main() -> int:
    """Make every lock anew; return the exit code."""
    laptop = ROOT / "requirements.txt"
    subprocess.run([*COMPILE, ROOT / "requirements.in", "-o", laptop], check=True)
    checks = [*COMPILE, ROOT / "tests" / "requirements.in", "-c", laptop]
    subprocess.run([*checks, "-o", ROOT / "tests" / "requirements.txt"], check=True)
    fast = "\n".join(declared_extra("fast"))
    command = [*COMPILE, "-", "-c", laptop, "-o", ROOT / "requirements-fast.txt"]
    subprocess.run(command, input=fast, text=True, check=True)
    for folder in folders():
        needs = "\n".join(declared(folder))
        command = [*COMPILE, "-", "-c", str(laptop), "-o", str(folder / "requirements.txt")]
        subprocess.run(command, input=needs, text=True, check=True)
        print(folder.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
