"""The judge: points and reasons from plain data alone; what is hidden stays hidden; no answer changes what it is compared with."""

import importlib
import re
from dataclasses import asdict

import numpy as np
import pytest
import torch

from grading.given import Given, Twins
from grading.job import grade
from grading.judge import judge
from grading.remote import Channel, NotData
from grading.sandbox import Limits, Sandbox
from tests import classes

NAME = "97_workshop"
LIMITS = Limits(seconds=30, cell_seconds=3, memory=3 * 2**29)


@pytest.fixture(scope="module")
def box():
    """A warm fork server for all tests of this file."""
    with Sandbox(["numpy", "torch", "torch._dynamo"]) as box:
        yield box.wait()


class Bench:
    """A student's process, and a judge in this one."""

    def __init__(self, box, code, given=""):
        self.process = box.spawn(LIMITS)
        self.channel = Channel(self.process)
        self.channel.run("import numpy as np\nimport torch", "set-up")
        self.channel.run(given, "given")
        self.printed, self.error = self.channel.run(code, "answer")
        self.twins = Twins(Given([given], {"np", "torch"}), {"__name__": "__main__", "np": np, "torch": torch}, self.channel)

    def judge(self, source, points=1, shown=True):
        return judge("check", source, points, self.channel, self.twins, 0, shown)


@pytest.fixture
def bench(box):
    """Make a bench; its process ends with the test."""
    made = []

    def make(code, given=""):
        made.append(Bench(box, code, given))
        return made[-1]

    yield make
    for each in made:
        each.process.close()


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
        ("'3'", 4),
        ("np.float64(1.5)", 1.5),
        ("np.int64(3)", 3),
        ("np.bool_(False)", 0),
        ("np.array(2.0)", 2),
        ("torch.tensor(1.5)", 1.5),
        ("float('nan')", 0),
        ("np.float32('nan')", 0),
        ("float('inf')", 4),
        ("-float('inf')", 0),
        ("[1, 2]", 4),
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


def test_partial_points_say_so(bench):
    verdict = bench("def f(x):\n    return x").judge("2 * (f(1) == 1) + (f(1) == 2)", 3)
    assert (verdict.points, verdict.reason) == (2, "Partly right: 2 of 3 points.")


def test_an_object_that_gives_numbers_gives_no_points(bench):
    code = "class A:\n    shape = ()\n    item = __float__ = lambda self: 4.0\ndef f():\n    return A()"
    assert bench(code).judge("assert f() is not None\n0 * 1", 4).points == 0
    assert bench(code).judge("y = f()\nassert y == 4\n1", 4).points == 0


def test_a_warning_on_stderr_keeps_its_points(bench):
    code = (
        "import sys, warnings\ndef f():\n    warnings.warn('deprecated')\n    print('oh', file=sys.stderr)\n    return np.log(np.zeros(1))"
    )
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


# -- inputs stay as they are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "spoil"),
    [
        ("np.arange(1.0, 4)", "x[...] = 0"),
        ("[1.0, 2.0]", "x[:] = [0, 0]"),
        ("{'a': 1.0}", "x.update(a=0)"),
        ("torch.ones(3)", "x.zero_()"),
        ("[[1.0]]", "x[0][0] = 0"),
    ],
)
def test_an_input_changes_only_where_the_check_asks(bench, value, spoil):
    one = bench(f"def f(x):\n    {spoil}\n    return x")
    assert one.judge(f"x = {value}\nbefore = str(x)\nf(x)\nassert str(x) == before, 'changed'").points == 1
    assert one.judge(f"x = {value}\nbefore = str(x)\nf(x)  # in place\nassert str(x) == before, 'changed'").reason == "changed"
    assert one.judge(f"x = {value}\nbefore = str(x)\nf(\n    x,\n)  # in place: on purpose\nassert str(x) != before").points == 1
    assert (
        one.judge(f"x = {value}\nbefore = str(x)\nfor _ in range(2):  # in place of a while\n    f(x)\nassert str(x) == before").points == 1
    )


def test_a_truth_computed_after_the_call_is_the_truth(bench):
    cheat = "def double(x):\n    x[...] = 0\n    return x"
    source = "x = np.arange(3.0)\ngot = double(x)\nassert np.allclose(got, 2 * x), 'off'"
    assert bench(cheat).judge(source).reason == "off"
    assert bench("def double(x):\n    return 2 * x").judge(source).points == 1


def test_an_input_of_another_kind_is_told(bench):
    one = bench("def f(x):\n    x.resize((0,), refcheck=False) if isinstance(x, np.ndarray) else x.resize_(0)")
    assert "another kind or shape" in one.judge("f(np.ones(3))  # in place").reason
    assert "another kind or shape" in one.judge("f(torch.ones(3))  # in place").reason


