"""etcd as the store: one member on loopback, one or two Troupe processes."""
import json
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import TROUPE, Cluster, eventually
from etcd import processes, single
from storm import MAPS, Client, Creator, Watcher, config_map


@pytest.fixture
def etcd(tmp_path):
    with single(tmp_path / "etcd") as made:
        yield made


@pytest.fixture
def troupe(etcd, tmp_path):
    """Makes Troupe processes that share the etcd."""
    with processes(etcd, tmp_path) as make:
        yield lambda *extra, **options: make(*extra, **options).start()


def test_objects_lie_in_etcd_as_kubernetes_lays_them_out(etcd, troupe):
    cluster = troupe(nodes=1)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    cluster.kubectl("expose", "deployment", "web", "--port=80")
    cluster.kubectl("create", "configmap", "c", "--from-literal=a=b")
    pods = eventually(lambda: [p for p in cluster.get("/api/v1/namespaces/default/pods")["items"]
                               if p["status"].get("phase") == "Running"])
    keys = etcd.keys()
    for key in ("/registry/configmaps/default/c", "/registry/deployments/default/web", "/registry/services/specs/default/web",
                "/registry/services/endpoints/default/web", "/registry/namespaces/default",
                "/registry/clusterroles/cluster-admin", f"/registry/pods/default/{pods[0]['metadata']['name']}"):
        assert key in keys, key
    assert [k for k in keys if k.startswith("/registry/minions/")] and [k for k in keys if k.startswith("/registry/leases/")]
    # The value is the object as it is served, less its revision, which is etcd's.
    served = cluster.get(f"{MAPS}/c")
    revision = served["metadata"].pop("resourceVersion")
    assert etcd.value("/registry/configmaps/default/c") == served
    raw = json.loads(etcd.ctl("get", "/registry/configmaps/default/c", "-w", "json"))
    assert str(raw["kvs"][0]["mod_revision"]) == revision
    # Events go with their lease.
    event = eventually(lambda: [k for k in etcd.keys("/registry/events/")])[0]
    lease = json.loads(etcd.ctl("get", event, "-w", "json"))["kvs"][0]["lease"]
    ttl = etcd.ctl("lease", "timetolive", f"{lease:x}")
    assert 3600 <= int(ttl.split("granted with TTL(")[1].split("s)")[0]) <= 3700
    # It stops and starts again without a store of its own.
    assert cluster.stop() == 0
    assert not (cluster.data / "store").exists()
    cluster.start()
    assert cluster.get(f"{MAPS}/c")["data"] == {"a": "b"}
    assert cluster.stop() == 0


