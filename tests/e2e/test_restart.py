"""Nothing is lost: a clean stop and a second start, and every component crashed in turn."""
import subprocess
import time

import pytest

from conftest import ROOT, TROUPE, Cluster, eventually
from storm import MAPS, Client, Creator, Watcher, config_map

POD = (ROOT / "configs/examples/nginx.yaml").read_text()


def test_a_second_up_finds_every_object_again(own_cluster):
    cluster = own_cluster(nodes=2).start()
    cluster.kubectl("create", "-f", "-", stdin=POD)
    first = eventually(lambda: cluster.pod_running("nginx"))
    assert cluster.stop() == 0
    cluster.start()
    again = eventually(lambda: cluster.pod_running("nginx"))
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert int(again["metadata"]["resourceVersion"]) >= int(first["metadata"]["resourceVersion"])
    assert cluster.stop() == 0


class Kubectl:
    """A `kubectl get pods -w` that runs beside the test."""

    def __init__(self, cluster, directory):
        self.out = open(directory / "kubectl-w.out", "w+")
        tool = ROOT / "build" / "tools" / "v35" / "kubectl"
        self.process = subprocess.Popen([tool, "--kubeconfig", cluster.kubeconfig, "get", "pods", "-w", "--no-headers"],
                                        stdout=self.out, stderr=subprocess.STDOUT)

    def text(self):
        self.out.seek(0)
        return self.out.read()

    def ended_cleanly(self):
        return self.process.poll() == 0

    def close(self):
        self.process.kill()
        self.process.wait()
        self.out.close()


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("crashing"), nodes=2, extra=["--set", "cloud.provider=local"]).start()
    yield cluster
    assert cluster.stop() == 0


def actors(cluster):
    return {a["path"]: a for a in cluster.get("/debug/troupe/actors")["actors"]}


def crash(cluster, path):
    return subprocess.run([TROUPE, "debug", "crash", "--kubeconfig", cluster.kubeconfig, path], capture_output=True, text=True)


CONTROLLERS = ["deployment", "replicaset", "endpointslice", "endpoints", "namespace", "service_account", "root_ca",
               "node_lifecycle", "garbage_collector", "disruption", "pvc_protection", "pv_protection"]
PARTS = ["root/node_relay", "root/certificates", "root/store", "root/scheduler", *(f"root/controller_manager/{name}" for name in CONTROLLERS), "root/controller_manager",
         "root/cloud_controller_manager/node", "root/cloud_controller_manager/balancer",
         "root/api_server/front", "root/api_server/worker-0", "root/api_server/worker-1", "root/api_server/component-worker-0",
         "root/api_server/component-worker-1", "root/api_server/report-worker-0", "root/api_server/cacher-pods",
         "root/api_server/cacher-configmaps", "root/api_server/gateway-0", "root/api_server/gateway-1",
         "root/nodes/hollow-0/kubelet", "root/nodes/hollow-0/kubelet/pods/*", "root/nodes/hollow-0/runtime"]


def test_every_component_is_among_those_that_are_crashed(crashing):
    """What is in the tree and not in PARTS is a supervisor, another cacher or another node's, or is no more needed."""
    spared = {"root", "root/api_server", "root/nodes", "root/cloud_controller_manager", "root/api_server/bootstrap"}
    for path in actors(crashing):
        named = path in PARTS or path in spared or path.startswith(("root/nodes/", "root/api_server/cacher-"))
        # A controller's actor stands one step below its place in the tree.
        named = named or path.rsplit("/", 1)[0] in PARTS
        assert named, path


def resolved(cluster, part):
    """The path of a part; the last segment of a pod actor's is its pod's uid."""
    if not part.endswith("/*"):
        return part
    return next(p for p in actors(cluster) if p.startswith(part[:-1]))


def running_on(cluster, name, node):
    """A running pod on that node, by an own manifest."""
    manifest = POD.replace("name: nginx\n  labels", f"name: {name}\n  labels").replace("spec:\n", f"spec:\n  nodeName: {node}\n", 1)
    cluster.kubectl("create", "-f", "-", stdin=manifest)
    return eventually(lambda: cluster.pod_running(name))


def created_in_the_end(cluster, name):
    """`kubectl apply` of a pod, once more if the server had to refuse: the pod is scheduled and runs."""
    manifest = POD.replace("name: nginx\n  labels", f"name: {name}\n  labels")

    def tried():
        return cluster.kubectl("apply", "-f", "-", stdin=manifest, check=False).returncode == 0
    eventually(tried)
    return eventually(lambda: cluster.pod_running(name))