# -- what the course gives ---------------------------------------------------------------------------------------------------

GIVEN = """
LIMIT = 10
LABELS = torch.tensor([0, 1, 1])

def tiny(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))

def pair(lr=0.1):
    net = torch.nn.Linear(2, 1)
    return net, torch.optim.Adam(net.parameters(), lr=lr)

def error(net, x, y):
    net.eval()
    with torch.no_grad():
        return float(((net(x) - y) ** 2).mean())

def accuracy(classify, x):
    return float((classify(x) == LABELS).float().mean())

def slope(function, at):
    at = at.clone().requires_grad_(True)
    function(at).backward()
    return at.grad

def steps(number):
    return [answer(step) for step in range(number)]

def twice_the_steps(number):
    return [2 * step for step in steps(number)]
"""


def test_given_parts_run_where_they_can():
    given = Given([GIVEN], {"torch", "np"})
    assert given.beside == {"steps", "twice_the_steps"} and given.differentiates == {"slope"}
    assert "def accuracy" in given.here and "def steps" not in given.here


def test_a_model_that_is_given_stays_the_checks_own(bench):
    code = """
def zero(net, x):
    for weight in net.parameters():
        weight.data.zero_()
    net[0].weight.grad = torch.ones(2, 2)
    return net(x)
"""
    one = bench(code, GIVEN)
    source = "net = tiny(3)\nx = torch.ones(4, 2)\ngot = zero(net, x)\nassert torch.allclose(got, net(x)), 'off'"
    assert one.judge(source).reason == "off"
    marked = "net = tiny(3)\nzero(net, torch.ones(4, 2))  # in place\n"
    marked += "assert all(not w.any() for w in net.parameters()) and net[0].weight.grad.sum() == 4"
    assert one.judge(marked).points == 1, one.judge(marked).reason


def test_a_training_step_on_a_given_model_and_optimizer(bench):
    code = """
def step(net, optimizer, x, y):
    net.train()
    loss = ((net(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
"""
    source = """
net, optimizer = pair(lr=0.2)
x = torch.randn(16, 2)
y = x.sum(1, keepdim=True)
start = error(net, x, y)
first = step(net, optimizer, x, y)  # in place
assert abs(first - start) < 1e-5, f"{first} {start}"
assert net.weight.grad is not None and net.training
for _ in range(60):
    step(net, optimizer, x, y)  # in place
assert error(net, x, y) < 0.05 * start, 'has not learnt'
assert optimizer.state_dict()["state"][0]["step"] == 61
"""
    verdict = bench(code, GIVEN).judge(source)
    assert verdict.points == 1, verdict.reason
    frozen = "net, optimizer = pair()\nfreeze(net)  # in place\n"
    frozen += "assert not net.weight.requires_grad and net.bias.requires_grad and not net.training"
    assert bench("def freeze(net):\n    net.weight.requires_grad_(False)\n    net.eval()", GIVEN).judge(frozen).points == 1
    other = "net = tiny(1)\nf(net)  # in place"
    assert "keep its layers" in bench("def f(net):\n    net.append(torch.nn.Linear(2, 2))", GIVEN).judge(other).reason


def test_given_names_can_not_be_replaced(bench):
    code = """
def answer(step): return 7
def tiny(seed): return torch.nn.Identity()
def accuracy(*args): return 1.0
def steps(number): return list(range(number))
LIMIT = 0
"""
    one = bench(code, GIVEN)
    assert (
        one.judge("assert LIMIT == 10 and accuracy(lambda x: torch.zeros(3), 0) < 0.5 and len(list(tiny(0).parameters())) == 4").points == 1
    )
    assert one.judge("assert steps(2) == [7, 7] and twice_the_steps(1) == [14]").points == 1


def test_labels_stay_with_the_judge(bench):
    """A given function that calls the student's model runs here: its labels never enter the jail."""
    code = "SEEN = []\ndef classify(*args):\n    SEEN.append(args)\n    return torch.tensor([0, 1, 1])\ndef seen():\n    return SEEN"
    source = "assert accuracy(classify, torch.zeros(3)) == 1\nassert len(seen()) == 1 and len(seen()[0]) == 1"
    assert bench(code, GIVEN).judge(source).points == 1


def test_a_gradient_through_the_students_code(bench):
    source = "x = torch.tensor([1.0, 3.0])\nassert torch.allclose(slope(cubes, x), 3 * x**2), 'the gradient is off'"
    assert bench("def cubes(x):\n    return (x**3).sum()", GIVEN).judge(source).points == 1
    assert "does not require grad" in bench("def cubes(x):\n    return (x.detach()**3).sum()", GIVEN).judge(source).reason
    assert bench("def cubes(x):\n    return (x**2).sum()", GIVEN).judge(source).reason == "the gradient is off"


