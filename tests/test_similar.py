"""Copied work is found through renaming and other layout; what was given out, and what everybody writes, is not held against anybody."""

from grading import __main__ as cli
from grading.marking.similar import fingerprints, similar, tokens
from tests import classes

STUB = '''def dice(prediction, truth):
    """Dice coefficient of two masks, each a bool array of one shape; two empty masks agree perfectly."""
    raise NotImplementedError("Exercise 4.1a")
'''
OWN = '''def dice(prediction, truth):
    """Dice coefficient of two masks, each a bool array of one shape; two empty masks agree perfectly."""
    total = prediction.sum() + truth.sum()
    if total == 0:
        return 1.0
    both = np.logical_and(prediction, truth).sum()
    weights = {name: value for name, value in zip("ab", (both, total))}
    return float(2 * weights["a"] / weights["b"])
'''
RENAMED = r'''def dice(p, t):
    # my own work
    n = p.sum() + \
        t.sum()

    if n == 0: return 1.0
    k = np.logical_and(p, t).sum()
    d = {key: x for key, x in zip('xy', (k, n))}
    return float(3 * d['x'] / d['y'])
'''
ELSE = '''def dice(prediction, truth):
    left, right = set(np.flatnonzero(prediction)), set(np.flatnonzero(truth))
    while not left and not right:
        return 1.0
    try:
        return 2.0 * len(left & right) / (len(left) + len(right))
    except ZeroDivisionError as problem:
        raise ValueError("masks of two shapes") from problem
'''


def test_renaming_and_layout_change_no_token():
    body = OWN.replace("2 *", "3 *").partition("\n")[2].partition("\n")[2]
    assert tokens(body) == tokens(RENAMED.partition("\n")[2])
    assert tokens("x = (") == ["x", "=", "("] and fingerprints("x = 1") == set()


def test_a_copy_is_found_and_other_work_is_not():
    class_ = {"anna": {"dice": OWN}, "bert": {"dice": RENAMED}, "carl": {"dice": ELSE}, "dora": {"dice": STUB}, "emil": {}}
    pairs = similar(class_, {"dice": STUB})
    assert [(pair.one, pair.other, pair.exercises) for pair in pairs] == [("anna", "bert", ("dice",))]
    assert pairs[0].share > 0.8 and pairs == similar(dict(reversed(class_.items())), {"dice": STUB})


def test_the_stub_and_what_the_class_writes_count_for_nobody():
    given = {f"s{n:02}": {"dice": STUB} for n in range(10)}
    assert similar(given, {"dice": STUB}) == [] and similar({k: {"dice": OWN} for k in given}, {"dice": STUB}) == []
    two = {**{f"s{n:02}": {"dice": ELSE} for n in range(10)}, "anna": {"dice": OWN}, "bert": {"dice": OWN}}
    assert [(pair.one, pair.other) for pair in similar(two, {"dice": STUB})] == [("anna", "bert")]


def test_the_command_compares_what_was_handed_in(tmp_path, capsys):
    of = classes.lecture("96_light")
    long = "def twice(x):\n    found = {name: value for name, value in zip('ab', (x, x))}\n    if isinstance(x, bool) or not found:\n        raise TypeError(x)\n    return found['a'] + found['b'] if len(found) == 2 else sum(found.values())\n"
    made = {student: classes.answered(of, {**classes.right(of), **own}) for student, own in {"anna": {"twice": long}, "bert": {"twice": long.replace("found", "d")}, "carl": {}}.items()}
    course = classes.course(tmp_path / "course", of, made)
    assert cli.main(["similar", "96_light", "--course", str(course)]) == 0
    said = capsys.readouterr().out
    assert "3 submissions" in said and "1 pairs" in said and "anna and bert" in said and "twice" in said and "no proof" in said
