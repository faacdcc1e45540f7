"""JupyterLab as a student has it, in a headless Chromium: open a notebook, run cells, move sliders, press buttons, read what is shown."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
from playwright.sync_api import Locator, Page

from grading.authoring.release import released_text
from grading.measuring.execute import environment
from grading.sources import grade_id, is_solution, source_path

START_SECONDS, CELL_SECONDS = 120, 600


def notebook_for(lecture: str, answers: dict[str, str], folder: Path) -> Path:
    """Write the released notebook with some answers and profile ci, as a student's file in `folder`."""
    notebook = nbformat.reads(released_text(lecture), as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source, changed = re.subn(r'^PROFILE = "laptop"', 'PROFILE = "ci"', cell.source, flags=re.M)
            assert changed == 1
        if is_solution(cell):
            cell.source = answers.get(grade_id(cell), cell.source)
    path = folder / f"{source_path(lecture).stem}.ipynb"
    nbformat.write(notebook, path)
    return path


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A JupyterLab server on `folder` and its address; settings, caches and runtime files live in hidden folders of it."""
    home = folder / ".jupyter"
    runtime = home / "runtime"
    runtime.mkdir(parents=True)
    saving = home / "settings" / "@jupyterlab" / "docmanager-extension" / "plugin.jupyterlab-settings"
    saving.parent.mkdir(parents=True)
    saving.write_text('{"autosave": false}', encoding="utf-8")  # one that meets the save of `Lab.close` opens a dialog, which nobody answers
    with environment(folder=home):
        variables = os.environ | {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    variables["DLMIA_QUIZ"] = str(home / "quiz")  # not this user's own progress
    words = ["--no-browser", "--ip=127.0.0.1", "--port=0", f"--notebook-dir={folder}", "--allow-root", "--LabApp.expose_app_in_browser=True"]
    words += ["--IdentityProvider.token=", f"--LabApp.user_settings_dir={home / 'settings'}", f"--LabApp.workspaces_dir={home / 'workspaces'}"]
    with (home / "server.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", *words], env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _address(server, runtime, home / "server.log")
        finally:
            for process in [*psutil.Process(server.pid).children(recursive=True), server]:  # kernels first, which the server would wait for
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            server.wait()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Where the server listens, as soon as it says so."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            text = path.read_text(encoding="utf-8")
            if text.endswith("}") or text.endswith("}\n"):
                return json.loads(text)["url"].rstrip("/")
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text(encoding='utf-8')[-2000:]}")


class Lab:
    """One browser page with one notebook at a time."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        page.set_default_timeout(START_SECONDS * 1000)
        page.set_viewport_size({"width": 1280, "height": 900})

    def open(self, name: str, theme: str = "JupyterLab Light") -> None:
        """Open a notebook alone in the window, and wait for its kernel."""
        self.page.goto(f"{self.address}/lab/tree/{name}?reset")
        self.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady")
        self.page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'")
        if self.page.locator("#jp-left-stack").is_visible():
            self.page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)

    def cells(self) -> list[str]:
        """The ids of the code cells, in order."""
        return self.page.evaluate(f"{_CELLS}.filter(c => c.model.type === 'code').map(c => c.model.id)")

    def run(self, cell: str) -> dict | None:
        """Run one code cell to its end, as Ctrl-Enter does; its error as {"ename", "evalue"}, or None."""
        self.page.set_default_timeout(CELL_SECONDS * 1000)
        self._wait(
            """async id => {
            const book = jupyterapp.shell.currentWidget.content;
            book.activeCellIndex = book.widgets.findIndex(c => c.model.id === id);
            await jupyterapp.commands.execute('notebook:run-cell');
        }""",
            cell,
        )
        return next((output for output in self.outputs(cell) if output["output_type"] == "error"), None)

    def outputs(self, cell: str) -> list[dict]:
        """What a cell holds as outputs, without the bytes of pictures."""
        return self.page.evaluate(
            f"""id => {_CELLS}.find(c => c.model.id === id).model.sharedModel.toJSON().outputs.map(
            o => ({{...o, data: Object.fromEntries(Object.entries(o.data ?? {{}}).map(([k, v]) => [k, k.startsWith('image/') ? '' : v]))}}))""",
            cell,
        )

    def show(self, cell: str, align: str = "start") -> Locator:
        """Scroll so that a cell's start or end is seen; its element."""
        self.page.evaluate(
            """async ([id, align]) => {
            const book = jupyterapp.shell.currentWidget.content;
            const index = book.widgets.findIndex(c => c.model.id === id);
            book.activeCellIndex = index;
            await book.scrollToItem(index, align);
        }""",
            [cell, align],
        )
        index = self.page.evaluate(f"id => {_CELLS}.findIndex(c => c.model.id === id)", cell)
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def write(self, cell: str, text: str) -> None:
        """Put another text into a cell."""
        self.page.evaluate(f"([id, text]) => {_CELLS}.find(c => c.model.id === id).model.sharedModel.setSource(text)", [cell, text])

    def close(self) -> None:
        """Save, stop the kernel, and close the page."""
        self._wait("() => jupyterapp.commands.execute('docmanager:save')")
        self._wait("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()

    def _wait(self, action: str, argument: str = "") -> None:
        """Run a script to its end, for which Playwright would wait without end: a dialog that nobody expected is told instead."""
        self.page.evaluate(
            f"""([argument, seconds]) => Promise.race([({action})(argument), new Promise((_, fail) => setTimeout(() => fail(new Error(
            `no end after ${{seconds}} s; JupyterLab says: ${{document.querySelector('.jp-Dialog')?.innerText ?? 'nothing'}}`)), 1000 * seconds))])""",
            [argument, CELL_SECONDS],
        )


_CELLS = "jupyterapp.shell.currentWidget.content.widgets"
