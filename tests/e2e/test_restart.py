"""Nothing acknowledged is lost: clean stops, kill -9, crashing components."""
import json
import signal
import subprocess
import threading

import pytest

from conftest import ROOT, TROUPE, eventually

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


def test_kill_9_loses_no_acknowledged_write(own_cluster):
    cluster = own_cluster(nodes=0).start()
    acknowledged = []
    for round_number in range(3):
        stop = threading.Event()

        def write():
            for i in range(100000):
                name = f"m-{round_number}-{i}"
                body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(i)}})
                try:
                    status, _ = cluster.http("POST", "/api/v1/namespaces/default/configmaps", body)
                except OSError:
                    return
                if status == 201:
                    acknowledged.append(name)
                if stop.is_set():
                    return
        writer = threading.Thread(target=write)
        writer.start()
        goal = len(acknowledged) + 40 + 17 * round_number
        eventually(lambda: len(acknowledged) >= goal)
        cluster.stop(signal.SIGKILL)
        stop.set()
        writer.join()
        cluster.start()
        names = {i["metadata"]["name"] for i in cluster.get("/api/v1/namespaces/default/configmaps")["items"]}
        assert set(acknowledged) <= names, sorted(set(acknowledged) - names)
    assert cluster.stop() == 0


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    from conftest import Cluster
    cluster = Cluster(tmp_path_factory.mktemp("crashing"), nodes=2).start()
    yield cluster
    assert cluster.stop() == 0


def actors(cluster):
    return {a["path"]: a for a in cluster.get("/debug/troupe/actors")["actors"]}


@pytest.mark.parametrize("part", [
    "root/scheduler", "root/controller_manager/replicaset", "root/api_server/worker-0", "root/api_server/cacher-pods",
    "root/api_server/gateway-0", "root/nodes/hollow-0/kubelet", "root/nodes/hollow-0/runtime", "root/store"])
def test_a_component_that_crashes_is_restarted_and_nothing_is_lost(crashing, part):
    tree = actors(crashing)
    path = next((p for p in tree if p == part or p.startswith(part + "/")), None)
    assert path, sorted(tree)
    name = "p-" + part.rsplit("/", 1)[1].replace("_", "-")
    pod = POD.replace("name: nginx\n  labels", f"name: {name}-before\n  labels")
    crashing.kubectl("create", "-f", "-", stdin=pod)
    eventually(lambda: crashing.pod_running(f"{name}-before"))
    done = subprocess.run([TROUPE, "debug", "crash", "--kubeconfig", crashing.kubeconfig, path], capture_output=True, text=True)
    # The gateway that carries the answer may be the one that crashes.
    assert done.returncode == 0 or "gateway" in part, done.stderr

    def restarted():
        return any(a["restarts"] >= 1 and a["state"] == "running" for p, a in actors(crashing).items()
                   if p == part or p.startswith(part + "/"))
    eventually(restarted)
    assert crashing.pod(f"{name}-before")["status"]["phase"] == "Running"
    after = POD.replace("name: nginx\n  labels", f"name: {name}-after\n  labels")

    def created():
        crashing.kubectl("apply", "-f", "-", stdin=after)
        return True
    eventually(created)
    eventually(lambda: crashing.pod_running(f"{name}-after"))
    shown = subprocess.run([TROUPE, "debug", "actors", "--kubeconfig", crashing.kubeconfig], capture_output=True, text=True)
    assert shown.returncode == 0 and path.split("#")[0] in shown.stdout
