"""What the files of `deploy/` say: images, commands, users, environment, probes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
RELEASE = "1.31"  # of Kubernetes, whose schemas they are held against


def compose() -> dict[str, Any]:
    """compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def base() -> list[dict[str, Any]]:
    """Every object of the base."""
    files = sorted((KUBERNETES / "base").glob("*.yaml"))
    return [
        each for file in files if file.name != "kustomization.yaml" for each in yaml.safe_load_all(file.read_text())
    ]


def overlay(name: str) -> list[dict[str, Any]]:
    """Every object of an overlay as kustomize makes it; the test is skipped where there is no kustomize."""
    commands = [[kubectl, "kustomize"] for kubectl in [shutil.which("kubectl")] if kubectl]
    commands += [[kustomize, "build"] for kustomize in [shutil.which("kustomize")] if kustomize]
    if not commands:
        pytest.skip("NO KUSTOMIZE: the overlays are NOT TESTED; install kubectl")
    done = subprocess.run([*commands[0], KUBERNETES / "overlays" / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """One of them."""
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    """What a Deployment or a Job runs."""
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    [found] = pod_of(workload)["containers"]
    assert isinstance(found, dict)
    return found


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's stages, each a list of instructions."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()))
    instructions = [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]
    found: list[list[tuple[str, str]]] = []
    for name, value in instructions:
        if name == "FROM":
            found.append([])
        found[-1].append((name, value))
    return found


def of_image(instruction: str) -> str:
    """What the last stage says by an instruction."""
    return [value for name, value in stages()[-1] if name == instruction][-1]


def image_environment() -> dict[str, str]:
    """The variables of the image, but for the path."""
    pairs = (pair.partition("=") for pair in of_image("ENV").split())
    return {name: value for name, _, value in pairs if name != "PATH"}


def image_check() -> list[str]:
    """The command of its HEALTHCHECK."""
    found: list[str] = json.loads(of_image("HEALTHCHECK").partition(" CMD ")[2])
    return found


def filled(value: str, environment: dict[str, str]) -> str:
    """A value of compose.yaml as compose fills it in."""

    def known(found: re.Match[str]) -> str:
        return environment.get(found[1]) or (found[3] or "" if found[2] == ":-" else _missing(found[1]))

    return re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", known, value).replace("$$", "$")


def _missing(name: str) -> str:
    raise AssertionError(f"{name} is not set, and compose would not start")


def variables_asked_for() -> Iterator[str]:
    """Every variable that compose.yaml insists on."""
    yield from dict.fromkeys(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
