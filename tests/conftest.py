"""What every test has: one thread, no network, the environment's programs on the path; and a made-up lecture to break on purpose."""

import os
import socket
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "agg"
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # nbgrader calls a bare `alembic`
for _name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"):
    os.environ[_name] = os.environ[_name.upper()] = "http://127.0.0.1:9"  # nobody listens: child processes stay offline too
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"

import pytest  # noqa: E402

from grading import sources  # noqa: E402
from tests.chromium import CHROMIUM  # noqa: E402
from tests.gauge import NOMINAL_SECONDS, workload  # noqa: E402

# What runs submissions in a jail needs Linux. Elsewhere these files are left out, and the first lines of the run say so.
JAILED = [
    *("challenge", "classroom", "exam", "forged_given", "given", "guide", "job", "judge", "marking", "no_jail", "ordinary_user", "red_team"),
    *("sandbox", "sandbox_parts", "whole_class", "whole_term"),
]
collect_ignore = [] if sys.platform == "linux" else [f"test_{name}.py" for name in JAILED]

# What opens pages wants a Chromium. Where there is none these files are left out, and the first lines of the run say so.
BROWSED = ["lab", "site_in_browser"]
collect_ignore += [] if CHROMIUM else [f"test_{name}.py" for name in BROWSED]

FIXTURES = Path(__file__).with_name("fixtures")
MADE_UP_POINTS = {"1.1": "A robust background", "1.2": "Two readers"}


def pytest_report_header():
    """What is not tested here, and why."""
    said = []
    if sys.platform != "linux":
        said.append(f"Grading in a jail needs Linux, so {', '.join(JAILED)} are left out here: run them in WSL 2 or in a container.")
    if not CHROMIUM:
        said.append(f"No Chromium is here, so {', '.join(BROWSED)} are left out: `apt install chromium`.")
    return said


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A test that reaches for another machine fails, and says so."""
    connect = socket.socket.connect

    def local_only(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1", ""):
            raise OSError(f"the tests run without a network, but something connects to {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def box():
    """A warm fork server in its jail, for all tests that want a student's process."""
    from grading.sandbox import Sandbox

    with Sandbox(["numpy", "torch", "torch._dynamo"]) as box:
        yield box.wait()


@pytest.fixture(scope="session")
def small_site(tmp_path_factory):
    """The site of the made-up lecture with a recorded run, and of everything that is no lecture. See `site_fixtures.Site`."""
    from grading.site import build
    from tests.site_fixtures import Site, executed, record

    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.syllabus()["lectures"], "98_made_up", MADE_UP_POINTS)
        record(folder / "runs", executed(FIXTURES / "98_made_up.py"))
        site = Site(folder / "site", build(folder / "site", [str(FIXTURES / "98_made_up.py")], folder / "runs"))
    return site  # other tests must not meet the made-up lecture in the syllabus


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium for the tests of one file, each of which opens a context of its own.

    It ends with the file: while it lives, Playwright's event loop counts as running, which other files' notebooks would stumble over.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root, as in a container, has no namespaces for Chromium's sandbox; what is opened here is the course's own.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def bench(box):
    """Make a student's process with some code in it, and a judge for it; it ends with the test. See `classes.Bench`."""
    from tests.classes import Bench

    made = []

    def make(code, given=""):
        made.append(Bench(box, code, given))
        return made[-1]

    yield make
    for each in made:
        each.process.close()


@pytest.fixture
def made_up(monkeypatch):
    """Path of a small, sound lecture source that the syllabus knows for the time of a test; its answers lie in fixtures/answers."""
    monkeypatch.setitem(sources.syllabus()["lectures"], "98_made_up", MADE_UP_POINTS)
    return FIXTURES / "98_made_up.py"


@pytest.fixture(scope="session")
def slowness():
    """How many times slower than the reference machine this one is as the tests begin; at least 1. What may wait waits so much longer."""
    workload()  # the first time also imports and warms
    return max(1.0, sorted(workload() for _ in range(3))[1] / NOMINAL_SECONDS)
