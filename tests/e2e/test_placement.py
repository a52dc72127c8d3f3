"""Components in processes of their own, placed there by configuration only."""
import base64
import json
import signal
import subprocess

import pytest

from cluster import Component, Maker, short_lived
from conftest import TROUPE, Sandbox, eventually, may_skip_root_tests, said

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@pytest.fixture
def machines(tmp_path):
    maker = Maker(tmp_path)
    yield maker
    maker.close()


def pods(plane, phase):
    return [p for p in plane.get("/api/v1/namespaces/default/pods")["items"] if p["status"].get("phase") == phase]


def ask_for_certificate(plane, name):
    """A request for a node's certificate, by the administrator, who may."""
    made = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null",
                           "-subj", "/O=system:nodes/CN=system:node:late"], capture_output=True, check=True, timeout=30)
    spec = {"request": base64.b64encode(made.stdout).decode(), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"]}
    plane.kubectl("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}, "spec": spec}))


def test_store_scheduler_controllers_and_nodes_are_processes(machines):
    plane = machines.plane(extra=["--set", "components=store", "--set", "components=api_server"])
    scheduler = Component(plane.directory / "scheduler", plane, "scheduler")
    short_lived(plane, scheduler.directory / "pki", "scheduler", 10, "/CN=system:kube-scheduler")
    machines.made.append(scheduler.start())
    key = [word for kind in ("cert_file", "key_file")
           for word in ("--set", f"controllers.cluster_signing_{kind}={plane.data}/pki/ca.{'crt' if kind == 'cert_file' else 'key'}")]
    managers = [machines.component(plane, "controller_manager", directory=f"manager-{i}", extra=key) for i in range(2)]
    node = machines.node(plane, "worker", count=2)
    for name in node.names:
        eventually(lambda: plane.node_ready(name))
    plane.kubectl("create", "deployment", "d", "--image=example.com/none:1", "--replicas=3")
    eventually(lambda: plane.get("/apis/apps/v1/namespaces/default/deployments/d")["status"].get("readyReplicas") == 3)
    # Pod ranges come from the controller manager, and so does the authority, which it has from its link.
    assert sorted(plane.get(f"/api/v1/nodes/{name}")["spec"]["podCIDR"] for name in node.names) == ["10.244.0.0/24", "10.244.1.0/24"]
    published = plane.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")["data"]["ca.crt"]
    assert published == (plane.data / "pki" / "ca.crt").read_text()
    # Its certificate is near its end: it asks for the next one, and goes on with that.
    eventually(lambda: said(scheduler.log, "link.renewed"))
    request = plane.get(REQUESTS)["items"][0]
    assert request["spec"]["username"] == "system:kube-scheduler" and request["spec"]["signerName"] == "kubernetes.io/kube-apiserver-client"
    leading, other = sorted(managers, key=lambda one: not one.logged("leader.elected"))
    assert not other.logged("leader.elected")

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
    ask_for_certificate(plane, "asked")
    eventually(lambda: plane.get(f"{REQUESTS}/asked")["status"].get("certificate"))

    for one in (scheduler, other, node, plane):
        assert one.stop() == 0, one.log.read_text()[-3000:]
    replay = subprocess.run([TROUPE, "trace", "replay", scheduler.data / "trace"], capture_output=True, text=True, timeout=30)
    assert replay.returncode == 0 and "scheduler" in replay.stdout, replay.stdout + replay.stderr
    assert not plane.logged("forbidden") and not plane.logged("forged_user")


@pytest.mark.skipif(may_skip_root_tests(), reason="needs root")
def test_service_proxy_and_cloud_are_one_process(machines):
    """With two links, of two identities; the control plane's own node has its pod range from elsewhere, too."""
    sandbox = Sandbox()
    try:
        plane = machines.plane(sandbox=sandbox, extra=[
            *(word for one in ("store", "api_server", "nodes") for word in ("--set", f"components={one}")), "--set", "nodes.count=1"])
        rest = machines.component(plane, "kube_proxy", "cloud_controller_manager", "controller_manager", sandbox=sandbox,
                                  extra=["--set", "cloud.provider=local"])
        eventually(lambda: plane.get("/api/v1/nodes/hollow-0")["spec"]["providerID"] == "local://hollow-0")
        eventually(lambda: plane.get("/api/v1/nodes/hollow-0")["spec"]["podCIDR"] == "10.244.0.0/24")
        plane.kubectl("create", "service", "loadbalancer", "s", "--tcp=80")
        address = plane.get("/api/v1/namespaces/default/services/s")["spec"]["clusterIP"]
        eventually(lambda: address in sandbox.run("nft", "list", "table", "ip", "troupe"))
        eventually(lambda: plane.get("/api/v1/namespaces/default/services/s")["status"]["loadBalancer"]["ingress"])
        assert rest.logged("certificates.not_signed")
        assert rest.stop() == 0, rest.log.read_text()[-3000:]
        assert "troupe" not in sandbox.run("nft", "list", "tables")
        assert not plane.logged("forbidden") and not plane.logged("forged_user"), plane.log.read_text()[-3000:]
    finally:
        sandbox.close()


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
