"""The application over the sample channel, on one machine: set up once, then served with its worker until it is stopped."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from headrace.cli import application, show
from headrace.cli.app import app
from headrace.engine.findings import Refusal
from headrace.sample import make_sample

if TYPE_CHECKING:
    from headrace.server.demo import SignIn

HOST = "127.0.0.1"
LINES = 20_000
MARKER = "demo.json"
"""In the folder of a demo: its key, its sign-ins, and whether all of it is there."""
STOP_SECONDS_MAX = 60
POLL_SECONDS = 0.2


@app.command(name="demo-app")
def demo_app(
    folder: Annotated[Path, typer.Argument(help="Where it lies; a demo that is there already is used again.")] = Path(
        "demo-app"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help=f"Where to listen, on {HOST} only.")] = 8000,
    lines: Annotated[int, typer.Option(help="How many good activity lines to draw, for a new folder.")] = LINES,
    serve: Annotated[bool, typer.Option(help="Serve it until Ctrl-C, or only set it up.")] = True,
) -> None:
    """Run the web application over the sample channel: set it up in a folder, serve it with its worker, print the sign-ins.

    Everybody and everything in it is made up. It is for this machine only, and its settings ask nobody for a second factor.
    """
    if serve:
        _refuse_taken(port)
    kept = _kept(folder)
    _configure(folder, kept["secret_key"])
    application.start()
    if not kept["ready"]:
        _set_up(folder, kept, lines)
    _show_sign_ins(kept["sign_ins"])
    if serve:
        show.out.print(f"\nOpen [bold cyan]http://{HOST}:{port}/[/]; Ctrl-C ends it. The same command starts it again.")
        _run_together(["serve", "--address", f"{HOST}:{port}", "--workers", "1"], ["worker"])


def _kept(folder: Path) -> dict[str, Any]:
    """Read what an earlier start kept; a demo that was cut off while it was set up is taken away and begun anew."""
    marker = folder / MARKER
    if marker.is_file():
        found: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        if found["ready"]:
            return found
        for name in ("home", "channel"):
            shutil.rmtree(folder / name, ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal("folder_not_empty", f"{folder} is not empty and holds no demo. Name a new folder.")
    begun = {"ready": False, "secret_key": secrets.token_urlsafe(50), "sign_ins": []}
    _keep(folder, begun)
    return begun


def _keep(folder: Path, kept: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    building = folder / f".{MARKER}.tmp"
    building.touch(mode=0o600)
    building.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    building.replace(folder / MARKER)


def _configure(folder: Path, secret_key: str) -> None:
    """Set the environment of this process and its children: the demo's own, whatever it was."""
    from headrace.server.environment import KNOWN

    for name in KNOWN:
        os.environ.pop(name, None)
    os.environ |= {
        "HEADRACE_LOCAL": "1",
        "HEADRACE_HOME": str((folder / "home").absolute()),
        "HEADRACE_SECRET_KEY": secret_key,
        "DJANGO_SETTINGS_MODULE": "headrace.server.demo_settings",
    }


def _set_up(folder: Path, kept: dict[str, Any], lines: int) -> None:
    from headrace.foundation.acts import Actor, acting_as
    from headrace.server import demo

    application.migrate()
    sample = make_sample(folder / "channel", lines=lines)
    everybody = demo.cast()
    with acting_as(Actor(None, "command:demo-app")):
        demo.fill(sample, everybody, say=lambda step: show.out.print(f"Setting up: {step}."))
    kept |= {"ready": True, "sign_ins": [_listed(each) for each in everybody]}
    _keep(folder, kept)


def _listed(each: "SignIn") -> dict[str, str]:
    return {
        "role": each.role.label,
        "organisation": each.organisation,
        "name": each.name,
        "email": each.email,
        "password": each.password,
    }


def _show_sign_ins(sign_ins: list[dict[str, str]]) -> None:
    view = Table(*sign_ins[0], box=box.SIMPLE_HEAD, title="Made-up people, for this machine only", title_justify="left")
    for each in sign_ins:
        view.add_row(*each.values())
    show.out.print(view)
    show.out.print("The demo's settings ask nobody for a second factor. A real installation does.")


def _refuse_taken(port: int) -> None:
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind((HOST, port))
        except OSError as error:
            raise Refusal(
                "port_taken", f"{HOST}:{port} cannot be listened on: {error.strerror}. Name another with --port."
            ) from None


def _run_together(*commands: list[str]) -> None:
    """Run commands of Headrace as processes until this one is told to stop; where one ends by itself, all end, refused."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    start = [sys.executable, "-c", "from headrace.cli import main; main()"]
    # In sessions of their own: a Ctrl-C is for this process alone, which tells each of the others once.
    running = [subprocess.Popen([*start, *words], start_new_session=True) for words in commands]
    while not stop.wait(POLL_SECONDS) and all(each.poll() is None for each in running):
        pass
    ended = [words[0] for words, each in zip(commands, running, strict=True) if each.poll() is not None]
    for each in running:
        each.terminate()
    for each in running:
        try:
            each.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()
    if ended:
        raise Refusal("process_ended", f"{', '.join(ended)} ended by itself; what it printed says why.")
    show.out.print("Stopped.")
