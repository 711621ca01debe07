"""A real JupyterLab and a real Chromium, for tests that look at labs as a learner does.

`lab` opens notebooks; what it returns has the page and waits for counters, never for time.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "browser-tests"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WAIT = 60_000  # ms; generous for two busy cores, and never slept through


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: its address, the folder it serves, its settings and kernels."""

    url: str
    folder: Path
    settings: Path
    kernels: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a port of its own, with no settings, extensions or files of the user."""
    home = tmp_path_factory.mktemp("jupyter")
    folder = tmp_path_factory.mktemp("notebooks")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",  # or a test may drive somebody else's server
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, home / "log")
            yield Server(url, folder, settings, home / "data" / "kernels")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + WAIT / 1000
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start. Its log ends with:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def kernel6(server: Server) -> str:
    """The name of a kernel with ipykernel 6 in place of 7, installed once beside the package."""
    place = ROOT / ".kernel6"
    if not (place / "ipykernel").is_dir():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
        subprocess.run([*pip, "--target", str(place), "ipykernel<7"], check=True)
    folder = server.kernels / "ipykernel6"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "ipykernel 6",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder.name


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("The browser tests need Chromium: install it with `apt-get install chromium`.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield chromium
        chromium.close()


class Notebook:
    """One notebook open in JupyterLab; `page` is Playwright's."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))

    def run(self) -> None:
        """Run every cell, wait until the kernel has finished them, fail if one raised."""
        self.command("notebook:run-all-cells")
        raised = self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.widgets.filter((cell) => cell.model.type === "code");
                const outputs = cells.flatMap((cell) => cell.model.outputs.toJSON());
                const errors = outputs.filter((output) => output.output_type === "error");
                if (errors.length) return errors[0].traceback.join("\\n");
                const done = cells.every((cell) => cell.model.executionCount !== null
                                                && cell.model.executionState !== "running");
                return done ? "none" : false;
            }""",
            timeout=WAIT,
        ).json_value()
        assert raised == "none", raised

    def run_code(self, code: str) -> str:
        """Run `code` in the notebook's kernel beside its cells; return what it printed."""
        printed: str = self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({ code, store_history: false });
                let text = "";
                future.onIOPub = (message) => {
                    if (message.header.msg_type === "stream") text += message.content.text;
                    if (message.header.msg_type === "error") {
                        text += message.content.traceback.join("\\n");
                    }
                };
                await future.done;
                return text;
            }""",
            code,
        )
        return printed

    def command(self, name: str, **arguments: object) -> None:
        """Run a command of JupyterLab, such as "docmanager:save", and wait for it."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme to "light" or "dark"."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.title()}")
        light = "true" if name == "light" else "false"
        self.page.wait_for_selector(
            f'body[data-jp-theme-light="{light}"]', state="attached", timeout=WAIT
        )
        # JupyterLab's splash fades for a moment, and cannot bear another change of theme before.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=WAIT)

    def wait(self, script: str, argument: object = None) -> None:
        """Wait until the JavaScript function `script` returns something true."""
        self.page.wait_for_function(script, arg=argument, timeout=WAIT)

    def reload(self) -> None:
        """Save the notebook, load the page again and wait for the notebook."""
        self.command("docmanager:save")
        self.page.reload()
        self.ready()

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel is connected and idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=WAIT)
        self.wait(
            """() => {
                const session = window.jupyterapp?.shell.currentWidget?.sessionContext?.session;
                return session?.kernel?.connectionStatus === "connected"
                    && session.kernel.status === "idle";
            }"""
        )


OpenNotebook = Callable[..., Notebook]


@pytest.fixture
def lab(server: Server, browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Return a function that writes cells into a notebook and opens it at 1280 x 720.

    ``lab("x = 1", "x", kernel="python3", density=1)`` opens a notebook of two code cells;
    ``lab(path=...)`` opens a copy of a notebook from disk.
    """
    contexts = []

    def open_notebook(
        *cells: str, path: Path | None = None, kernel: str = "python3", density: float = 1
    ) -> Notebook:
        name = f"{request.node.name.translate(str.maketrans('[]/', '---'))}-{len(contexts)}.ipynb"
        if path is None:
            notebook = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": kernel, "display_name": kernel}},
            )
            nbformat.write(notebook, server.folder / name)
        else:
            shutil.copy(path, server.folder / name)
        # JupyterLab remembers the theme: every notebook begins in the light one.
        (server.settings / "themes.jupyterlab-settings").unlink(missing_ok=True)
        context = browser.new_context(
            viewport={"width": 1280, "height": 720}, device_scale_factor=density
        )
        contexts.append(context)
        notebook_page = Notebook(context.new_page())
        notebook_page.page.goto(f"{server.url}/lab/tree/{name}?token={TOKEN}&reset")
        notebook_page.ready()
        return notebook_page

    yield open_notebook
    for context in contexts:
        for page in context.pages:
            page.evaluate(
                """async () => {
                    await window.jupyterapp?.serviceManager.sessions.shutdownAll();
                }"""
            )
        context.close()
