"""Three members of etcd on machines of their own, with TLS, and two Troupe processes that serve one cluster."""
import signal
import time

import pytest

from cluster import Node
from conftest import eventually, may_skip_root_tests, said
from etcd import Authority, processes, three_machines
from storm import MAPS, TRY_AGAIN, Client, Creator, Watcher, config_map
from test_cluster import pod

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="network namespaces take root")


@pytest.fixture
def etcd(tmp_path):
    with three_machines(tmp_path / "etcd") as made:
        yield made


@pytest.fixture
def troupe(etcd, tmp_path):
    """Makes Troupe processes beside the members; they share them."""
    with processes(etcd, tmp_path) as make:
        yield make


def recovered(creators, seconds=40):
    """How long it takes until each of them has been promised something new, twice."""
    begun = time.monotonic()
    before = [len(c.acknowledged) for c in creators]
    eventually(lambda: all(len(c.acknowledged) > b + 1 for c, b in zip(creators, before)), seconds, every=0.01)
    return time.monotonic() - begun


def proceed(creators, steps=25):
    before = [len(c.acknowledged) for c in creators]
    eventually(lambda: all(len(c.acknowledged) > b + steps for c, b in zip(creators, before)), 60)


def test_members_and_a_process_die_under_load_and_service_goes_on(etcd, troupe):
    one, two = troupe().start(), troupe().start()
    both = (one, two)
    creators = [Creator(both[i % 2], f"c{i}") for i in range(4)]
    watchers = [Watcher(cluster, patient=True) for cluster in both]
    for watcher in watchers:
        watcher.list()
    for actor in (*creators, *watchers):
        actor.start(actor.cluster.tls())
    times = {}
    try:
        proceed(creators)
        # The leader dies.
        leader = etcd.leader()
        leader.stop(signal.SIGKILL)
        times["leader killed"] = recovered(creators)
        proceed(creators)
        etcd.start_member(leader)
        etcd.wait_until_healthy()
        # A follower dies, each of them once: the one that the processes talk to is among them.
        for member in [m for m in etcd.members if m is not etcd.leader()]:
            member.stop(signal.SIGKILL)
            times[f"follower {member.name} killed"] = recovered(creators)
            proceed(creators)
            etcd.start_member(member)
            etcd.wait_until_healthy()
        # The leader's cable is cut: nobody is told, all is silent.
        leader = etcd.leader()
        leader.network.cut()
        times["leader cut off"] = recovered(creators)
        proceed(creators)
        leader.network.heal()
        etcd.wait_until_healthy()
        proceed(creators)
        # One of the two processes dies.
        one.stop(signal.SIGKILL)
        left = [c for c in creators if c.cluster is two]
        times["process killed"] = recovered(left)
        proceed(left)
    finally:
        for actor in (*creators, watchers[0]):
            actor.stopping = True
    for creator in creators:
        if creator.cluster is two:
            creator.join()
    there = {i["metadata"]["name"]: int(i["metadata"]["resourceVersion"]) for i in two.get(MAPS)["items"]}
    for creator in creators:
        assert creator.error is None and creator.acknowledged <= there.keys(), creator.acknowledged - there.keys()
    # The watch of the process that lived missed nothing and repeated nothing (Watcher checks each event).
    _, last = Client(two).ask("POST", MAPS, config_map("the-end", 0))
    watchers[1].goal = int(last["metadata"]["resourceVersion"])
    Client(two).ask("POST", MAPS, config_map("past-the-end", 0))
    watchers[1].join()
    assert watchers[1].expired == 0 and watchers[0].error is None
    assert {n: r for n, r in watchers[1].state.items() if n in there} == there
    # A process that starts again serves what is there.
    one.start()
    assert there.keys() <= {i["metadata"]["name"] for i in one.get(MAPS)["items"]}
    print("acknowledged", sum(len(c.acknowledged) for c in creators), "to try again", sum(c.retries for c in creators),
          "seconds until service:", {k: round(v, 2) for k, v in times.items()})
    assert one.stop() == 0 and two.stop() == 0


