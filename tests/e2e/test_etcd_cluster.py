"""Three members of etcd on machines of their own, with TLS, and two Troupe processes that serve one cluster."""
import os
import shutil
import signal
import time

import pytest

from conftest import Cluster, Sandbox, eventually, may_skip_root_tests
from etcd import Authority, three_machines
from storm import MAPS, Client, Creator, Watcher, config_map

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="network namespaces take root")


@pytest.fixture
def machines(tmp_path):
    hub = Sandbox()
    etcd = three_machines(hub, tmp_path / "etcd").start()
    yield hub, etcd
    etcd.stop()
    hub.close()


def troupe(hub, etcd, directory, first=None, settings=None):
    """A Troupe process on the hub; it shares the certificates of the first one."""
    cluster = Cluster(directory, nodes=0, extra=settings or etcd.settings())
    cluster.sandbox = hub
    cluster.data.mkdir(parents=True)
    if first:
        shutil.copytree(first.data / "pki", cluster.data / "pki")
    return cluster


def recovered(creators, seconds=40):
    """How long it takes until each of them has been promised something new, twice."""
    begun = time.monotonic()
    before = [len(c.acknowledged) for c in creators]
    eventually(lambda: all(len(c.acknowledged) > b + 1 for c, b in zip(creators, before)), seconds, every=0.01)
    return time.monotonic() - begun


def proceed(creators, steps=60):
    before = [len(c.acknowledged) for c in creators]
    eventually(lambda: all(len(c.acknowledged) > b + steps for c, b in zip(creators, before)), 60)


def test_members_and_a_process_die_under_load_and_service_goes_on(machines, tmp_path):
    hub, etcd = machines
    one = troupe(hub, etcd, tmp_path / "one").start()
    two = troupe(hub, etcd, tmp_path / "two", one).start()
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
        leader.start(etcd.initial)
        eventually(lambda: etcd.ctl("endpoint", "health"), 30)
        # A follower dies, each of them once: the one that the processes talk to is among them.
        for member in [m for m in etcd.members if m is not etcd.leader()]:
            member.stop(signal.SIGKILL)
            times[f"follower {member.name} killed"] = recovered(creators)
            proceed(creators)
            member.start(etcd.initial)
            eventually(lambda: etcd.ctl("endpoint", "health"), 30)
        # The leader's cable is cut: nobody is told, all is silent.
        leader = etcd.leader()
        leader.network.cut()
        times["leader cut off"] = recovered(creators)
        proceed(creators)
        leader.network.heal()
        eventually(lambda: etcd.ctl("endpoint", "health"), 30)
        proceed(creators)
        # One of the two processes dies.
        one.stop(signal.SIGKILL)
        left = [c for c in creators if c.cluster is two]
        times["process killed"] = recovered(left)
        proceed(left)
    finally:
        for creator in creators:
            creator.stopping = True
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


def test_a_follower_that_is_cut_off_serves_no_old_state(machines, tmp_path):
    """What one process reads is what the other one was promised, also while the member it talks to is alone."""
    hub, etcd = machines
    one = troupe(hub, etcd, tmp_path / "one").start()
    two = troupe(hub, etcd, tmp_path / "two", one).start()
    writer, reader = Client(one), Client(two)
    number, cut = 0, []
    end = time.monotonic() + 12
    while time.monotonic() < end:
        number += 1
        if number % 400 == 200:
            member = etcd.members[(number // 400) % 3]
            member.network.cut()
            cut.append(member)
        if number % 400 == 399 and cut:
            cut.pop().network.heal()
        status, made = writer.ask("POST", MAPS, config_map(f"x-{number}", number))
        if status != 201:
            continue
        status, seen = reader.ask("GET", f"{MAPS}/x-{number}")
        assert status in (200, 500, 503, 504), f"x-{number}: {status} {seen}"
    assert number > 200
    assert one.stop() == 0 and two.stop() == 0


def test_strangers_are_told_apart(machines, tmp_path):
    """A wrong authority, and no certificate: the log says which member refused and why; the API is not ready."""
    hub, etcd = machines
    other = Authority(tmp_path / "other", "another")
    authority, certificate, key = etcd.credentials

    def settings(ca, cert, its_key):
        out = ["--set", "store.backend=etcd", "--set", f"store.ca={ca}", "--set", f"store.cert={cert}", "--set", f"store.key={its_key}"]
        for member in etcd.members:
            out += ["--set", f"store.endpoints={member.client}"]
        return out
    stranger = other.issue("stranger")
    for name, flags in (("authority", settings(other.certificate, certificate, key)), ("client", settings(authority, *stranger))):
        cluster = troupe(hub, etcd, tmp_path / name, settings=flags)
        cluster.start(wait=False)
        try:
            eventually(lambda: "store.etcd_unreachable" in cluster.log.read_text(), 20)
            eventually(lambda: cluster.http("GET", "/livez/ping")[0] == 200)
            assert cluster.http("GET", "/readyz")[0] != 200
        finally:
            cluster.stop(signal.SIGKILL)
    # With the right ones it comes up.
    cluster = troupe(hub, etcd, tmp_path / "right").start()
    assert cluster.stop() == 0
