"""Three machines: a control plane and two nodes with containers of their own, joined by a wire that can be cut. Takes root."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from cluster import Maker, Wire
from conftest import ROOT, TROUPE, eventually, may_skip_root_tests, said
from storm import Creator, Watcher
from test_containers import images  # noqa: F401: a fixture

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="network namespaces and containers take root")


@pytest.fixture(scope="module")
def tour(tmp_path_factory, images):  # noqa: F811
    """The control plane on the first machine, nodes "left" and "right" on the others."""
    wire, maker = Wire(3), Maker(tmp_path_factory.mktemp("tour"))
    try:
        home, left, right = wire.machines
        # Longer than a containerd that was killed takes to be back on a busy machine: a node without one is not ready.
        plane = maker.plane(address=home.address, sandbox=home, extra=[
            "--set", "controllers.eviction_seconds=4", "--set", "cloud.load_balancer_pool=10.99.0.192/28"])
        plane.left = maker.node(plane, "left", runtime="cri", sandbox=left)
        plane.right = maker.node(plane, "right", runtime="cri", sandbox=right)
        for node in (plane.left, plane.right):
            eventually(lambda: plane.node_ready(node.name), 30)
        imports = [subprocess.Popen(node.wrap([TROUPE, "image", "import", "--data-dir", node.data, *images]))
                   for node in (plane.left, plane.right)]
        assert [one.wait(60) for one in imports] == [0, 0]
        yield plane
        for node in (plane.left, plane.right):
            assert node.stop() == 0, node.log.read_text()[-3000:]
            assert node.sandbox.announced() == []
        assert plane.stop() == 0, plane.log.read_text()[-3000:]
    finally:
        maker.close()
        wire.close()


def nodes(plane):
    return [plane.left, plane.right]


def web_pods(plane, count=4):
    """The Deployment's pods by node, once that many are ready and no others are left."""
    pods = [p for p in plane.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]]
    ready = [p for p in pods if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))
             and "deletionTimestamp" not in p["metadata"]]
    if len(ready) != count or len(pods) != count:
        return None
    found = {"left": [], "right": []}
    for one in ready:
        found[one["spec"]["nodeName"]].append(one)
    return found


def converged(plane, seconds=60):
    """Every pod of the API is ready, and the machines run exactly those."""
    def so():
        pods = plane.get("/api/v1/namespaces/default/pods")["items"]
        for one in pods:
            if "deletionTimestamp" in one["metadata"] or not all(c["ready"] for c in one["status"].get("containerStatuses", [{"ready": 0}])):
                return None
        for node in nodes(plane):
            wanted = sorted(p["metadata"]["name"] for p in pods if p["spec"]["nodeName"] == node.name)
            if sorted(node.containers("nginx") + node.containers("main")) != wanted:
                return None
        return True
    return eventually(so, seconds, 0.2)


@pytest.fixture(scope="module")
def web(tour):
    """nginx on both machines behind a Service: its address."""
    tour.kubectl("create", "deployment", "web", "--image=localhost/nginx:1", "--replicas=4")
    tour.kubectl("expose", "deployment", "web", "--port=80")
    eventually(lambda: web_pods(tour), 60)
    return tour.get("/api/v1/namespaces/default/services/web")["spec"]["clusterIP"]


def test_pods_on_both_machines_reach_each_other(tour, web):
    found = web_pods(tour)
    assert found["left"] and found["right"]
    ranges = {tour.get(f"/api/v1/nodes/{node.name}")["spec"]["podCIDR"] for node in nodes(tour)}
    assert ranges == {"10.244.0.0/24", "10.244.1.0/24"}
    addresses = [p["status"]["podIP"] for p in found["left"] + found["right"]]
    assert len(set(addresses)) == 4
    for node in nodes(tour):
        for address in addresses:  # node to pod, here and there
            assert eventually(lambda: node.sandbox.http(address, 80))[0] == 200
        assert eventually(lambda: node.sandbox.http(web, 80))[0] == 200
    wide = {line.split()[0]: line.split() for line in tour.kubectl("get", "nodes", "-o", "wide").splitlines()[1:]}
    for node in nodes(tour):
        assert wide[node.name][1] == "Ready" and wide[node.name][5] == node.sandbox.address
        assert any(word.startswith("containerd://") for word in wide[node.name])
    for one in (found["left"][0], found["right"][0]):
        assert "GET / " in eventually(lambda: tour.kubectl("logs", one["metadata"]["name"]))


def box_on(plane, node):
    name = f"box-{node.name}"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node.name, "terminationGracePeriodSeconds": 1,
                     "containers": [{"name": "main", "image": "localhost/busybox:1", "command": ["sh", "-c", "exec sleep 100000"]}]}}
    plane.kubectl("create", "-f", "-", stdin=json.dumps(body))
    eventually(lambda: plane.pod_running(name), 30)
    return name


@pytest.fixture(scope="module")
def boxes(tour):
    return {node.name: box_on(tour, node) for node in nodes(tour)}


