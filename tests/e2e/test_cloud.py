"""The cloud controllers with the local provider: nodes get their place, and go with their machines."""
import json
import subprocess

from conftest import TROUPE, eventually


def test_nodes_get_id_and_place_and_go_with_their_machine(own_cluster):
    cluster = own_cluster(nodes=2, extra=["--set", "cloud.provider=local", "--set", "controllers.node_grace_seconds=2",
                                          "--set", "nodes.heartbeat_seconds=1"]).start()

    def node(name):
        return cluster.get(f"/api/v1/nodes/{name}")
    for name in ("hollow-0", "hollow-1"):
        eventually(lambda: node(name)["spec"].get("providerID") == f"local://{name}")
    machines = {"hollow-0": "{zone: east-1, region: east, addresses: {ExternalIP: 203.0.113.1}}", "hollow-1": "zone: west-1",
                "by-hand": ""}
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "local-cloud", "namespace": "kube-system"},
               "data": machines}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(content))
    eventually(lambda: node("hollow-0")["metadata"]["labels"].get("topology.kubernetes.io/zone") == "east-1")
    eventually(lambda: {"type": "ExternalIP", "address": "203.0.113.1"} in node("hollow-0")["status"]["addresses"])
    assert {a["type"] for a in node("hollow-0")["status"]["addresses"]} == {"ExternalIP", "InternalIP", "Hostname"}
    assert "203.0.113.1" in cluster.kubectl("get", "nodes", "-o", "wide")
    # A node that registers with the cloud's taint loses it.
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "by-hand"},
         "spec": {"taints": [{"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}]}}))
    eventually(lambda: node("by-hand")["spec"].get("providerID") == "local://by-hand")
    assert "uninitialized" not in json.dumps(node("by-hand")["spec"].get("taints", []))
    # Machines that are not in the list any more: the node that still reports stays, the one that does not goes.
    cluster.kubectl("patch", "configmap", "-n", "kube-system", "local-cloud", "--type=merge", "-p",
                    json.dumps({"data": {"by-hand": None, "hollow-1": None}}))
    eventually(lambda: "by-hand" not in cluster.kubectl("get", "nodes", "-o", "name"))
    assert node("hollow-1")["spec"]["providerID"] == "local://hollow-1"
    subprocess.run([TROUPE, "debug", "stop", "--kubeconfig", cluster.kubeconfig, "root/nodes/hollow-1/kubelet"], check=True)
    eventually(lambda: cluster.kubectl("get", "nodes", "-o", "name").split() == ["node/hollow-0"])
    events = eventually(lambda: cluster.kubectl("get", "events", "-A", "--field-selector", "reason=DeletingNode"))
    assert "does not exist in the cloud provider" in events
    assert cluster.stop() == 0


def test_a_balanced_service_without_a_proxy_stays_pending_and_says_why(own_cluster):
    cluster = own_cluster(nodes=1, extra=["--set", "cloud.provider=local"]).start()
    cluster.kubectl("create", "service", "loadbalancer", "web", "--tcp=80:8080")
    eventually(lambda: "no service proxy runs" in cluster.kubectl("describe", "service", "web"))
    assert "<pending>" in cluster.kubectl("get", "service", "web")
    assert cluster.stop() == 0