def test_chance_is_seeded(bench):
    one = bench("import random\ndef f():\n    return [random.random(), np.random.rand(), torch.rand(1).item()]")
    assert one.judge("assert f() == f() and len(set(f())) == 3").points == 1
    drawn = "first = np.random.rand()\nnet = tiny(1)\nassert first != np.random.rand(), 'a given function must not seed the check'"
    assert bench("", GIVEN).judge(drawn).points == 1


# -- a whole lecture ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workshop(box, tmp_path_factory):
    """Grade answers to the workshop lecture."""
    of = classes.lecture(NAME)
    for module in of.judge_modules:
        importlib.import_module(module)

    def run(answers, helper="", rest=True, limits=LIMITS):
        path = tmp_path_factory.mktemp("judge") / f"{NAME}.ipynb"
        classes.write(classes.answered(of, {**(classes.right(of) if rest else {}), **answers}, helper), path)
        return grade(path, "anna", of, box, limits=limits)

    return run


def points(report):
    """Check -> points."""
    return {verdict.check: verdict.points for verdict in report.verdicts}


def reason(report, check):
    return next(verdict.reason for verdict in report.verdicts if verdict.check == check)


def test_right_answers_get_everything_twice_the_same(workshop):
    one, two = workshop({}), workshop({})
    assert points(one) == classes.lecture(NAME).checks and not one.look and not one.notes
    assert {**asdict(one), "seconds": 0} == {**asdict(two), "seconds": 0}


def test_no_answer_gets_nothing(workshop):
    report = workshop({}, rest=False)
    assert report.points == 0
    assert "NotImplementedError: Exercise 1.1a" in reason(report, "middle-value") and reason(report, "counter-adds").startswith("`Counter`")


def test_words_come_from_the_visible_part_and_points_from_all(workshop):
    told = "SEEN = []\n\n\ndef middle(values):\n    print('values', list(values))\n    SEEN.append(list(values))\n    return "
    visible = workshop({"middle": told + "float(np.mean(values))", "counter": "print(SEEN)"})
    assert reason(visible, "middle-value") == "expected 2, got 4.0: is this the mean?"
    hidden = workshop({"middle": told + "2.0 if len(values) == 3 else 3.0", "counter": "print(SEEN)"})
    assert reason(hidden, "middle-value") == "the value is off on other numbers"
    text = hidden.to_json() + visible.to_json()
    assert "417.25" not in text and "values [" in text


def test_partial_points_of_a_lecture(workshop):
    report = workshop({"task-of": "def task_of(cases):\n    return ['detection'] * len(cases)"})
    assert points(report)["task-of-parts"] == 2 and reason(report, "task-of-parts") == "Partly right: 2 of 4 points."


def test_helpers_run_before_the_answer_that_needs_them(workshop):
    helper = "def _middle(values):\n    if not len(values):\n        raise ValueError\n    return float(np.median(values))"
    assert workshop({"middle": "def middle(values):\n    return _middle(values)"}, helper).points == 19


def test_what_stops_a_run_costs_its_own_exercise(workshop):
    loop = workshop(
        {"rescale": "def rescale(image):\n    while True:\n        pass"}, limits=Limits(seconds=30, cell_seconds=1, memory=3 * 2**29)
    )
    assert loop.points == 16 and "longer than 1 s" in reason(loop, "rescale-value") and "rescale" in loop.notes[-1]
    gone = workshop(
        {"clip": "import os\n\n\ndef clip(image, high):\n    os.kill(os.getpid(), 11)\n    os._exit(1)", "noisy": "raise SystemExit"}
    )
    assert gone.points == 17 and "ended by itself" in reason(gone, "clip-place")


def test_two_answers_that_stop_the_run(workshop):
    clip = "import os\n" + classes.right(classes.lecture(NAME))["clip"]
    report = workshop({"middle": "import os\nos._exit(0)", "clip": clip, "fit": "def fit(model, x, y):\n    os._exit(0)"})
    assert report.points == 14 and "middle and the answer to fit stopped" in report.notes[-1]


def test_time_is_for_all_tries_together(workshop):
    limits = Limits(seconds=3, cell_seconds=2, memory=3 * 2**29)
    loops = {name: "while True:\n    pass" for name in ("middle", "rescale", "clip", "fit", "predict")}
    report = workshop(loops, limits=limits)
    assert report.seconds < 12 and len(report.verdicts) == 12


def test_magics_do_not_cost_an_answer(workshop):
    right = classes.right(classes.lecture(NAME))
    answers = {
        "middle": "%matplotlib inline\n!pip install nothing\nfiles = !ls\nnp.median?\n" + right["middle"],
        "rescale": "%%time\n" + right["rescale"],
        "clip": "get_ipython().run_line_magic('timeit', '1')\ndisplay(1)\n" + right["clip"],
    }
    assert workshop(answers).points == 19