def test_commands_and_ports_of_pods_over_the_link(tour, web, boxes):
    found = web_pods(tour)
    for here, there in (("left", "right"), ("right", "left")):
        one = found[there][0]  # pod to pod, from machine to machine, and to the Service; nginx tells its host's name
        fetch = ("exec", boxes[here], "--", "wget", "-q", "-O", "-")
        assert tour.kubectl(*fetch, f"http://{one['status']['podIP']}/").strip() == one["metadata"]["name"]
        assert tour.kubectl(*fetch, f"http://{web}/").startswith("web-")
    assert tour.kubectl("exec", "-i", boxes["left"], "--", "sh", "-c", "cat; exit 3", stdin="hello\n", check=False).returncode == 3
    bulk = "0123456789abcdef" * 65536  # a megabyte: several windows
    answer = tour.kubectl("exec", "-i", boxes["right"], "--", "cat", stdin=bulk)
    assert answer == bulk
    missing = tour.kubectl("exec", boxes["left"], "-c", "none", "--", "true", check=False)
    assert missing.returncode != 0 and "container" in missing.stderr

    source = tour.directory / "file"
    source.write_text(bulk)
    tour.kubectl("cp", str(source), f"{boxes['left']}:/tmp/file")
    tour.kubectl("cp", f"{boxes['left']}:/tmp/file", str(tour.directory / "back"))
    assert (tour.directory / "back").read_text() == bulk

    one = found["right"][0]["metadata"]["name"]
    tool = ROOT / "build" / "tools" / "v35" / "kubectl"
    forward = subprocess.Popen(tour.wrap([tool, "--kubeconfig", tour.kubeconfig, "port-forward", f"pod/{one}", "8080:80"]),
                               stdout=subprocess.PIPE, text=True)
    try:
        assert "Forwarding from" in forward.stdout.readline()
        for _ in range(3):
            assert tour.sandbox.http("127.0.0.1", 8080) == (200, one + "\n")
    finally:
        forward.kill()
        forward.wait()


def routed(plane, name):
    return any(c["type"] == "NetworkUnavailable" and c["status"] == "False" and c["reason"] == "RouteCreated"
               for c in plane.get(f"/api/v1/nodes/{name}")["status"]["conditions"])


def test_nodes_with_a_route_say_so(tour):
    for node in nodes(tour):
        eventually(lambda: routed(tour, node.name))


SERVICES = "/api/v1/namespaces/default/services"


@pytest.fixture(scope="module")
def balanced(tour, web):
    """A LoadBalancer Service over nginx: its address."""
    tour.kubectl("expose", "deployment", "web", "--name=balanced", "--type=LoadBalancer", "--port=80")
    return eventually(lambda: tour.get(f"{SERVICES}/balanced")["status"]["loadBalancer"]["ingress"])[0]["ip"]


def announcer(plane, name="balanced"):
    return plane.get(f"{SERVICES}/{name}")["metadata"].get("annotations", {}).get("troupe.dev/announcing-node")


def test_a_balanced_service_answers_on_its_address_everywhere(tour, balanced, boxes):
    assert balanced == "10.99.0.193"
    for machine in (tour.left.sandbox, tour.right.sandbox, tour.sandbox):  # the last one is no node: it has to ask for it
        assert eventually(lambda: machine.http(balanced, 80))[0] == 200
    for box in boxes.values():
        assert tour.kubectl("exec", box, "--", "wget", "-q", "-O", "-", f"http://{balanced}/").startswith("web-")
    assert [node.name for node in nodes(tour) if balanced in node.sandbox.announced()] == [announcer(tour)]
    # Another one gets the next address, and gives it back.
    tour.kubectl("expose", "deployment", "web", "--name=second", "--type=LoadBalancer", "--port=80")
    eventually(lambda: tour.sandbox.http("10.99.0.194", 80)[0] == 200)
    tour.kubectl("delete", "service", "second")
    eventually(lambda: all("10.99.0.194" not in node.sandbox.announced() for node in nodes(tour)))
    assert tour.http("GET", f"{SERVICES}/second")[0] == 404
def test_a_renewed_certificate_ends_no_stream(tour, web, boxes):
    node, one = tour.left, web_pods(tour)["left"][0]["metadata"]["name"]
    running = tour.start_kubectl("exec", boxes["left"], "--", "sh", "-c", "while true; do date +%s; sleep 0.1; done")
    forward = tour.start_kubectl("port-forward", f"pod/{one}", "8081:80")
    try:
        assert running.stdout.readline() and "Forwarding from" in forward.stdout.readline()
        assert tour.sandbox.http("127.0.0.1", 8081) == (200, one + "\n")
        tour.certify(node.directory / "pki", node.name)
        eventually(lambda: said(node.log, "link.renewed"))
        time.sleep(1.5)  # an old link with nothing on it is closed after one
        now = time.time()
        while int(running.stdout.readline()) <= now:
            pass
        assert tour.sandbox.http("127.0.0.1", 8081) == (200, one + "\n")  # a new connection
        assert not said(node.log, "link.down")
    finally:
        for process in (running, forward):
            process.kill()
            process.communicate()


