"""Service traffic through the real kernel: namespaces as pods, Services without selector, hand-made EndpointSlices."""
import collections
import json
import socket
import subprocess
import threading
import time

import pytest

from conftest import TROUPE, Cluster, Sandbox, eventually, may_skip_root_tests
from network import Pods, ask
from test_containers import images, import_images, node_ready  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="packets and their filters take root")

SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class ProxyCluster(Cluster):
    """A cluster whose process lives in the node's namespace."""

    def __init__(self, directory, network, **options):
        super().__init__(directory, extra=["--set", "kube_proxy.enabled=true"], **options)
        self.network = network

    def start(self, wait=True):
        with self.network.node.inside():
            return super().start(wait)

    def http(self, *arguments, **options):
        with self.network.node.inside():
            return super().http(*arguments, **options)

    def kubectl(self, *arguments, **options):
        with self.network.node.inside():
            return super().kubectl(*arguments, **options)

    def tables(self):
        return self.network.node.run("nft", "list", "tables")

    def make(self, path, content):
        status, text = self.http("POST", path, json.dumps(content))
        assert status == 201, text
        return json.loads(text)

    def service(self, name, address, ports=({"port": 80, "targetPort": 8080},), **spec):
        self.make(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                             "spec": {"clusterIP": address, "ports": list(ports), **spec}})

    def endpoints(self, name, hosts, ports=({"name": "", "port": 8080},), local=True):
        """Makes the Service's only slice, or replaces it."""
        content = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                   "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "ports": list(ports),
                   "endpoints": [{"addresses": [host], "conditions": {"ready": True},
                                  **({"nodeName": "hollow-0"} if local else {})} for host in hosts]}
        status, text = self.http("PUT", f"{SLICES}/{name}", json.dumps(content))
        if status == 404:
            self.make(SLICES, content)
        else:
            assert status in (200, 201), text


@pytest.fixture(scope="module")
def network():
    made = Pods()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(network, tmp_path_factory):
    made = ProxyCluster(tmp_path_factory.mktemp("proxy"), network).start()
    yield made
    assert made.stop() == 0, made.log.read_text()[-2000:]
    assert "troupe" not in made.tables()


PODS = ["10.244.0.2", "10.244.0.3", "10.244.0.4"]
NAMES = {"pod2", "pod3", "pod4"}


def answers(source, address, port, times=1, timeout=3):
    return [ask(source, address, port, timeout) for _ in range(times)]


def served(source, address, port, by):
    """Waits until connections are answered by exactly these pods."""
    def check():
        seen = {name for name, _ in answers(source, address, port, 8 * len(by))}
        return seen == set(by)
    eventually(check)


@pytest.mark.parametrize("whence", ["pod", "host", "outside"])
def test_connections_are_shared_over_all_endpoints(cluster, network, whence):
    address = {"pod": "10.96.1.1", "host": "10.96.1.2", "outside": "10.96.1.3"}[whence]
    cluster.service(f"spread-{whence}", address)
    cluster.endpoints(f"spread-{whence}", PODS)
    source = {"pod": network.pods[PODS[0]], "host": network.node, "outside": network.client}[whence]
    served(source, address, 80, NAMES)
    counts = collections.Counter(name for name, _ in answers(source, address, 80, 300))
    # Binomial, 300 x 1/3: five standard deviations are 41.
    assert set(counts) == NAMES and all(59 <= n <= 141 for n in counts.values()), counts
    sources = {seen for _, seen in answers(source, address, 80, 30)}
    # A pod is seen as itself (or, by itself, as the bridge); whoever is not of the cluster is masqueraded.
    assert sources <= ({PODS[0], "10.244.0.1"} if whence == "pod" else {"10.244.0.1"})


def test_a_node_port_answers_on_the_machines_addresses_from_outside_and_from_the_host(cluster, network):
    cluster.service("node-port", "10.96.1.10", [{"port": 80, "targetPort": 8080, "nodePort": 30080}], type="NodePort")
    cluster.endpoints("node-port", PODS)
    for source, address in ((network.client, "192.0.2.1"), (network.node, "192.0.2.1"), (network.node, "10.244.0.1"),
                            (network.pods[PODS[1]], "10.244.0.1")):
        served(source, address, 30080, NAMES)
        assert {seen for _, seen in answers(source, address, 30080, 10)} == {"10.244.0.1"}


