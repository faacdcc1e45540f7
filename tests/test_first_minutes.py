"""The first minutes are measured on what `make lab` really does, and what is recorded keeps to the promise; the measuring itself wants a network."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from grading.measuring import first_minutes, measured, readme
from grading.sources import ROOT

WARM_SECONDS = 6  # of processor, that the set-up cell may take once it has run before

ONCE = {
    **{"date": "2026-01-01", "lecture": "01_course_overview", "processors": 2, "load": 0.4, "python": "3.11", "packages": 190, "disk_gb": 6.1},
    **{
        "seconds": 200.0,
        "warm_setup_seconds": 3.2,
        "warm_setup_cpu_seconds": 2.8,
        "warm_torch_seconds": 2.1,
        "steps": [{"what": "git clone", "seconds": 1.25}],
    },
}


def test_every_step_is_one_that_make_lab_does_in_this_order():
    lines = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if line.startswith("\t")]
    found = [next(number for number, line in enumerate(lines) if mark in line) for mark, _ in first_minutes.RECIPE]
    assert found == sorted(found) and len(set(found)) == len(found)
    for mark, _ in first_minutes.RECIPE[:-1]:
        assert sum(mark in line for line in lines[: found[-1]]) == 1, f"'{mark}' names more than one step"


def test_each_second_is_told():
    told = readme.minutes_table({"first_minutes": ONCE})
    assert (
        "| git clone | 1.2 s |" in told
        and "| together | 200 s |" in told
        and "take 3.2 s (2.8 s of processor); the import of torch alone 2.1 s" in told
    )
    assert "not recorded" in readme.minutes_table({"first_minutes": {}})


def test_what_is_recorded_adds_up_and_is_quick_enough():
    once = measured.load()["first_minutes"] or ONCE
    assert once is ONCE or abs(sum(step["seconds"] for step in once["steps"]) - once["seconds"]) < 1
    assert once["warm_setup_cpu_seconds"] < WARM_SECONDS, "the set-up cell is too slow: what does it import?"


def test_a_server_is_waited_for_until_it_answers(tmp_path):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.headers["Authorization"] == "token t" else 403)
            self.end_headers()
            self.wfile.write(b'{"started": "now"}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "jpserver-1.json").write_text("{")  # half written
    (tmp_path / "jpserver-2.json").write_text(f'{{"url": "http://127.0.0.1:{server.server_port}/", "token": "t"}}')
    assert first_minutes._server(tmp_path)["token"] == "t"
    server.shutdown()
