"""The judge: points and reasons from plain data alone, and nothing in them that is hidden."""

import re

import pytest

from grading.marking.remote import NotData

# -- points -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "points"),
    [
        ("x = 1", 4),
        ("assert f() == 3", 4),
        ("2", 2),
        ("2.5", 2.5),
        ("0", 0),
        ("-3", 0),
        ("99", 4),
        ("True", 4),
        ("False", 0),
        ("None", 4),
        ("'3'", 0),
        ("np.float64(1.5)", 1.5),
        ("np.int64(3)", 3),
        ("np.bool_(False)", 0),
        ("np.array(2.0)", 2),
        ("torch.tensor(1.5)", 1.5),
        ("float('nan')", 0),
        ("np.float32('nan')", 0),
        ("float('inf')", 4),
        ("-float('inf')", 0),
        ("[1, 2]", 0),
        ("4 * sum([f() == 3, f() == 4]) / 2", 2),
        ("f()", 4),
        ("assert f() == 4, 'no'", 0),
        ("raise ValueError", 0),
        ("1 / 0", 0),
        ("raise SystemExit(0)", 0),
        ("raise KeyboardInterrupt", 0),
    ],
)
def test_points_of_the_last_line(bench, last, points):
    verdict = bench("def f():\n    return 3").judge(f"y = f()\n{last}", 4)
    assert verdict.points == points and bool(verdict.reason) == (points < 4)


def test_what_a_student_returns_is_no_number_of_points(bench):
    """Neither as the value of the last line, nor by making the sum of points an array."""
    forged = bench("import numpy as np\ndef f():\n    return np.array([7, 7])\nclass Box:\n    worth = 4\n    def close(self):\n        return 4\ndef box():\n    return Box()")
    assert forged.judge("4 * sum([f() == 3, f() == 4]) / 2", 4).points == 0
    assert forged.judge("one = box()\nassert one.worth == 5, 'no'\none.close()", 4).points == 0
    assert forged.judge("one = box()\none.close()", 3).points == 3, "a call for its own sake"


def test_a_frame_that_names_a_hidden_number_is_told_to_nobody(bench):
    """The announced size of a frame, or the kind of an error, could say what the input was."""
    find = "import gc, os, socket, struct\nfor n in range(3, 200):\n    try:\n        os.fstat(n)\n        here = socket.socket(fileno=n)\n    except OSError:\n        continue\n"
    spill = find + "def f(x):\n    here.sendall(struct.pack('>QQ', int(x * 100) << 20, 0))\n    os._exit(0)"
    verdict = bench(spill).judge("assert f(417.25) == 1", shown=False)
    assert verdict.ended and "417" not in verdict.reason
    verdict = bench("def f(x):\n    raise BlockingIOError if x > 1 else UnicodeError").judge("assert f(2) == 1", shown=False)
    assert verdict.reason == "Your code raised an error on another input of the same kind."


def test_what_the_course_gives_stays_as_it_is_for_the_next_check(bench):
    one = bench("def scale(x):\n    x[...] = 0\n    return np.array([2.0, 4.0])", given="TRUTH = np.array([1.0, 2.0])")
    assert one.judge("assert np.allclose(scale(TRUTH), [2, 4])", shown=False).points == 1
    assert one.judge("assert np.allclose(TRUTH, [1, 2])", shown=False).points == 1


def test_partial_points_say_so(bench):
    verdict = bench("def f(x):\n    return x").judge("2 * (f(1) == 1) + (f(1) == 2)", 3)
    assert (verdict.points, verdict.reason) == (2, "Partly right: 2 of 3 points.")


def test_an_object_that_gives_numbers_gives_no_points(bench):
    code = "class A:\n    shape = ()\n    item = __float__ = lambda self: 4.0\ndef f():\n    return A()"
    assert bench(code).judge("assert f() is not None\n0 * 1", 4).points == 0
    assert bench(code).judge("y = f()\nassert y == 4\n1", 4).points == 0


def test_a_warning_on_stderr_keeps_its_points(bench):
    code = "import sys, warnings\ndef f():\n    warnings.warn('deprecated')\n    print('oh', file=sys.stderr)\n    return np.log(np.zeros(1))"
    verdict = bench(code).judge("assert f() == -np.inf")
    assert verdict.points == 1 and "deprecated" in verdict.output


def test_a_name_that_is_missing_is_told(bench):
    verdict = bench("def g():\n    return 1").judge("assert f() == 1, 'x'")
    assert verdict.reason.startswith("`f` is not defined: the cell that should define it")


# -- what is not data -------------------------------------------------------------------------------------------------------

LIAR = """
class Liar:
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = lambda self, other: True
    __bool__ = lambda self: True
    __float__ = __abs__ = lambda self: 1.0
    __int__ = __index__ = __len__ = lambda self: 1
    __iter__ = lambda self: iter([self])
    __getitem__ = __sub__ = __rsub__ = __add__ = __mul__ = __array__ = __round__ = lambda self, *other: self
    __hash__ = lambda self: 1
    __array_ufunc__ = __array_function__ = __torch_function__ = lambda *args, **kwargs: True
def f():
    return Liar()
"""


