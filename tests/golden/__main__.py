"""``python -m tests.golden``: write the golden figures anew."""

from tests.golden.figures import FILE, text

if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.name)
