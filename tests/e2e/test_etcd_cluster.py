"""Three members of etcd on machines of their own, with TLS, and two Troupe processes that serve one cluster."""
import signal
import time

import pytest

from conftest import Cluster, eventually, may_skip_root_tests
from etcd import Authority, processes, three_machines
from storm import MAPS, TRY_AGAIN, Client, Creator, Watcher, config_map

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
