"""No answer changes what it is compared with: inputs, models and functions that the course gives stay the judge's own."""

import pytest

from grading.marking.given import Given

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
def test_an_input_that_changes(bench, value, spoil):
    """Where the check says so, the change is there; elsewhere the check must hold with the change and without it."""
    one = bench(f"def f(x):\n    {spoil}\n    return x")
    start = f"x = {value}\nbefore = str(x)\n"
    for shown in (True, False):
        assert one.judge(f"{start}f(x)\nassert str(x) == before, 'changed'", shown=shown).reason == "changed"
        assert one.judge(f"{start}f(x)  # in place\nassert str(x) == before, 'changed'", shown=shown).reason == "changed"
        assert one.judge(f"{start}f(\n    x,\n)  # in place: on purpose\nassert str(x) != before", shown=shown).points == 1
    assert one.judge(f"{start}f(x)\nassert str(x) != before, 'as it was'", shown=False).reason == "as it was", "without the mark, both ways"
    looped = "for _ in range(2):  # in place of a while\n    f(x)\nassert str(x) != before, 'as it was'"
    assert one.judge(start + looped, shown=False).reason == "as it was", "the mark stands on the line of the call"


def test_a_truth_computed_after_the_call_is_the_truth(bench):
    cheat = "def double(x):\n    x[...] = 0\n    return x"
    source = "x = np.arange(3.0)\ngot = double(x)\nassert np.allclose(got, 2 * x), 'off'"
    assert bench(cheat).judge(source, shown=False).reason == "off"
    assert bench("def double(x):\n    return 2 * x").judge(source, shown=False).points == 1
    careless = "def double(x):\n    result = 2 * x\n    x.sort()\n    return result"
    assert bench(careless).judge(source, shown=False).points == 1, "right both ways"


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
    assert one.judge("assert LIMIT == 10 and accuracy(lambda x: torch.zeros(3), 0) < 0.5 and len(list(tiny(0).parameters())) == 4").points == 1
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
