"""The files of a deployment are valid by their schemas, fit the broker and each other, and hold no secret."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from ainp.http.routes import ROUTES
from ainp.settings import Settings, variable_of
from support.debian import unpacked
from support.deployed import (
    DEPLOY,
    RELEASE,
    ROOT,
    base,
    compose,
    container_of,
    image_check,
    image_environment,
    named,
    of_image,
    overlay,
    pod_of,
    stages,
    variables_asked_for,
)

SETTINGS = {variable_of(name) for name in Settings.model_fields}
OURS = ("migrate", "broker-1", "broker-2", "worker")
WORKLOADS = (("Deployment", "ainp-broker"), ("Deployment", "ainp-worker"), ("Job", "ainp-migrate"))
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"
PATHS = {route.path for route in ROUTES}
_PYTHON = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def test_compose_is_valid() -> None:
    check = Path(sys.executable).parent / "check-jsonschema"

    subprocess.run([check, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"], check=True)


def test_every_service_comes_back_and_says_how_it_is() -> None:
    for name, service in compose()["services"].items():
        assert service["restart"] in ("unless-stopped", "on-failure:5"), name
        assert name == "proxy" or "healthcheck" in service or name in OURS, name
        assert "latest" not in service["image"] or name in OURS, name


def test_compose_has_no_secret_and_asks_for_each() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|KEY|_URL|AUTH", name) and name != "PUBLIC_BASE_URL":
                assert re.search(r"\$\{\w+:\?", str(value)), name

    assert set(variables_asked_for()) == set(made_environment()) - {"SITE", "BIND", "HTTP_PORT", "HTTPS_PORT"}


def test_secrets_that_are_made_are_new_each_time() -> None:
    one, other = made_environment(), made_environment()

    assert {name for name in one if one[name] == other[name]} == {"PUBLIC_BASE_URL"}


def made_environment(*arguments: str) -> dict[str, str]:
    said = subprocess.run(["sh", DEPLOY / "env.sh", *arguments], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def test_what_they_set_are_settings() -> None:
    services = compose()["services"]
    for name in OURS:
        assert set(services[name]["environment"]) <= SETTINGS
    assert set(image_environment()) <= SETTINGS | _PYTHON
    assert set(named(base(), "ConfigMap", "ainp-settings")["data"]) <= SETTINGS
    for kind, name in WORKLOADS:
        assert {each["name"] for each in container_of(named(base(), kind, name)).get("env", ())} <= SETTINGS


@pytest.mark.parametrize("objects", [pytest.param(base(), id="base")])
def test_kubernetes_objects_are_valid(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        kubernetes_validate.validate(each, RELEASE, strict=True)


@pytest.mark.parametrize("name", ["staging", "production"])
def test_overlays_are_valid_and_whole(name: str) -> None:
    objects = overlay(name)
    for each in objects:
        kubernetes_validate.validate(each, RELEASE, strict=True)

    assert {each["metadata"].get("namespace") for each in objects} == {
        "ainp" if name == "production" else "ainp-staging"
    }
    assert not [each for each in objects if each["kind"] == "Secret"]
    assert named(objects, "ConfigMap", "ainp-settings")["data"]["PUBLIC_BASE_URL"].startswith("https://")
    for kind, workload in WORKLOADS:
        assert container_of(named(objects, kind, workload))["image"] == "registry.example/ainp-broker:0.1.0"
        labels = named(objects, kind, workload)["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "ainp"


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_pods_may_as_little_as_they_need(kind: str, name: str) -> None:
    workload = named(base(), kind, name)
    pod, container = pod_of(workload), container_of(workload)
    user, _, group = of_image("USER").partition(":")

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (int(user), int(group))
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"configMapRef": {"name": "ainp-settings"}} in container["envFrom"]
    assert {"secretRef": {"name": "ainp-secrets"}} in container["envFrom"]
    assert container["resources"]["limits"]["memory"]


def test_selectors_and_budgets_and_policies_name_pods_that_there_are() -> None:
    labels = [named(base(), kind, name)["spec"]["template"]["metadata"]["labels"] for kind, name in WORKLOADS]
    for each in base():
        spec = each.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        wanted = selector.get("matchLabels", selector if each["kind"] == "Service" else {})
        if wanted:
            assert [one for one in labels if wanted.items() <= one.items()], each["metadata"]["name"]


def test_probes_ask_what_there_is_and_only_readiness_asks_for_the_database() -> None:
    for name in ("ainp-broker", "ainp-worker"):
        container = container_of(named(base(), "Deployment", name))
        ports = {port["name"] for port in container["ports"]}
        probes = {kind: container[kind] for kind in container if kind.endswith("Probe")}

        assert probes["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert {*PATHS} >= {probe["httpGet"]["path"] for probe in probes.values() if "httpGet" in probe}
        assert all((probe.get("httpGet") or probe["tcpSocket"])["port"] in ports for probe in probes.values())
        assert "health" not in str(probes["livenessProbe"])
        assert pod_of(named(base(), "Deployment", name))["terminationGracePeriodSeconds"] > 15


def test_the_image_is_small_and_nobody_s() -> None:
    last = stages()[-1]
    run = " ".join(value for name, value in last if name == "RUN")

    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", of_image("USER"))
    assert not re.search(r"apt|pip|gcc|curl", run)
    assert [value for name, value in last if name == "COPY"] == ["--from=build /opt/ainp /opt/ainp"]
    assert of_image("CMD") == '["ainp", "serve"]'
    assert "embedded" not in (ROOT / "Dockerfile").read_text()
    assert image_check()[0] == "python"


def test_what_the_image_copies_is_not_left_out() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for stage in stages()
        for name, value in stage
        if name == "COPY" and "--from" not in value
        for source in value.split()[:-1]
    }

    assert copied == kept
    assert all((ROOT / source).exists() for source in copied)


def test_railway_migrates_first_and_waits_until_it_is_ready() -> None:
    railway = json.loads((ROOT / "railway.json").read_text())

    assert railway["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    assert railway["deploy"]["preDeployCommand"] == ["ainp migrate up"]
    assert railway["deploy"]["startCommand"] == "ainp serve"
    assert railway["deploy"]["healthcheckPath"] in PATHS


def test_prometheus_scrapes_what_compose_runs() -> None:
    scraped = re.findall(r'"([a-z0-9-]+):\d+"', (DEPLOY / "prometheus" / "prometheus.yml").read_text())

    assert set(scraped) == set(OURS) - {"migrate"}
    assert set(scraped) <= set(compose()["services"])


def test_the_proxy_s_configuration_is_valid() -> None:
    place = unpacked("caddy", "caddy")
    if place is None:
        pytest.skip("NO CADDY: the proxy's configuration is NOT TESTED")
    command = [str(place / "usr/bin/caddy"), "validate", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    for site in ("http://localhost", "https://broker.example"):
        subprocess.run(command, env={"SITE": site, "HOME": str(place)}, capture_output=True, check=True)

    proxied = re.findall(r"(\S+):8080", CADDYFILE.read_text())
    assert proxied == [name for name in compose()["services"] if name.startswith("broker-")]