class Load:
    """Creates and watches of config maps by clients that know what they were promised, while something happens."""

    def __init__(self, plane, name):
        self.plane, self.name = plane, name
        context = plane.tls()
        self.watcher = Watcher(plane, patient=True)
        self.watcher.list()
        self.creators = [Creator(plane, f"{name}-{i}") for i in range(2)]
        for one in (self.watcher, *self.creators):
            one.start(context)

    def stop(self):
        for one in (self.watcher, *self.creators):
            one.stopping = True

    def finish(self):
        """Judges: every write that was acknowledged is there, and the watcher saw each once and in order."""
        for one in self.creators:
            one.stopping = True
        for one in self.creators:
            one.join()
        listed = self.plane.get("/api/v1/namespaces/default/configmaps")
        there = {i["metadata"]["name"] for i in listed["items"]}
        written = set().union(*(one.acknowledged for one in self.creators))
        assert len(written) > 20 and written <= there, sorted(written - there)
        self.watcher.goal = int(listed["metadata"]["resourceVersion"])
        self.plane.kubectl("create", "configmap", f"{self.name}-end")  # what the watcher waits for may have come already
        self.watcher.join()
        assert written <= set(self.watcher.state)
        return len(written)


@pytest.fixture
def load(tour, request):
    made = Load(tour, re.sub("[^a-z]+", "-", request.node.name).strip("-"))
    yield made
    made.stop()


@pytest.mark.parametrize("which", ["plane", "left", "containerd"])
def test_a_process_is_killed_under_load(tour, web, boxes, load, which):
    time.sleep(0.5)
    if which == "plane":
        tour.stop(signal.SIGKILL)
        time.sleep(1)  # nodes work on alone
        for node in nodes(tour):
            assert node.sandbox.http(web, 80)[0] == 200
        begun = time.monotonic()
        tour.start()
        eventually(lambda: all(tour.kubectl("exec", box, "--", "true", check=False).returncode == 0 for box in boxes.values()), 30)
    elif which == "left":
        before = tour.left.containers("main")
        tour.left.stop(signal.SIGKILL)
        time.sleep(1)
        begun = time.monotonic()
        tour.left.start()
        eventually(lambda: tour.kubectl("exec", boxes["left"], "--", "true", check=False).returncode == 0, 30)
        assert before == ["box-left"]
    else:
        begun = time.monotonic()
        os.kill(tour.right.containerd_pid(), signal.SIGKILL)
        eventually(lambda: tour.kubectl("exec", boxes["right"], "--", "true", check=False).returncode == 0, 30)
    took = time.monotonic() - begun
    converged(tour)
    for node in nodes(tour):
        assert tour.node_ready(node.name)
        assert node.sandbox.http(web, 80)[0] == 200
    restarts = {p["metadata"]["name"]: c["restartCount"] for p in tour.get("/api/v1/namespaces/default/pods")["items"]
                for c in p["status"]["containerStatuses"]}
    assert not any(restarts.values()), restarts  # nobody's container was touched
    print(f"{which}: works again after {took:.2f} s, {load.finish()} writes kept")


def test_a_machine_is_cut_off_and_returns(tour, web, balanced, boxes, load):
    """Its pods are replaced elsewhere; one whose name is fixed is not made again before the machine has let go of it."""
    tour.left.sandbox.cut()
    begun = time.monotonic()
    eventually(lambda: tour.node_ready("left", "Unknown"), 30)
    marked = time.monotonic() - begun
    replaced = eventually(lambda: len([p for p in tour.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]
                                       if p["spec"]["nodeName"] == "right" and "deletionTimestamp" not in p["metadata"]
                                       and p["status"].get("phase") == "Running"]) == 4, 30)
    assert replaced
    assert eventually(lambda: tour.right.sandbox.http(web, 80))[0] == 200  # and the Service leads nowhere else
    eventually(lambda: announcer(tour) == "right" and tour.right.sandbox.announced() == [balanced])
    assert eventually(lambda: tour.sandbox.http(balanced, 80))[0] == 200
    fixed = eventually(lambda: (p := tour.pod(boxes["left"])) and "deletionTimestamp" in p["metadata"] and p)
    again = tour.kubectl("run", boxes["left"], "--image=localhost/busybox:1", check=False)
    assert again.returncode != 0 and "exists" in again.stderr
    assert boxes["left"] in tour.left.containers("main")  # it runs there all the while
    tour.left.sandbox.heal()
    begun = time.monotonic()
    eventually(lambda: tour.node_ready("left"), 40)
    back = time.monotonic() - begun
    eventually(lambda: tour.http("GET", f"/api/v1/namespaces/default/pods/{boxes['left']}")[0] == 404, 30)
    assert fixed["metadata"]["uid"]
    assert tour.left.containers("main") == []
    assert tour.left.sandbox.announced() == []
    converged(tour)
    print(f"cut: unknown after {marked:.1f} s, ready {back:.1f} s after the wire was whole, {load.finish()} writes kept")
    assert box_on(tour, tour.left) == boxes["left"]