def test_external_addresses_and_source_ranges(cluster, network):
    cluster.service("external", "10.96.1.11", externalIPs=["203.0.113.7"])
    cluster.endpoints("external", PODS)
    served(network.client, "203.0.113.7", 80, NAMES)
    served(network.pods[PODS[0]], "203.0.113.7", 80, NAMES)
    cluster.service("balanced", "10.96.1.12", type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/25", "192.0.2.0/24"])
    cluster.endpoints("balanced", PODS)
    status, text = cluster.http("PATCH", f"{SERVICES}/balanced/status", json.dumps(
        {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}]}}}), "application/merge-patch+json")
    assert status == 200, text
    served(network.client, "203.0.113.8", 80, NAMES)
    with pytest.raises(TimeoutError):
        ask(network.pods[PODS[0]], "203.0.113.8", 80, timeout=1)


def test_a_client_with_affinity_stays_with_its_endpoint(cluster, network):
    affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}
    cluster.service("sticky", "10.96.1.20", [{"port": 80, "targetPort": 8080, "nodePort": 30081}], type="NodePort", **affinity)
    cluster.endpoints("sticky", PODS)
    chosen = {}
    for host in PODS:
        eventually(lambda: ask(network.pods[host], "10.96.1.20", 80))
        seen = {name for name, _ in answers(network.pods[host], "10.96.1.20", 80, 20)}
        assert len(seen) == 1, seen
        chosen[host] = seen.pop()
    assert len({name for name, _ in answers(network.client, "192.0.2.1", 30081, 20)}) == 1
    # The endpoint of the first pod's choice goes: that client is given another one and stays there; the others stay.
    gone = chosen[PODS[0]]
    left = [host for host in PODS if not host.endswith(gone[-1])]
    cluster.endpoints("sticky", left)
    eventually(lambda: ask(network.pods[PODS[0]], "10.96.1.20", 80)[0] != gone)
    for host in PODS:
        seen = {name for name, _ in answers(network.pods[host], "10.96.1.20", 80, 20)}
        assert len(seen) == 1, seen
        assert seen == {chosen[host]} or chosen[host] == gone


def test_a_pod_reaches_itself_through_its_service(cluster, network):
    cluster.service("hairpin", "10.96.1.30")
    cluster.endpoints("hairpin", [PODS[0]])
    served(network.pods[PODS[0]], "10.96.1.30", 80, {"pod2"})
    assert ask(network.pods[PODS[0]], "10.96.1.30", 80) == ("pod2", "10.244.0.1")


def test_a_service_without_endpoints_refuses_at_once(cluster, network):
    cluster.service("empty", "10.96.1.40", [{"port": 80, "targetPort": 8080, "nodePort": 30082}], type="NodePort")
    cluster.endpoints("empty", [PODS[0]])
    served(network.node, "10.96.1.40", 80, {"pod2"})
    cluster.endpoints("empty", [])
    tries = [(network.node, "10.96.1.40", 80), (network.pods[PODS[1]], "10.96.1.40", 80), (network.client, "10.96.1.40", 80),
             (network.client, "192.0.2.1", 30082), (network.node, "192.0.2.1", 30082)]

    def refuses(source, address, port):
        try:
            ask(source, address, port, timeout=1)
        except ConnectionRefusedError:
            return True
    for one in tries:
        eventually(lambda: refuses(*one))
    # A port that the Service does not have is refused, too; the unknown port of an empty Service as well.
    assert refuses(network.node, "10.96.1.40", 81) and refuses(network.pods[PODS[1]], "10.96.1.40", 81)


def test_traffic_policies_that_are_local(cluster, network):
    cluster.service("local", "10.96.1.50", [{"port": 80, "targetPort": 8080, "nodePort": 30083}], type="NodePort",
                    externalTrafficPolicy="Local")
    cluster.endpoints("local", PODS)
    served(network.client, "192.0.2.1", 30083, NAMES)
    # The client's address is kept.
    assert {seen for _, seen in answers(network.client, "192.0.2.1", 30083, 10)} == {"192.0.2.2"}
    cluster.endpoints("local", PODS, local=False)

    def unanswered():
        try:
            ask(network.client, "192.0.2.1", 30083, timeout=0.5)
        except (AssertionError, OSError):
            return True
        return False

    eventually(unanswered)  # kube_proxy hears of it in its own time
    assert unanswered()
    served(network.node, "192.0.2.1", 30083, NAMES)
    served(network.pods[PODS[0]], "10.96.1.50", 80, NAMES)
    cluster.service("inside", "10.96.1.51", internalTrafficPolicy="Local")
    cluster.endpoints("inside", [PODS[2]])
    served(network.node, "10.96.1.51", 80, {"pod4"})


