"""The command `python -m helpers doctor`."""

import argparse
import sys

from helpers.doctor import report


def main(arguments: list[str] | None = None) -> int:
    """Say what works on this machine; 0 if a lecture can run, 1 if something must be mended first."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description="What works on this machine, and how to mend the rest.")
    parser.add_argument("command", choices=["doctor"])
    parser.add_argument("--offline", action="store_true", help="don't try the network")
    options = parser.parse_args(arguments)
    text, sound = report(offline=options.offline)
    print(text)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
