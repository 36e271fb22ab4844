"""What goes into the image: made as the Dockerfile makes it, it is small enough, whole, and answers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.deployed import ROOT, image_environment, stages
from support.serving import a_free_port, wait_until

MOST_BYTES = 150_000_000  # of our own layers
VENV = "/opt/ainp"

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the first stage makes, by its own commands; what installs Debian's packages is left out."""
    if sys.version_info[:2] != (3, 11) or shutil.which("strip") is None:
        pytest.skip("NO IMAGE: it takes Python 3.11 and binutils to make what goes into it")
    folder = tmp_path_factory.mktemp("image")
    venv, build = folder / "ainp", folder / "build"
    build.mkdir()
    subprocess.run([sys.executable, "-m", "venv", folder / "builder"], check=True)
    known = {**os.environ, "PATH": f"{folder / 'builder' / 'bin'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": ""}
    for name, value in stages()[0]:
        if name == "COPY":
            copy(build, *value.split())
        elif name == "RUN" and "apt-get" not in value:
            # What compiles on import is a matter of the image's own time stamps; here as there it is what is imported.
            subprocess.run(["sh", "-ec", value.replace(VENV, str(venv))], cwd=build, env=known, check=True)
    yield venv
    shutil.rmtree(folder)


def copy(build: Path, *sources: str) -> None:
    *found, target = sources
    for source in found:
        place = build / target / (Path(source).name if target.endswith("/") else "")
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)


def test_our_layers_are_small(image: Path) -> None:
    size = sum(file.stat().st_size for file in image.rglob("*") if file.is_file() and not file.is_symlink())

    assert size < MOST_BYTES, f"{size / 1e6:.0f} MB"


def test_nothing_in_it_builds_or_brings_a_database(image: Path) -> None:
    names = {path.name.lower() for path in (image / "lib" / "python3.11" / "site-packages").iterdir()}

    assert not {name for name in names if re.match(r"pip|setuptools|wheel-|hatchling|pixeltable|pgserver|pytest", name)}


def test_every_module_of_ours_can_be_imported(image: Path) -> None:
    script = (
        "import ainp, importlib, pkgutil\n"
        "for module in pkgutil.walk_packages(ainp.__path__, 'ainp.'):\n"
        "    if module.name != 'ainp.__main__': importlib.import_module(module.name)\n"
        "from ainp.adapters.embeddings_local import _embed\n"
        "assert len(_embed(['hello'])[0]) == 256\n"
    )

    subprocess.run([image / "bin" / "python", "-I", "-c", script], check=True)


def test_it_migrates_and_answers(image: Path, empty_database_url: str, tmp_path: Path) -> None:
    port = a_free_port()
    variables = {
        **image_environment(),
        "PATH": f"{image / 'bin'}:/usr/bin:/bin",
        "PORT": str(port),
        "DATABASE_URL": empty_database_url,
        "PUBLIC_BASE_URL": f"http://localhost:{port}",
    }
    subprocess.run(["ainp", "migrate", "up"], env=variables, cwd=tmp_path, check=True)
    with subprocess.Popen(["ainp", "serve"], env=variables, cwd=tmp_path) as process:
        try:
            wait_until(lambda: ready(port))
        finally:
            process.terminate()
            assert process.wait(30) == 0


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