@pytest.mark.parametrize(
    "claim",
    [
        "f() == 1",
        "1 == f()",
        "f() != 1",
        "f() < 2",
        "0 < f()",
        "f()",
        "not f()",
        "f() in [1]",
        "1 in f()",
        "np.isclose(f(), 1)",
        "np.allclose(f(), 1)",
        "abs(f() - 1) < 1",
        "abs(1 - f()) < 1",
        "np.array_equal(f(), [1])",
        "torch.allclose(torch.tensor(f()), torch.ones(1))",
        "float(f()) == 1",
        "int(f()) == 1",
        "round(f()) == 1",
        "f() in {1: 2}",
        "sum([f()]) == 1",
        "max(f(), 1)",
        "np.asarray(f()).size",
        "f() * 2 == 2",
        "f() @ f()",
        "-f() == 1",
        "[f()] == [1]",
        "{'a': f()} == {'a': 1}",
        "np.abs(f()).max() < 2",
        "math_isclose(f())",
        "sorted([1, f()])",
        "f() ** 2 == 1",
        "f() & True",
        "f().__eq__(1)",
    ],
)
def test_comparing_what_is_no_data_is_an_error_with_a_sentence(bench, claim):
    source = f"import math\ndef math_isclose(x):\n    return math.isclose(x, 1)\nassert {claim}, 'wrong'"
    verdict = bench(LIAR).judge(source)
    assert verdict.points == 0
    assert re.match(r"Your answer is of the wrong kind: .*(Liar|unhashable|an object was returned)", verdict.reason)


def test_no_check_takes_the_judges_error_for_a_students(bench):
    """A check that waits for an error: returning what can't be sent, or leaving, is no error."""
    source = "try:\n    y = f(0)\n    y == 1\nexcept Exception:\n    pass\nelse:\n    raise AssertionError('should have raised')"
    assert bench("def f(x):\n    raise ValueError").judge(source).points == 1
    assert bench("def f(x):\n    return 1").judge(source).reason == "should have raised"
    assert bench("def f(x):\n    return np.array([object()])").judge(source).points == 0
    assert bench("def f(x):\n    return object()").judge(source).points == 0
    assert bench("import os\ndef f(x):\n    os._exit(0)").judge(source).ended


def test_the_end_of_an_iteration_is_an_error_like_any_other(bench):
    source = "assert all(map(lambda x: f(x) == 2 * x, [1, 2])), 'wrong'\nassert list(map(f, [1, 2])) == [2, 4]"
    assert bench("def f(x):\n    return 2 * x").judge(source).points == 1
    assert "StopIteration" in bench("def f(x):\n    raise StopIteration").judge(source).reason


def test_objects_may_be_called_read_and_passed_back(bench):
    code = """
class Box:
    def __init__(self, items): self.items = items
    def bigger(self, by): return Box([item + by for item in self.items])
    def __len__(self): return len(self.items)
    def __getitem__(self, key): return self.items[key]
    def __iter__(self): return iter(self.items)
def unpack(box): return box.items
def model(): return torch.nn.Linear(2, 1)
"""
    source = """
box = Box([1, 2])
other = box.bigger(by=3)
assert unpack(other) == [4, 5] and len(other) == 2 and other[1] == 5 and list(other) == [4, 5] and other.items[0:1] == [4]
net = model()
assert net(torch.ones(3, 2)).shape == (3, 1) and set(net.state_dict()) == {"weight", "bias"} and net.in_features == 2
assert sum(weights.numel() for weights in net.parameters()) == 3
assert not hasattr(box, "nothing") and hasattr(box, "items")
try:
    box.items = 3
except BaseException as problem:
    said = str(problem)
assert "can't set" in said
"""
    verdict = bench(code).judge(source)
    assert verdict.points == 1, verdict.reason


def test_what_a_check_can_not_pass_is_told(bench):
    verdict = bench("def f(g):\n    return g(1)").judge("assert f(lambda x: x) == 1")
    assert verdict.points == 0 and "passes a function" in verdict.reason


def test_not_data_is_no_exception():
    assert not issubclass(NotData, Exception)


# -- reasons ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "source", "shown", "hidden"),
    [
        ("return 3", "assert f(417) == 4, f'expected 4 for 417, got {f(417)}'", "expected 4 for 417, got 3", "expected 4 for 417, got …"),
        ("return 3", "assert f(417) == 4", "A check failed: assert f(417) == 4", "A check failed on another input of the same kind."),
        ("return 3", "assert f(417) == 4, 'off by ' + str(417)", "off by 417", "A check failed on another input of the same kind."),
        ("return 3", "if f(417) != 4: raise AssertionError('not four')", "not four", "not four"),
        (
            "raise ValueError(x)",
            "f(417)",
            "Your code raised ValueError: 417",
            "Your code raised ValueError on another input of the same kind.",
        ),
        (
            "raise type(f'E{x}', (KeyError,), {})",
            "f(417)",
            "Your code raised E417",
            "Your code raised KeyError on another input of the same kind.",
        ),
        ("return str(x)", "assert f(417) < 4", "comparing it raised TypeError: '<' not", "on another input: comparing it raised TypeError"),
        (
            "return type(f'K{x}', (), {})()",
            "assert f(417) < 4",
            "a K417 was returned",
            "Your answer is of the wrong kind on another input.",
        ),
        ("return np.array([object()])", "f(417)", "an array holds Python objects", "Your answer is of the wrong kind on another input."),
        ("return x", "assert secret_name(417)", "`secret_name` is not defined", "on another input: comparing it raised NameError"),
    ],
)
def test_reasons(bench, code, source, shown, hidden):
    one = bench(f"def f(x):\n    print('called with', x)\n    {code}")
    told, silent = one.judge(source), one.judge(source, shown=False)
    assert shown in told.reason and hidden in silent.reason
    assert told.points == silent.points == 0
    assert not silent.output and ("called with 417" in told.output or "secret_name" in source)
    assert "417" not in silent.reason.replace("expected 4 for 417", ""), "only what the author wrote"


def test_reasons_are_bounded_and_clean(bench):
    verdict = bench("def f(x):\n    raise ValueError('\\x1b[31m\\x00\\ud800\\u202e' + 'long ' * 100_000)").judge("f(1)")
    assert len(verdict.reason) < 1100 and not re.search("[\x00-\x08\x1b\u202e\ud800]", verdict.reason)
