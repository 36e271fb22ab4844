"""A broker for as long as the demo takes: a process of its own, in a folder that nothing else uses."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import msgspec

from ainp.cli.signals import TO_STOP
from ainp.settings import Settings, variable_of
from ainp.store.embedded import EmbeddedPostgres
from ainp.store.postgres_home import cluster_of, name_of, sockets_of
from ainp.store.postgres_processes import signal_processes

_SERVE = (sys.executable, "-P", "-m", "ainp", "serve")  # -P: a folder named `ainp` where it is started is not ours
_STARTED = "AINP Broker started"
_START_S = 60.0  # initdb on a busy machine
_STOP_S = 20.0
_REMOVE_S = 10.0
_LOOK_EVERY_S = 0.02
_INTERRUPTS = (*TO_STOP, signal.SIGHUP)  # the last one: the terminal was closed
_SHOWN_LINES = 5


_Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class NotStarted(Exception):
    """The broker did not come up; the message has what it said."""


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """A running broker, all of it in *folder*."""

    folder: Path
    url: str
    database_url: str

    @property
    def data_dir(self) -> Path:
        """Where its database is."""
        return self.folder / "data"


@contextmanager
def a_broker(environment: Mapping[str, str], *, keep: bool) -> Iterator[DemoBroker]:
    """Run `ainp serve` with these settings and no others; afterwards nothing of it is left, unless it is to be kept."""
    were = {number: signal.getsignal(number) for number in _INTERRUPTS}
    noted: list[int] = []  # while folder and process are made, so that none is made and not known
    _on_signals(lambda number, _: noted.append(number))
    folder = Path(tempfile.mkdtemp(prefix="ainp-demo-")).resolve()
    try:
        if os.geteuid() == 0:
            folder.chmod(0o711)  # PostgreSQL runs as somebody else then, and has to come through
        yield from _running(folder, _environment(folder, environment), noted)
    finally:
        _on_signals(signal.SIG_IGN)  # what follows takes a moment and is not to be left half-done
        if not keep:
            _remove(folder)
        for number, handler in were.items():
            signal.signal(number, handler)


def _running(folder: Path, environment: Mapping[str, str], noted: list[int]) -> Iterator[DemoBroker]:
    log = folder / "broker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            _SERVE,
            cwd=folder,  # no .env is there
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which ends the broker in its turn
        )
    try:
        port = _port_of(process, log, noted)
        _on_signals(signal.default_int_handler)
        _raise_if(noted)
        yield DemoBroker(folder, f"http://127.0.0.1:{port}", EmbeddedPostgres(folder / "data").dsn)
    finally:
        _on_signals(signal.SIG_IGN)
        _end(process, folder / "data")


def _environment(folder: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """What this process has, without any setting of a broker, and the demo's own."""
    settings = {variable_of(name) for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in settings}
    return inherited | {"PORT": "0", "AINP_DATA_DIR": str(folder / "data"), **wanted}


def _on_signals(handler: _Handler) -> None:
    for number in _INTERRUPTS:
        signal.signal(number, handler)


def _raise_if(noted: list[int]) -> None:
    if noted:
        raise KeyboardInterrupt


def _port_of(process: "subprocess.Popen[bytes]", log: Path, noted: list[int]) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        _raise_if(noted)
        ended = process.poll() is not None
        for line in _lines(log):
            if line.get("message", "").startswith(_STARTED):
                return int(line["port"])
        if ended:
            break
        time.sleep(_LOOK_EVERY_S)
    how = f"within {_START_S:.0f} s" if process.returncode is None else f"and ended with {process.returncode}"
    said = [" ".join(filter(None, (line.get("message"), line.get("error")))) for line in _lines(log)]
    raise NotStarted("\n  ".join([f"the broker did not start {how}; it said:", *said[-_SHOWN_LINES:]]))


def _lines(log: Path) -> Iterator[dict[str, str]]:
    for line in log.read_text(errors="replace").splitlines(keepends=True):
        if line.endswith("\n"):
            try:
                yield {name: str(value) for name, value in msgspec.json.decode(line, type=dict[str, object]).items()}
            except msgspec.MsgspecError:  # what was said before there was a log
                yield {"message": line.strip()}


def _end(process: "subprocess.Popen[bytes]", data_dir: Path) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        signal_processes(cluster_of(data_dir), name_of(data_dir), signal.SIGKILL)


def _remove(folder: Path) -> None:
    data_dir = folder / "data"
    for elsewhere in (sockets_of(data_dir), cluster_of(data_dir).parent):
        if not elsewhere.is_relative_to(folder):  # the path is too long for a socket, or PostgreSQL may not enter it
            _remove_one(elsewhere)
    _remove_one(folder)


def _remove_one(folder: Path) -> None:
    """Remove a folder in which the making of a database may come to its end just now."""
    deadline = time.monotonic() + _REMOVE_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_EVERY_S)