def test_a_node_is_linked_to_both_processes(etcd, troupe, tmp_path):
    """Logs come by way of either; the death of the one that carries the node's requests is no outage of the node."""
    planes = []
    for port in (6444, 6445):
        planes.append(troupe("--set", f"link.listen=127.0.0.1:{port}").start())
        planes[-1].link_port = port
    servers = {f"127.0.0.1:{plane.link_port}": plane for plane in planes}
    node = Node(tmp_path / "node", planes[0], "worker", sandbox=etcd.hub, extra=["--server", "127.0.0.1:6445"]).start()

    def logs():
        return all("hollow container main" in plane.kubectl("logs", "a") for plane in planes if plane.process.poll() is None)

    def renewed():
        return planes[-1].get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-0")["spec"]["renewTime"]
    try:
        eventually(lambda: planes[0].node_ready("worker-0"))
        for plane in planes:
            eventually(lambda: said(plane.log, "link.up"))
        planes[0].kubectl("create", "-f", "-", stdin=pod("a", node="worker-0"))
        eventually(lambda: planes[0].pod_running("a"))
        assert logs()
        dies = servers[said(node.log, "link.up")[0].split(" server=")[1]]
        planes.sort(key=lambda plane: plane is not dies)  # the one that dies first
        before = renewed()
        dies.stop(signal.SIGKILL)
        begun = time.monotonic()
        assert logs()
        planes[-1].kubectl("create", "-f", "-", stdin=pod("b", node="worker-0"))
        eventually(lambda: planes[-1].pod_running("b"), 5)
        eventually(lambda: renewed() > before, 5)
        assert planes[-1].node_ready("worker-0")
        assert said(node.log, "link.taken_over")[0].endswith(f"server=127.0.0.1:{planes[-1].link_port}")
        dies.start()
        eventually(lambda: len(said(dies.log, "link.up")) == 2)
        assert logs()
        print("seconds with one process, its restart included:", round(time.monotonic() - begun, 2))
        assert node.stop() == 0
    finally:
        node.stop(signal.SIGKILL)


def test_a_member_that_has_lost_the_others_serves_no_old_state(etcd, troupe):
    """What one process reads is what the other one was promised, also while the member they talk to is alone."""
    lonely = etcd.members[0]  # whom they ask first
    etcd.lead(etcd.members[1])
    writer, reader = Client(troupe().start()), Client(troupe().start())
    written = read = 0

    def write_and_read(count):
        nonlocal written, read
        for _ in range(count):
            written += 1
            status, made = writer.ask("POST", MAPS, config_map(f"x-{written}", written))
            assert status == 201, made
            status, seen = reader.ask("GET", f"{MAPS}/x-{written}")
            assert status == 200 or status in TRY_AGAIN, f"x-{written}: {status} {seen}"
            read += status == 200
    write_and_read(20)
    lonely.network.isolate(2380)
    write_and_read(40)
    lonely.network.rejoin()
    etcd.wait_until_healthy()
    write_and_read(20)
    assert read >= 70


def test_strangers_are_told_apart(etcd, troupe, tmp_path):
    """A wrong authority, and no certificate: the log says which member refused and why; the API is not ready."""
    other = Authority(tmp_path / "other", "another")
    authority, certificate, key = etcd.credentials

    def settings(ca, cert, its_key):
        out = ["--set", "store.backend=etcd", "--set", f"store.ca={ca}", "--set", f"store.cert={cert}", "--set", f"store.key={its_key}"]
        for member in etcd.members:
            out += ["--set", f"store.endpoints={member.client}"]
        return out
    stranger = other.issue("stranger")
    for flags in (settings(other.certificate, certificate, key), settings(authority, *stranger)):
        cluster = troupe(settings=flags)
        cluster.start(wait=False)
        try:
            eventually(lambda: "store.etcd_unreachable" in cluster.log.read_text(), 20)
            eventually(lambda: cluster.http("GET", "/livez/ping")[0] == 200)
            assert cluster.http("GET", "/readyz")[0] != 200
        finally:
            cluster.stop(signal.SIGKILL)
    # With the right ones it comes up.
    assert troupe().start().stop() == 0
