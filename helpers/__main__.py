"""The commands `python -m helpers doctor` and `python -m helpers quiz`."""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Say what works on this machine (0 if a lecture can run, 1 if something must be mended first); or ask questions of the quiz."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description="What works on this machine, and the course's quiz.")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="what works on this machine, and how to mend the rest")
    doctor.add_argument("--offline", action="store_true", help="don't try the network")
    quiz = commands.add_parser("quiz", help="questions that come back when you are about to forget, in text")
    quiz.add_argument("lectures", nargs="*", metavar="LECTURE", help="numbers of lectures (05 6); all if none is given")
    quiz.add_argument("--count", type=int, default=10, help="at most so many questions (default: 10)")
    options = parser.parse_args(arguments)
    if options.command == "quiz":
        from helpers.quiz.terminal import ask

        ask(options.count, [name.zfill(2) for name in options.lectures] or None)
        return 0
    from helpers.doctor import report

    text, sound = report(offline=options.offline)
    print(text)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
