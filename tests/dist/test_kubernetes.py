"""The manifests for Kubernetes: each is valid by the schemas of Kubernetes, they agree with each other, and with the program and its image.

Categories: valid, alone and together · restricted · as the program has it · the job, run.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

from livelog import config
from livelog.operate.monitoring import PATHS
from tests.harness import TOKEN
from tests.integration.servers import running

from .artefacts import ROOT, TIMEOUT, VERSION, built, run

FOLDER = ROOT / "packaging/kubernetes"
WRITE_TOKEN = "the-producers-own"

WITHOUT_SCHEMA = {"Kustomization", "ServiceMonitor"}
"""Kinds that Kubernetes itself does not have."""


def documents(path: Path) -> Iterator[dict[str, Any]]:
    for document in yaml.safe_load_all(path.read_text()):
        assert isinstance(document, dict), path
        yield document


def one(kind: str, file: str) -> dict[str, Any]:
    """The only document of its kind in a file."""
    (found,) = (document for document in documents(FOLDER / file) if document["kind"] == kind)
    return found


def files() -> list[Path]:
    return sorted(FOLDER.rglob("*.yaml"))


# Valid.


def test_each_manifest_is_valid_by_the_schemas_of_kubernetes() -> None:
    whole = [path for path in files() if path.name not in ("kustomization.yaml", "patch.yaml", "servicemonitor.yaml")]
    assert len(whole) >= 6
    told = run(Path(sys.executable).parent / "kubernetes-validate", "--strict", *whole)
    assert "WARN" not in told
    assert told.count("passed for resource") == sum(len(list(documents(path))) for path in whole)
    assert {
        document["kind"] for path in files() if path not in whole for document in documents(path)
    } == WITHOUT_SCHEMA | {"StatefulSet"}


@pytest.mark.parametrize("folder", ["base", "overlays/example"])
def test_kustomization_names_what_is_there_and_all_of_it(folder: str) -> None:
    here = FOLDER / folder
    (kustomization,) = documents(here / "kustomization.yaml")
    named = [here / name for name in kustomization["resources"]] + [
        here / patch["path"] for patch in kustomization.get("patches", ())
    ]
    assert all(path.exists() for path in named)
    assert {path.name for path in here.glob("*.yaml")} - {"kustomization.yaml"} == {
        path.name for path in named if path.is_file()
    }
    for generator in kustomization.get("secretGenerator", ()):
        assert all((here / f"{name}.example").exists() for name in generator["envs"])


def test_patch_changes_what_the_base_has() -> None:
    """The same kind, name and container; else nothing would come of it."""
    patch, base = one("StatefulSet", "overlays/example/patch.yaml"), server()
    assert patch["metadata"]["name"] == base["metadata"]["name"]
    assert [container["name"] for container in patch["spec"]["template"]["spec"]["containers"]] == [
        container_of(base)["name"]
    ]


def server() -> dict[str, Any]:
    return one("StatefulSet", "base/statefulset.yaml")


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def test_services_policy_and_monitor_select_the_servers_pods_and_ports() -> None:
    labels = server()["spec"]["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container_of(server())["ports"]}
    services = {document["metadata"]["name"]: document for document in documents(FOLDER / "base/services.yaml")}
    for name, service in services.items():
        assert service["spec"]["selector"].items() <= labels
        (port,) = service["spec"]["ports"]
        assert ports[port["targetPort"]] == port["port"], name
    assert server()["spec"]["serviceName"] in services
    policy = one("NetworkPolicy", "base/networkpolicy.yaml")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == set(ports)
    (unguarded,) = (rule for rule in policy["ingress"] if "from" not in rule)
    assert [port["port"] for port in unguarded["ports"]] == ["readers"]
    monitor = one("ServiceMonitor", "overlays/example/servicemonitor.yaml")["spec"]
    (selected,) = (
        one
        for one in services.values()
        if monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    )
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] == selected["spec"]["ports"][0]["name"]
    assert endpoint["path"] in PATHS


# Restricted.


@pytest.mark.parametrize("file", ["base/statefulset.yaml", "job/job.yaml"])
def test_pods_keep_to_the_restricted_standard(file: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and a root that is read-only."""
    (workload,) = documents(FOLDER / file)
    pod = workload["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert not any("hostPort" in port for port in container.get("ports", ()))
    kinds = {kind for volume in pod.get("volumes", ()) for kind in volume if kind != "name"}
    assert kinds <= {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }


def test_namespace_of_the_example_enforces_it() -> None:
    labels = one("Namespace", "overlays/example/namespace.yaml")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    (kustomization,) = documents(FOLDER / "overlays/example/kustomization.yaml")
    assert kustomization["namespace"] == one("Namespace", "overlays/example/namespace.yaml")["metadata"]["name"]


# As the program has it.


def image_config() -> dict[str, Any]:
    """What the image says of itself."""
    with tarfile.open(built("livelog-image-VERSION.docker.tar")) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        found = archive.extractfile(json.load(manifest)[0]["Config"])
        assert found is not None
        settings: dict[str, Any] = json.load(found)["config"]
    return settings


def test_server_of_the_manifests_is_one_that_starts_and_serves_as_they_say() -> None:
    """Its settings, from the image, the manifest and the patch, read by the program; the image's user, ports and volume."""
    image, container, pod = image_config(), container_of(server()), server()["spec"]["template"]["spec"]
    secrets = {
        name
        for name, _ in (
            line.split("=") for line in (FOLDER / "overlays/example/secrets.env.example").read_text().split()
        )
    }
    variables = dict(pair.split("=", 1) for pair in image["Env"]) | {name: f"secret-{name}" for name in secrets}
    known = {
        name for setting in config.Settings.__dataclass_fields__.values() for name in [setting.metadata["variable"]]
    }
    for source in (container, container_of(one("StatefulSet", "overlays/example/patch.yaml"))):
        given = {variable["name"]: variable["value"] for variable in source["env"]}
        assert given.keys() <= known
        settings = config.load(variables | given, {})
        assert settings.put_port == next(
            port["containerPort"] for port in container["ports"] if port["name"] == "producers"
        )
        assert settings.get_port == next(
            port["containerPort"] for port in container["ports"] if port["name"] == "readers"
        )
        assert (
            [mount["mountPath"] for mount in container["volumeMounts"]] == [settings.data_dir] == list(image["Volumes"])
        )
        assert pod["terminationGracePeriodSeconds"] > settings.shutdown_timeout + 6
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user == image["User"]
    assert {
        container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    } <= PATHS
    assert {claim["metadata"]["name"] for claim in server()["spec"]["volumeClaimTemplates"]} == {"logs"}


def test_manifests_and_documents_name_this_version_of_the_image() -> None:
    job = one("Job", "job/job.yaml")["spec"]["template"]["spec"]
    (kustomization,) = documents(FOLDER / "overlays/example/kustomization.yaml")
    assert container_of(server())["image"] == f"livelog:{VERSION}"
    assert [volume["image"]["reference"] for volume in job["volumes"] if "image" in volume] == [f"livelog:{VERSION}"]
    assert [image["newTag"] for image in kustomization["images"]] == [VERSION]
    for document in (ROOT / "docs/install.md", ROOT / "packaging/image/Containerfile"):
        assert set(re.findall(r"(?:livelog:|VERSION=|livelog-image-)([0-9][0-9.]*[0-9])", document.read_text())) == {
            VERSION
        }, document


# The job.


def test_job_shows_its_output_and_sends_it_as_its_manifest_says(tmp_path: Path) -> None:
    """Its command and its variables, with the address of a server here, run without any others; `sleep` is short."""
    job = one("Job", "job/job.yaml")["spec"]["template"]
    container = container_of({"spec": {"template": job}})
    mount = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    services = {
        f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
        for service in documents(FOLDER / "base/services.yaml")
    }
    values = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    assert values["LIVELOG_SERVER"] in services
    assert job["metadata"]["labels"]["livelog-producer"] == "true"
    with running({"LIVELOG_PUT_HOST": "0.0.0.0", "LIVELOG_WRITE_TOKEN": WRITE_TOKEN}) as here:
        values |= {
            "POD_NAME": "nightly-x7k2p",
            "LIVELOG_WRITE_TOKEN": WRITE_TOKEN,
            "LIVELOG_SERVER": f"http://127.0.0.1:{here.put.port}",
        }
        values["LIVELOG_SPOOL_DIR"] = str(tmp_path)
        words = [
            word.replace("$(POD_NAME)", values["POD_NAME"]) for word in (*container["command"], *container["args"])
        ]
        program = words[0].removeprefix(mount["livelog"])
        assert program == image_config()["Entrypoint"][-1]
        words = [str(built("livelog")), *words[1:-1], words[-1].replace("sleep 60", "sleep 0.01")]
        done = subprocess.run(words, env={"PATH": os.environ["PATH"], **values}, capture_output=True, timeout=TIMEOUT)
        assert (done.returncode, done.stdout) == (0, b"compiling ...\ndone\n"), done.stderr
        reader = {
            "ACCESS_TOKEN": TOKEN,
            "LIVELOG_PUBLIC_URL": f"http://127.0.0.1:{here.get.port}",
            "HOME": str(tmp_path),
        }
        told = subprocess.run(
            [built("livelog"), "tail", "jobs/nightly-x7k2p"], env=reader, capture_output=True, timeout=TIMEOUT
        )
        assert (told.returncode, told.stdout) == (0, b"compiling ...\ndone\n"), told.stderr
