"""`troupe store`: snapshot and compact of a running cluster, verify and restore of files at rest."""
import json
import shutil
import signal
import subprocess

import pytest

from conftest import TROUPE, Cluster, eventually
from storm import MAPS, Client, Creator, config_map


def store(*arguments, fails=False):
    """What `troupe store ...` printed: standard output, or standard error with its code when it is to fail."""
    done = subprocess.run([TROUPE, "store", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if fails:
        assert done.returncode == fails, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def everything(cluster):
    """All objects of some kinds by path, without the list's revision."""
    found = {}
    for path in ("/api/v1/namespaces", MAPS, "/api/v1/secrets", "/api/v1/services", "/apis/apps/v1/deployments",
                 "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/networking.k8s.io/v1/ipaddresses"):
        for item in cluster.get(path)["items"]:
            found[path, item["metadata"].get("namespace"), item["metadata"]["name"]] = item
    return found


def revived(cluster, directory, snapshot, *flags):
    """A cluster of the snapshot, with the certificates of the old one."""
    data = directory / "data"
    data.mkdir(parents=True)
    shutil.copytree(cluster.data / "pki", data / "pki")
    said = store("restore", snapshot, "--data-dir", data, *flags)
    return Cluster(directory, nodes=0), said


def test_a_snapshot_of_a_running_cluster_is_restored_elsewhere(own_cluster, tmp_path):
    cluster = own_cluster(nodes=0).start()
    cluster.kubectl("create", "service", "clusterip", "one", "--tcp=80:80")
    cluster.kubectl("create", "secret", "generic", "hidden", "--from-literal=a=b")
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=0")
    client = Client(cluster)
    for number in range(700):  # several pages
        assert client.ask("POST", MAPS, config_map(f"m-{number:03}", number, 50))[0] == 201
    # Writes go on while the snapshot is taken.
    creator = Creator(cluster, "during")
    creator.start(cluster.tls())
    eventually(lambda: len(creator.acknowledged) > 20)
    before = set(creator.acknowledged)
    snapshot = tmp_path / "snapshot"
    said = store("snapshot", snapshot, "--kubeconfig", cluster.kubeconfig)
    creator.stopping = True
    creator.join()
    revision = int(said.split("revision ")[1].split(",")[0])
    assert "intact" in store("verify", snapshot) and f"revision {revision}," in store("verify", snapshot)
    assert not snapshot.with_name("snapshot.partial").exists()
    # All of one revision: what was acknowledged before is in it, what came later is not.
    as_of = {key: item for key, item in everything(cluster).items() if int(item["metadata"]["resourceVersion"]) <= revision}
    assert before <= {name for path, _, name in as_of if path == MAPS}
    events = cluster.get("/api/v1/events")["items"]
    assert cluster.stop() == 0

    again, said = revived(cluster, tmp_path / "again", snapshot)
    assert f"begins at revision {revision + 1_000_000_000}" in said
    again.start()
    try:
        found = everything(again)
        for key, item in as_of.items():
            assert found[key] == item, key
        assert not {key for key in found if key[0] == MAPS} - as_of.keys()
        # Revisions have jumped, and a watch from before hears of it.
        assert int(again.get(MAPS)["metadata"]["resourceVersion"]) >= revision + 1_000_000_000
        lost = again.watch(f"{MAPS}?watch=1&resourceVersion={revision}", 1)[0]
        assert lost["type"] == "ERROR" and lost["object"]["code"] == 410
        # An address that a Service of the snapshot has is still its own.
        taken = found["/api/v1/services", "default", "one"]["spec"]["clusterIP"]
        refused = again.kubectl("create", "service", "clusterip", "two", "--tcp=80:80", f"--clusterip={taken}", check=False)
        assert "already allocated" in refused.stderr
        # Keys of leases are there with their leases: events are not immortal.
        assert len(again.get("/api/v1/events")["items"]) >= len([e for e in events if int(e["metadata"]["resourceVersion"]) <= revision])
        # Its store is a store like any other: it can be written, checked and started again.
        assert Client(again).ask("POST", MAPS, config_map("new", 1))[0] == 201
        assert again.stop() == 0
        assert "intact" in store("verify", again.data)
        again.start()
        assert again.get(f"{MAPS}/new")["data"]["n"] == "1"
        assert again.stop() == 0
    finally:
        if again.process.poll() is None:
            again.stop(signal.SIGKILL)


def test_keys_of_a_lease_end_with_it_after_a_restore(own_cluster, tmp_path):
    """Events live by a lease; the snapshot holds its time."""
    cluster = own_cluster(nodes=0).start()
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Tried", "type": "Normal",
             "involvedObject": {"kind": "ConfigMap", "name": "x", "namespace": "default"}}
    assert Client(cluster).ask("POST", "/api/v1/namespaces/default/events", event)[0] == 201
    said = store("snapshot", tmp_path / "s", "--kubeconfig", cluster.kubeconfig)
    assert " 1 leases" in said
    assert cluster.stop() == 0
    again, said = revived(cluster, tmp_path / "again", tmp_path / "s")
    assert " 1 leases" in said
    again.start()
    try:
        assert [e["metadata"]["name"] for e in again.get("/api/v1/namespaces/default/events")["items"]] == ["e"]
        assert " 1 leases" in store("snapshot", tmp_path / "t", "--kubeconfig", again.kubeconfig)
    finally:
        again.stop(signal.SIGKILL)


def test_damaged_and_foreign_files_are_refused_by_name(own_cluster, tmp_path):
    cluster = own_cluster(nodes=0).start()
    snapshot = tmp_path / "snapshot"
    store("snapshot", snapshot, "--kubeconfig", cluster.kubeconfig)
    # What is in use is left alone.
    said = store("verify", cluster.data, fails=1)
    assert f"is in use by process {cluster.process.pid}" in said
    said = store("restore", snapshot, "--data-dir", cluster.data, fails=1)
    assert f"is in use by process {cluster.process.pid}" in said
    assert cluster.stop() == 0
    said = store("restore", snapshot, "--data-dir", cluster.data, fails=1)
    assert f"{cluster.data}/store is there already" in said
    whole = snapshot.read_bytes()
    damaged = tmp_path / "damaged"
    value = whole.index(b"metadata", 5000)
    for what, content in (("checksum", whole[:value] + b"M" + whole[value + 1:]),
                          ("cut off", whole[:-1]), ("cut off", whole[:len(whole) // 2]),
                          ("header", whole[:9] + bytes([whole[9] ^ 1]) + whole[10:]),
                          ("after its end", whole + b"x"), ("no snapshot", b"hello"), ("no snapshot", b"")):
        damaged.write_bytes(content)
        said = store("verify", damaged, fails=1)
        assert str(damaged) in said and what in said, said
        said = store("restore", damaged, "--data-dir", tmp_path / "other", fails=1)
        assert str(damaged) in said and not (tmp_path / "other" / "store").exists()
    assert "No such file" in store("verify", tmp_path / "nothing", fails=1)
    segment = cluster.data / "store" / "segment-00000001"
    content = bytearray(segment.read_bytes())
    content[20_000] ^= 1
    segment.write_bytes(content)
    assert "segment-00000001 is corrupt" in store("verify", cluster.data, fails=1)


def test_compaction_drops_history_at_once(own_cluster):
    cluster = own_cluster(nodes=0).start()
    client = Client(cluster)
    _, first = client.ask("POST", MAPS, config_map("a", 1))
    client.ask("PUT", f"{MAPS}/a", config_map("a", 2))
    revision = first["metadata"]["resourceVersion"]
    exact = f"{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact"
    assert [m["data"]["n"] for m in cluster.get(exact)["items"] if m["metadata"]["name"] == "a"] == ["1"]
    said = store("compact", "--kubeconfig", cluster.kubeconfig)
    assert int(said.split()[-1]) > int(revision)
    status, text = cluster.http("GET", exact)
    assert status == 410 and json.loads(text)["reason"] == "Expired"
    assert cluster.get(f"{MAPS}/a")["data"]["n"] == "2"
    # A second time there is nothing to drop, and of the future there is nothing at all; etcd's words.
    assert "required revision has been compacted" in store("compact", "--kubeconfig", cluster.kubeconfig, "--revision", "1", fails=1)
    assert "future revision" in store("compact", "--kubeconfig", cluster.kubeconfig, "--revision", "99999999", fails=1)
    assert cluster.stop() == 0


@pytest.mark.parametrize("method, path", [("GET", "range?key=/registry/&end=/registry0"), ("GET", "lease?id=1"), ("POST", "compact")])
def test_only_administrators_may(hollow, method, path):
    hollow.kubectl("create", "serviceaccount", f"curious-{path[:3]}")
    for user in (f"system:serviceaccount:default:curious-{path[:3]}", "system:kube-controller-manager", "system:node:x"):
        status, text = hollow.http(method, f"/troupe/store/{path}", headers={"Impersonate-User": user})
        assert status == 403 and "forbidden" in text, text
    assert hollow.http("GET", f"/troupe/store/{path}", context=hollow.tls(certificate=False))[0] in (401, 403)
    assert hollow.http("PUT", f"/troupe/store/{path}")[0] == 405
    assert hollow.http("GET", "/troupe/store/other")[0] == 404
