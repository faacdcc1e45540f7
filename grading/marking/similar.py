"""Which submissions share code that neither the release nor the class at large accounts for; what it means, a person decides.

Winnowing of token fingerprints (Schleimer, Wilkerson and Aiken, SIGMOD 2003): names, numbers and texts count as such and not as what they say.
"""

import builtins
import hashlib
import io
import keyword
import tokenize
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

GRAM, WINDOW = 12, 6  # tokens of a fingerprint; of so many fingerprints in a row the least one is kept
LEAST = 8  # fingerprints of its own that an answer needs, or there is nothing to compare
COMMON = 0.2  # what so large a share of the class wrote, everybody writes
_KEPT = set(keyword.kwlist) | set(dir(builtins))
_DROPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Pair:
    """Two submissions: the share of the smaller one's own fingerprints that the other has too, how many, and in which exercises."""

    one: str
    other: str
    share: float
    common: int
    exercises: tuple[str, ...]


def tokens(source: str) -> list[str]:
    """Code as a list of tokens that renaming and other layout leave as they are; words, if it is no Python."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in _DROPPED:
                continue
            if token.type == tokenize.NAME and token.string not in _KEPT:
                found.append(token.string if found and found[-1] == "." else "name")  # what a library calls things stays
            else:
                found.append({tokenize.NUMBER: "number", tokenize.STRING: "text"}.get(token.type, token.string))
    except (tokenize.TokenError, SyntaxError):
        return source.split()
    return found


def fingerprints(source: str) -> set[int]:
    """Winnowed hashes of the token sequences of a piece of code; empty if it is shorter than one of them."""
    told = tokens(source)
    grams = [" ".join(told[i : i + GRAM]) for i in range(len(told) - GRAM + 1)]
    hashes = [int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest()) for gram in grams]
    return {min(hashes[i : i + WINDOW]) for i in range(max(1, len(hashes) - WINDOW + 1))} if hashes else set()


def similar(class_: dict[str, dict[str, str]], released: dict[str, str], least: float = 0.6) -> list[Pair]:
    """Pairs of students whose answers are alike beyond what was given out and what many wrote.

    Args:
        class_: student -> exercise -> text of the answer.
        released: exercise -> the stub that everybody began with.
        least: the share from which on a pair is reported.

    Returns:
        Pairs, the most alike first.
    """
    own: dict[str, dict[str, set[int]]] = {}
    for exercise, stub in released.items():
        given = fingerprints(stub)
        marks = {student: fingerprints(answers.get(exercise, "")) - given for student, answers in class_.items()}
        times = Counter(mark for one in marks.values() for mark in one)
        often = {mark for mark, count in times.items() if count > max(2, COMMON * len(class_))}
        for student, one in marks.items():
            own.setdefault(student, {})[exercise] = one - often
    found = []
    for one, other in combinations(sorted(own), 2):
        shared = {exercise: len(own[one][exercise] & own[other][exercise]) for exercise in released}
        smaller = min(sum(map(len, own[student].values())) for student in (one, other))
        if smaller >= LEAST and (share := sum(shared.values()) / smaller) >= least:
            found.append(Pair(one, other, share, sum(shared.values()), tuple(exercise for exercise, count in shared.items() if count)))
    return sorted(found, key=lambda pair: (-pair.share, -pair.common, pair.one, pair.other))