def test_a_udp_client_that_never_pauses_follows_the_endpoints(cluster, network):
    ports = [{"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353, "nodePort": 30053}]
    slice_ports = [{"name": "dns", "protocol": "UDP", "port": 5353}]
    cluster.service("names", "10.96.1.60", ports, type="NodePort")
    cluster.endpoints("names", [PODS[1]], slice_ports)
    for source, address, port in ((network.pods[PODS[0]], "10.96.1.60", 53), (network.client, "192.0.2.1", 30053)):
        cluster.endpoints("names", [PODS[1]], slice_ports)
        with source.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with client:
            client.settimeout(0.3)
            client.connect((address, port))

            def reply():
                client.send(b"x")
                return client.recv(100).decode().split()[0]
            eventually(lambda: reply() == "pod3")
            assert [reply() for _ in range(5)] == ["pod3"] * 5
            cluster.endpoints("names", [PODS[2]], slice_ports)
            eventually(lambda: reply() == "pod4", seconds=5, every=0.01)
            assert [reply() for _ in range(5)] == ["pod4"] * 5


def restarts(cluster):
    tree = {a["path"]: a for a in cluster.get("/debug/troupe/actors")["actors"]}
    return tree["root/kube_proxy"]["restarts"], tree["root/kube_proxy"]["state"]


def test_a_crash_of_the_proxy_interrupts_nobody(cluster, network):
    cluster.service("steady", "10.96.1.70")
    cluster.endpoints("steady", PODS[:2])
    served(network.node, "10.96.1.70", 80, {"pod2", "pod3"})
    failures, count, stop = [], [0], threading.Event()

    def load():
        while not stop.is_set():
            try:
                ask(network.pods[PODS[2]], "10.96.1.70", 80, timeout=1)
                count[0] += 1
            except OSError as error:
                failures.append(error)
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for number in range(1, 4):
            with network.node.inside():
                subprocess.run([TROUPE, "debug", "crash", "--kubeconfig", cluster.kubeconfig, "root/kube_proxy"], check=True)
            eventually(lambda: restarts(cluster) == (number, "running"))
        cluster.endpoints("steady", PODS)
        served(network.node, "10.96.1.70", 80, NAMES)
        time.sleep(0.2)
    finally:
        stop.set()
        thread.join()
    assert not failures and count[0] > 50, (failures, count)


def test_a_table_that_somebody_flushed_comes_back(cluster, network):
    cluster.service("flushed", "10.96.1.80")
    cluster.endpoints("flushed", PODS[:1])
    served(network.node, "10.96.1.80", 80, {"pod2"})
    network.node.run("nft", "flush", "ruleset")
    cluster.endpoints("flushed", PODS[1:2])
    served(network.node, "10.96.1.80", 80, {"pod3"})


def test_what_is_measured(cluster):
    _, text = cluster.http("GET", "/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("kubeproxy_"))
    assert float(values['kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"}']) >= 1
    assert float(values['kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"}']) >= 2
    assert float(values["kubeproxy_sync_proxy_rules_service_changes_total"]) >= 2


@pytest.fixture
def own_network():
    made = Pods()
    yield made
    made.close()


def test_kill_leaves_the_table_serving_and_the_next_start_takes_over(own_network, tmp_path):
    network = own_network
    cluster = ProxyCluster(tmp_path, network).start()
    cluster.service("kept", "10.96.2.1")
    cluster.endpoints("kept", PODS)
    served(network.node, "10.96.2.1", 80, NAMES)
    cluster.stop(9)
    assert {name for name, _ in answers(network.node, "10.96.2.1", 80, 40)} == NAMES
    cluster.start()
    cluster.endpoints("kept", PODS[:1])
    served(network.node, "10.96.2.1", 80, {"pod2"})
    assert cluster.stop() == 0
    assert "troupe" not in cluster.tables()


def test_without_the_right_there_is_no_proxy_and_the_log_says_so(own_network, tmp_path):
    cluster = ProxyCluster(tmp_path, own_network)
    cluster.arguments = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *cluster.arguments]
    cluster.start()
    assert "root/kube_proxy" not in {a["path"] for a in cluster.get("/debug/troupe/actors")["actors"]}
    assert cluster.stop() == 0
    assert cluster.log.read_text().count("kube_proxy.off") == 1


def test_a_balanced_service_answers_at_the_nodes_address(own_network, tmp_path):
    cluster = ProxyCluster(tmp_path, own_network)
    cluster.arguments += ["--set", "cloud.provider=local"]
    cluster.start()
    cluster.service("balanced", "10.96.3.1", type="LoadBalancer")
    cluster.endpoints("balanced", PODS)
    ingress = eventually(lambda: cluster.get(f"{SERVICES}/balanced")["status"]["loadBalancer"]["ingress"])
    node = cluster.get("/api/v1/nodes/hollow-0")["status"]["addresses"]
    assert ingress[0]["ip"] == next(a["address"] for a in node if a["type"] == "InternalIP")
    served(own_network.client, ingress[0]["ip"], 80, NAMES)
    assert cluster.stop() == 0


def test_a_balanced_service_answers_at_its_address_of_the_pool_for_its_ports_only(own_network, tmp_path):
    network = own_network
    cluster = ProxyCluster(tmp_path, network)
    cluster.arguments += ["--set", "cloud.load_balancer_pool=192.0.2.129-192.0.2.129"]
    cluster.start()
    cluster.service("balanced", "10.96.3.1", type="LoadBalancer")
    cluster.endpoints("balanced", PODS)
    ingress = eventually(lambda: cluster.get(f"{SERVICES}/balanced")["status"]["loadBalancer"]["ingress"])
    assert ingress == [{"ip": "192.0.2.129", "ipMode": "VIP"}]
    for source in (network.client, network.node, network.pods[PODS[0]]):
        served(source, "192.0.2.129", 80, NAMES)
    with network.node.inside(), socket.create_server(("0.0.0.0", 9999)):  # the machine's own: at its own address only
        with network.client.inside():
            socket.create_connection(("192.0.2.1", 9999), 3).close()
        for source in (network.client, network.node):
            with source.inside(), pytest.raises(ConnectionRefusedError):
                socket.create_connection(("192.0.2.129", 9999), 3)
    # The pool is used up, until the first one goes.
    cluster.service("second", "10.96.3.2", type="LoadBalancer")
    cluster.endpoints("second", PODS[:1])
    eventually(lambda: "no address of the pool 192.0.2.129-192.0.2.129 is free" in cluster.kubectl("describe", "service", "second"))
    cluster.kubectl("delete", "service", "balanced")
    served(network.client, "192.0.2.129", 80, {"pod2"})
    cluster.kubectl("patch", "service", "second", "-p", '{"spec":{"type":"ClusterIP"}}')
    eventually(lambda: "lo:troupe" not in network.node.run("ip", "addr"))
    assert "finalizers" not in cluster.get(f"{SERVICES}/second")["metadata"]
    # What the first one had is free again.
    cluster.service("third", "10.96.3.1", type="LoadBalancer")
    eventually(lambda: "lo:troupe" in network.node.run("ip", "addr"))
    assert cluster.stop() == 0
    assert "lo:troupe" not in network.node.run("ip", "addr")


WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: localhost/busybox:1
        command: [sh, -c, "mkdir /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: http, nodePort: 30080}]
"""


def test_containers_behind_a_service(images, tmp_path):
    sandbox = Sandbox()
    try:
        # A way out, as any machine has one: without it the host itself knows no way to a cluster address.
        sandbox.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "beyond")
        sandbox.run("ip", "addr", "add", "192.0.2.1/24", "dev", "uplink")
        for name in ("uplink", "beyond"):
            sandbox.run("ip", "link", "set", name, "up")
        sandbox.run("ip", "route", "add", "default", "via", "192.0.2.2")
        cluster = Cluster(tmp_path, runtime="cri", sandbox=sandbox, extra=["--set", "nodes.name_prefix=node"]).start()
        import_images(cluster, images)
        eventually(lambda: node_ready(cluster), 30)
        cluster.kubectl("create", "-f", "-", stdin=WEB)
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        address = cluster.get("/api/v1/namespaces/default/services/web")["spec"]["clusterIP"]
        names = {p["metadata"]["name"] for p in cluster.get("/api/v1/namespaces/default/pods")["items"]}
        for where, port in ((address, 80), ("192.0.2.1", 30080)):
            eventually(lambda: {sandbox.http(where, port)[1].strip() for _ in range(20)} == names)
            counts = collections.Counter(sandbox.http(where, port)[1].strip() for _ in range(300))
            assert set(counts) == names and all(59 <= n <= 141 for n in counts.values()), counts
        cluster.kubectl("scale", "deployment/web", "--replicas=1")
        eventually(lambda: len({sandbox.http(address, 80)[1] for _ in range(20)}) == 1, 30)
        assert cluster.stop() == 0
        assert "troupe" not in sandbox.run("nft", "list", "tables")
    finally:
        sandbox.close()