@pytest.mark.parametrize("part", PARTS)
def test_a_component_that_crashes_is_restarted_and_nothing_is_lost(crashing, part, tmp_path):
    name = "p-" + part.replace("/*", "-pod").split("/", 1)[1].replace("/", "-").replace("_", "-")
    before = running_on(crashing, f"{name}-before", "hollow-0")
    path = resolved(crashing, part)
    restarts = actors(crashing)[path]["restarts"]
    context = crashing.tls()
    creators = [Creator(crashing, f"{name}-{i}") for i in range(3)]
    watcher = Watcher(crashing, patient=True)
    watcher.list()
    for actor in (*creators, watcher):
        actor.start(context)
    shown = Kubectl(crashing, tmp_path)
    try:
        eventually(lambda: f"{name}-before" in shown.text())
        eventually(lambda: all(len(c.acknowledged) > 5 for c in creators) and watcher.events > 5)
        done = crash(crashing, path)
        # The gateway that carries the answer may be the one that crashes.
        assert done.returncode == 0 or "gateway" in part or "front" in part or "worker" in part, done.stderr

        def restarted():
            found = actors(crashing)[path]
            return found["state"] == "running" and found["restarts"] > restarts and found
        found = eventually(restarted, 10)
        assert found["lastError"].startswith(f"crash ordered: {path}")
        row, = [line for line in subprocess.run([TROUPE, "debug", "actors", "--kubeconfig", crashing.kubeconfig],
                                                capture_output=True, text=True, check=True).stdout.splitlines()
                if line.split()[0] == path]
        assert row.split()[1:3] == ["running", str(found["restarts"])] and f"crash ordered: {path}" in row
        created_in_the_end(crashing, f"{name}-after")
        mark = [len(c.acknowledged) for c in creators]
        eventually(lambda: all(len(c.acknowledged) > m + 5 for c, m in zip(creators, mark)))
        # kubectl has shown the new pod, or its watch was ended as a server ends one.
        eventually(lambda: f"{name}-after" in shown.text() or shown.process.poll() is not None)
        if shown.process.poll() is not None:
            assert part.startswith("root/api_server/") and "orker" not in part, f"{part}: {shown.text()}"
    finally:
        shown.close()
        for creator in creators:
            creator.stopping = True
    check_nothing_lost(crashing, creators, watcher, part)
    now = crashing.pod(f"{name}-before")
    assert now["metadata"]["uid"] == before["metadata"]["uid"] and now["status"]["phase"] == "Running"
    if part != "root/nodes/hollow-0/runtime":  # there the containers themselves are gone
        assert [c["restartCount"] for c in now["status"]["containerStatuses"]] == [0]
    crashing.kubectl("delete", "pod", f"{name}-before", f"{name}-after", "--wait=false")


def check_nothing_lost(cluster, creators, watcher, part):
    for creator in creators:
        creator.join()
        # At most what was under way when it happened: one request a connection, and one that came too early.
        assert creator.cuts <= 1 and creator.retries <= 5, f"{part}: {creator.cuts} cuts, {creator.retries} retries"
        if "gateway" not in part:
            assert creator.cuts == 0, "a request was not answered"
    client = Client(cluster)
    for end in ("end", "very-end"):  # the second event makes it look at its goal
        status, last = client.ask("POST", MAPS, config_map(f"{creators[0].prefix}-{end}", 0))
        assert status == 201
        watcher.goal = watcher.goal or int(last["metadata"]["resourceVersion"])
    watcher.join()
    client.ask("DELETE", f"{MAPS}/{creators[0].prefix}-very-end")
    watcher.state.pop(f"{creators[0].prefix}-very-end", None)
    there = {i["metadata"]["name"]: int(i["metadata"]["resourceVersion"]) for i in cluster.get(MAPS)["items"]}
    assert watcher.state == there, "the watch missed something"
    assert watcher.cuts == 0 or "gateway" in part
    for creator in creators:
        assert creator.acknowledged <= there.keys(), sorted(creator.acknowledged - there.keys())
        mine = {n for n in there if n.startswith(creator.prefix + "-")} - {f"{creator.prefix}-end"}
        assert mine <= creator.acknowledged | creator.unsure


def test_who_follows_a_log_hears_of_the_end_when_its_relay_crashes(crashing):
    running_on(crashing, "talker", "hollow-1")
    following = subprocess.Popen([ROOT / "build/tools/v35/kubectl", "--kubeconfig", crashing.kubeconfig, "logs", "-f", "talker"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.5)
    assert following.poll() is None, following.stdout.read()
    assert crash(crashing, "root/node_relay").returncode == 0
    following.communicate(timeout=20)
    assert crashing.kubectl("logs", "talker") is not None


def test_a_component_that_keeps_crashing_ends_the_process(own_cluster):
    cluster = own_cluster(nodes=1).start()
    cluster.kubectl("create", "-f", "-", stdin=POD)
    eventually(lambda: cluster.pod_running("nginx"))

    def crashed_to_the_end():
        if cluster.process.poll() is None:
            crash(cluster, "root/scheduler")
        return cluster.process.poll() is not None
    eventually(crashed_to_the_end, 60)
    assert cluster.process.returncode == 1
    said = cluster.log.read_text().splitlines()
    assert ("troupe up: the cluster gave up: root/scheduler failed again and again, at last with: crash ordered: root/scheduler"
            in said), said[-5:]
    # Started again, it goes on where it was.
    cluster.start()
    eventually(lambda: cluster.pod_running("nginx"))
    assert cluster.stop() == 0