def test_what_one_process_acknowledged_the_other_one_reads(etcd, troupe):
    """Consistent reads: GET and LIST without a version see every write that was acknowledged before, wherever."""
    one, two = troupe(), troupe()
    writer, reader = Client(one), Client(two)
    for number in range(60):
        status, made = writer.ask("POST", MAPS, config_map(f"r-{number}", number))
        assert status == 201, made
        status, seen = reader.ask("GET", f"{MAPS}/r-{number}")
        assert status == 200 and seen["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], seen
        # Nor is an old state taken for the present one where nothing would have to be written.
        status, changed = writer.ask("PUT", f"{MAPS}/r-{number}", {**made, "data": {"n": "changed"}})
        assert status == 200, changed
        status, answer = reader.ask("PUT", f"{MAPS}/r-{number}", made)
        assert status == 409, answer
        status, listed = reader.ask("GET", MAPS)
        assert int(listed["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])
        assert any(i["metadata"]["name"] == f"r-{number}" for i in listed["items"])
        if number % 3 == 0:
            assert writer.ask("DELETE", f"{MAPS}/r-{number}")[0] == 200
            assert reader.ask("GET", f"{MAPS}/r-{number}")[0] == 404
    # A namespace that the other one made is there for what is created in it, and its end too.
    for number in range(10):
        assert writer.ask("POST", "/api/v1/namespaces", {"metadata": {"name": f"n{number}"}})[0] == 201
        status, answer = reader.ask("POST", f"/api/v1/namespaces/n{number}/configmaps", config_map("c", 1))
        assert status == 201, answer
    # A watch from a revision that only the other one knows begins right behind it.
    _, last = writer.ask("POST", MAPS, config_map("before", 1))
    _, after = writer.ask("POST", MAPS, config_map("after", 2))
    first = two.watch(f"{MAPS}?watch=1&resourceVersion={last['metadata']['resourceVersion']}", 1)[0]
    assert first["object"]["metadata"]["name"] == "after"


def test_two_processes_change_one_counter_and_lose_no_step(etcd, troupe):
    """Compare-and-set across processes: conflicts are told, no update is lost."""
    both = [troupe(), troupe()]
    Client(both[0]).ask("POST", MAPS, config_map("counter", 0))
    done, conflicts, wrong = [0, 0], [0, 0], []

    def count(which):
        client = Client(both[which])
        while done[which] < 100 and not wrong:
            _, now = client.ask("GET", f"{MAPS}/counter")
            now["data"]["n"] = str(int(now["data"]["n"]) + 1)
            status, answer = client.ask("PUT", f"{MAPS}/counter", now)
            if status == 200:
                done[which] += 1
            elif status == 409:
                conflicts[which] += 1
            else:
                wrong.append(answer)
    threads = [threading.Thread(target=count, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert both[1].get(f"{MAPS}/counter")["data"]["n"] == "200"
    assert sum(conflicts) > 0


def test_cluster_addresses_are_given_once_by_two_processes(etcd, troupe):
    """Both ask for the same address, then for the same port, at the same time: one gets it, the other one is told why not."""
    both = [troupe(), troupe()]
    answers = {}
    together = threading.Barrier(2)

    def create(which):
        client = Client(both[which])
        for number in range(60):
            # Both from the parts of their ranges that nothing is taken from by chance.
            by_address = number % 2 == 0
            spec = {"ports": [{"port": 80, **({} if by_address else {"nodePort": 30000 + number})}], "type": "NodePort"}
            if by_address:
                spec["clusterIP"] = f"10.96.0.{number + 100}"
            together.wait()
            answers[which, number] = client.ask("POST", "/api/v1/namespaces/default/services",
                                                {"metadata": {"name": f"s{which}-{number}"}, "spec": spec})
    threads = [threading.Thread(target=create, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(60):
        codes = sorted(answers[which, number][0] for which in range(2))
        assert codes == [201, 422], [answers[which, number] for which in range(2)]
        refused = next(a for c, a in (answers[0, number], answers[1, number]) if c == 422)
        assert "already allocated" in refused["message"]
    services = [s for s in both[0].get("/api/v1/namespaces/default/services")["items"] if s["metadata"]["name"] != "kubernetes"]
    assert len({s["spec"]["clusterIP"] for s in services}) == len({s["spec"]["ports"][0]["nodePort"] for s in services}) == 60


def test_paging_at_a_revision_and_compaction(etcd, troupe):
    cluster = troupe()
    client = Client(cluster)
    for number in range(30):
        client.ask("POST", MAPS, config_map(f"p-{number:02}", number))
    _, first = client.ask("GET", f"{MAPS}?limit=10")
    client.ask("DELETE", f"{MAPS}/p-25")
    names, page = [i["metadata"]["name"] for i in first["items"]], first
    while token := page["metadata"].get("continue"):
        status, page = client.ask("GET", f"{MAPS}?limit=10&continue={token}")
        assert status == 200, page
        names += [i["metadata"]["name"] for i in page["items"]]
    # All pages are of the first one's revision.
    ours = [name for name in names if name.startswith("p-")]
    assert "p-25" in ours and len(ours) == 30 and names == sorted(names)
    # By the tool, and by whoever compacts etcd: both end in 410.
    _, first = client.ask("GET", f"{MAPS}?limit=10")
    client.ask("DELETE", f"{MAPS}/p-26")
    done = subprocess.run([TROUPE, "store", "compact", "--kubeconfig", cluster.kubeconfig], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    status, answer = client.ask("GET", f"{MAPS}?limit=10&continue={first['metadata']['continue']}")
    assert status == 410 and answer["reason"] == "Expired" and answer["metadata"]["continue"]
    # A watch goes on from what a process remembers, compacted or not; one that begins later remembers less.
    old = f"{MAPS}?watch=1&resourceVersion={first['items'][0]['metadata']['resourceVersion']}"
    assert cluster.watch(old, 1)[0]["type"] == "ADDED"
    lost = troupe().watch(old, 1)[0]
    assert lost["type"] == "ERROR" and lost["object"]["code"] == 410


def test_compaction_on_its_own_is_shared(etcd, troupe):
    """Each interval one of the processes compacts to where the store was one interval ago, by the key of Kubernetes."""
    both = [troupe("--set", "store.compact_seconds=1"), troupe("--set", "store.compact_seconds=1")]
    client = Client(both[0])
    _, made = client.ask("POST", MAPS, config_map("old", 1))
    client.ask("PUT", f"{MAPS}/old", config_map("old", 2))
    exact = f"{MAPS}?resourceVersion={made['metadata']['resourceVersion']}&resourceVersionMatch=Exact"
    eventually(lambda: both[1].http("GET", exact)[0] == 410, 20)
    assert "compact_rev_key" in etcd.keys("compact_rev_key")
    assert both[1].get(f"{MAPS}/old")["data"]["n"] == "2"


def test_a_snapshot_of_etcd_becomes_an_embedded_store(etcd, troupe, tmp_path):
    cluster = troupe()
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    done = subprocess.run([TROUPE, "store", "snapshot", tmp_path / "s", "--kubeconfig", cluster.kubeconfig], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert cluster.stop() == 0
    directory = tmp_path / "embedded"
    shutil.copytree(cluster.data / "pki", directory / "data" / "pki")
    done = subprocess.run([TROUPE, "store", "restore", tmp_path / "s", "--data-dir", directory / "data"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    embedded = Cluster(directory, nodes=0).start()
    try:
        assert embedded.get(f"{MAPS}/kept")["data"] == {"a": "b"}
    finally:
        embedded.stop(signal.SIGKILL)


def test_one_of_two_processes_is_killed_under_load(etcd, troupe):
    both = [troupe(), troupe()]
    watcher = Watcher(both[1], patient=True)
    watcher.list()
    creators = [Creator(both[i % 2], f"k{i}") for i in range(4)]
    for actor in (watcher, *creators):
        actor.start(both[1].tls())
    eventually(lambda: all(len(c.acknowledged) > 30 for c in creators))
    both[0].stop(signal.SIGKILL)
    left = [c for c in creators if c.cluster is both[1]]
    before = [len(c.acknowledged) for c in left]
    eventually(lambda: all(len(c.acknowledged) > b + 100 for c, b in zip(left, before)))
    for creator in creators:
        creator.stopping = True
    for creator in left:
        creator.join()
    there = {i["metadata"]["name"] for i in both[1].get(MAPS)["items"]}
    for creator in creators:
        assert creator.acknowledged <= there
    _, last = Client(both[1]).ask("POST", MAPS, config_map("the-end", 0))
    watcher.goal = int(last["metadata"]["resourceVersion"])
    Client(both[1]).ask("POST", MAPS, config_map("past-the-end", 0))
    watcher.join()
    assert watcher.expired == 0 and there <= watcher.state.keys()


def test_control_loops_run_in_one_process_and_are_taken_over(etcd, troupe):
    """Leader election: after a death when the Lease has run out, after a clean stop at once; each pod is made and placed once."""
    quick = ("--set", "controllers.leader_lease_seconds=4")
    one, two = troupe(*quick), troupe(*quick, nodes=1)

    def holders(cluster):
        leases = [cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}")["spec"]
                  for name in ("kube-controller-manager", "kube-scheduler")]
        return [(lease["holderIdentity"], lease["leaseTransitions"]) for lease in leases]

    def placed(cluster, count):
        pods = cluster.get("/api/v1/namespaces/default/pods")["items"]
        assert len(pods) <= count
        return len(pods) == count and all(pod["spec"].get("nodeName") for pod in pods)
    first = eventually(lambda: holders(one))
    two.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    eventually(lambda: placed(two, 2))
    assert holders(two) == first and {transitions for _, transitions in first} == {0}
    one.stop(signal.SIGKILL)
    two.kubectl("scale", "deployment", "web", "--replicas=4")
    eventually(lambda: placed(two, 4), 15)
    second = holders(two)
    assert {holder for holder, _ in first}.isdisjoint(holder for holder, _ in second)
    assert {transitions for _, transitions in second} == {1}
    # It comes back and follows, until the other one is told to stop and hands over.
    one.start()
    one.kubectl("scale", "deployment", "web", "--replicas=6")
    eventually(lambda: placed(one, 6))
    assert holders(one) == second
    assert two.stop() == 0
    stopped = time.monotonic()
    eventually(lambda: all(holder and (holder, transitions) not in second for holder, transitions in holders(one)), 15)
    assert time.monotonic() - stopped < 2.5  # not only when the Lease has run out
    one.kubectl("scale", "deployment", "web", "--replicas=8")
    eventually(lambda: placed(one, 8))


def test_etcd_restarts_and_service_goes_on(etcd, troupe):
    """etcd is gone for a while: reads from the cache are served, writes wait or are refused, then all goes on."""
    cluster = troupe()
    creator, watcher = Creator(cluster, "c"), Watcher(cluster, patient=True)
    watcher.list()
    for actor in (creator, watcher):
        actor.start(cluster.tls())
    for _ in range(2):
        before = len(creator.acknowledged)
        eventually(lambda: len(creator.acknowledged) > before + 50)
        etcd.members[0].stop(signal.SIGKILL)
        assert cluster.get(f"{MAPS}?resourceVersion=0")["items"]
        time.sleep(0.5)
        etcd.start_member(etcd.members[0])
    before = len(creator.acknowledged)
    eventually(lambda: len(creator.acknowledged) > before + 50, 40)
    creator.stopping = True
    creator.join()
    there = {i["metadata"]["name"] for i in cluster.get(MAPS)["items"]}
    assert creator.acknowledged <= there
    _, last = Client(cluster).ask("POST", MAPS, config_map("the-end", 0))
    watcher.goal = int(last["metadata"]["resourceVersion"])
    Client(cluster).ask("POST", MAPS, config_map("past-the-end", 0))
    watcher.join()
    assert watcher.expired == 0 and there <= watcher.state.keys()
    print(f"acknowledged={len(creator.acknowledged)} retries={creator.retries} unsure={len(creator.unsure)}")


def test_what_is_wrong_with_the_configuration_is_said(tmp_path):
    def up(*settings):
        command = [TROUPE, "up", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", "--nodes", "0"]
        for one in settings:
            command += ["--set", one]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr
    assert up("store.backend=etcd") == (2, "troupe up: store.endpoints: required with store.backend etcd\n")
    code, said = up("store.backend=etcd", "store.endpoints=https://127.0.0.1:1")
    assert code == 2 and "store.ca: required for the endpoint https://127.0.0.1:1" in said
    code, said = up("store.backend=etcd", "store.endpoints=127.0.0.1:1")
    assert code == 2 and "must be https://HOST:PORT or http://HOST:PORT" in said
    code, said = up("store.endpoints=http://127.0.0.1:1")
    assert code == 2 and "only with store.backend etcd" in said
    code, said = up("store.backend=etcd", "store.endpoints=http://127.0.0.1:1", "store.cert=x")
    assert code == 2 and "store.cert, store.key" in said
    code, said = up("store.backend=etcd", "store.endpoints=https://127.0.0.1:1", f"store.ca={tmp_path}/none")
    assert code == 1 and f"{tmp_path}/none" in said
