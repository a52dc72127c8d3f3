"""Components in processes of their own, placed there by configuration only."""
import signal
import subprocess

import pytest

from cluster import Maker
from conftest import TROUPE, eventually

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@pytest.fixture
def machines(tmp_path):
    maker = Maker(tmp_path)
    yield maker
    maker.close()


def pods(plane, phase):
    return [p for p in plane.get("/api/v1/namespaces/default/pods")["items"] if p["status"].get("phase") == phase]


def test_store_scheduler_controllers_and_nodes_are_processes(machines):
    plane = machines.plane(extra=["--set", "components=store", "--set", "components=api_server"])
    scheduler = machines.component(plane, "scheduler")
    managers = [machines.component(plane, "controller_manager", f"manager-{i}") for i in range(2)]
    node = machines.node(plane, "worker", count=2)
    for name in node.names:
        eventually(lambda: plane.node_ready(name))
    plane.kubectl("create", "deployment", "d", "--image=example.com/none:1", "--replicas=3")
    eventually(lambda: plane.get("/apis/apps/v1/namespaces/default/deployments/d")["status"].get("readyReplicas") == 3)
    # Pod ranges come from the controller manager, and so does the authority, which it has from its link.
    assert sorted(plane.get(f"/api/v1/nodes/{name}")["spec"]["podCIDR"] for name in node.names) == ["10.244.0.0/24", "10.244.1.0/24"]
    published = plane.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")["data"]["ca.crt"]
    assert published == (plane.data / "pki" / "ca.crt").read_text()
    leading, other = sorted(managers, key=lambda one: not one.logged("leader.elected"))
    assert not other.logged("leader.elected") and leading.logged("certificates.not_signed")

    scheduler.stop(signal.SIGKILL)
    plane.kubectl("scale", "deployment", "d", "--replicas=5")
    eventually(lambda: len(pods(plane, "Pending")) == 2)
    assert all("nodeName" not in one["spec"] for one in pods(plane, "Pending"))
    scheduler.start()
    leading.stop(signal.SIGKILL)
    eventually(lambda: len(pods(plane, "Running")) == 5)
    eventually(lambda: other.logged("leader.elected"))
    plane.kubectl("scale", "deployment", "d", "--replicas=1")
    eventually(lambda: len(pods(plane, "Running")) == 1)
    assert plane.get(f"{LEASES}/kube-controller-manager")["spec"]["leaseTransitions"] == 1

    for one in (scheduler, other, node, plane):
        assert one.stop() == 0, one.log.read_text()[-3000:]
    replay = subprocess.run([TROUPE, "trace", "replay", scheduler.data / "trace"], capture_output=True, text=True, timeout=30)
    assert replay.returncode == 0 and "scheduler" in replay.stdout, replay.stdout + replay.stderr
    assert not plane.logged("forbidden") and not plane.logged("forged_user")


def test_a_component_says_what_keeps_it_from_working(machines, tmp_path):
    plane = machines.plane()  # with a scheduler of its own, which stands for no election
    scheduler = machines.component(plane, "scheduler")
    eventually(lambda: scheduler.logged("system:kube-scheduler runs in this control plane, whose `components` have to leave it out"))
    (tmp_path / "scheduler" / "pki" / "scheduler.key").unlink()
    elsewhere = [tmp_path / "x" if word == str(scheduler.data) else word for word in scheduler.arguments[1:]]
    for words, code, text in (
            (["component", "--data-dir", tmp_path / "x"], 2, "components: required"),
            (["component", "--data-dir", tmp_path / "x", "--set", "components=schedular"], 2, 'did you mean "scheduler"?'),
            (["control-plane", "--data-dir", tmp_path / "x", "--set", "components=store"], 2, "is an etcd cluster"),
            (elsewhere, 1, "scheduler.key")):
        done = subprocess.run([TROUPE, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == code and text in done.stderr, done.stderr
    listed = subprocess.run([TROUPE, "certs", "list", "--folder", tmp_path / "scheduler" / "pki"], capture_output=True, text=True, timeout=30)
    assert "scheduler  20" in listed.stdout, listed.stdout
