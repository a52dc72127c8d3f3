"""Components act with the rights of their own roles, as in Kubernetes, and with no others."""
import json

import pytest
import yaml

from conftest import ROOT, eventually

WEB = (ROOT / "configs/examples/web.yaml").read_text()
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def watched(own_cluster):
    """A cluster that logs every write of a controller that fails."""
    cluster = own_cluster(nodes=2, extra=["--set", "log.level=debug", "--set", "nodes.heartbeat_seconds=1", "--set",
                                            "controllers.node_grace_seconds=6"]).start()
    yield cluster
    assert cluster.stop() == 0


def test_the_roles_suffice_for_all_that_controllers_do(watched):
    kubectl = watched.kubectl
    kubectl("create", "namespace", "full")
    kubectl("apply", "-n", "full", "-f", "-", stdin=WEB)
    kubectl("rollout", "status", "deployment/web", "-n", "full")
    kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1", "-n", "full")
    budget = "/apis/policy/v1/namespaces/full/poddisruptionbudgets/web"
    eventually(lambda: watched.get(budget)["status"]["currentHealthy"] == 3)
    kubectl("create", "-n", "full", "-f", "-", stdin=CLAIM)
    eventually(lambda: watched.get("/api/v1/namespaces/full/endpoints/web")["subsets"])
    # Adoption and release, a new template, scaling, history, a changed root certificate, foreground and orphaning deletion.
    pod = watched.get("/api/v1/namespaces/full/pods?labelSelector=app%3Dweb")["items"][0]["metadata"]["name"]
    kubectl("label", "pod", pod, "app=other", "--overwrite", "-n", "full")
    eventually(lambda: "ownerReferences" not in watched.pod(pod, "full")["metadata"])
    kubectl("label", "pod", pod, "app=web", "--overwrite", "-n", "full")
    kubectl("set", "image", "deployment/web", "nginx=localhost/nginx:2", "-n", "full")
    kubectl("rollout", "status", "deployment/web", "-n", "full")
    kubectl("scale", "deployment/web", "--replicas=1", "-n", "full")
    kubectl("rollout", "status", "deployment/web", "-n", "full")
    kubectl("patch", "configmap", "kube-root-ca.crt", "-n", "full", "-p", '{"data":{"ca.crt":"mine"}}')
    eventually(lambda: watched.get("/api/v1/namespaces/full/configmaps/kube-root-ca.crt")["data"]["ca.crt"] != "mine")
    kubectl("delete", "serviceaccount", "default", "-n", "full")
    eventually(lambda: watched.http("GET", "/api/v1/namespaces/full/serviceaccounts/default")[0] == 200)
    kubectl("delete", "deployment", "web", "-n", "full", "--cascade=orphan")
    sets = watched.get("/apis/apps/v1/namespaces/full/replicasets")["items"]
    assert sets and not any("ownerReferences" in s["metadata"] for s in sets)
    kubectl("delete", "replicaset", "--all", "-n", "full", "--cascade=foreground")
    # A node that nobody runs: its condition, its taints, the eviction.
    watched.http("POST", "/api/v1/nodes", json.dumps({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "ghost"}}))

    def ghost_tainted():
        taints = watched.get("/api/v1/nodes/ghost")["spec"].get("taints", [])
        return {"NoExecute", "NoSchedule"} <= {t["effect"] for t in taints}
    eventually(ghost_tainted)
    kubectl("delete", "namespace", "full")
    refused = [line for line in watched.log.read_text().splitlines() if "is forbidden: User " in line]
    assert refused == []


def test_generation_counts_changes_of_the_specification_only(watched):
    watched.kubectl("apply", "-f", "-", stdin=WEB)
    watched.kubectl("rollout", "status", "deployment/web")
    deployment = watched.get("/apis/apps/v1/namespaces/default/deployments/web")
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert deployment["metadata"]["generation"] == deployment["status"]["observedGeneration"] == 1


def test_a_controller_without_its_role_is_refused_by_name(watched):
    name = "system:controller:replicaset-controller"
    bound = watched.get(f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}")
    watched.kubectl("delete", "clusterrolebinding", name)
    watched.kubectl("apply", "-f", "-", stdin=WEB)
    refused = ('pods is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource '
               '"pods" in API group "" in the namespace "default"')

    def told():
        return [line for line in watched.log.read_text().splitlines() if refused in line]
    eventually(told)
    assert watched.get("/api/v1/namespaces/default/pods")["items"] == []
    # It cannot say so in an Event or in its ReplicaSet's status either, for the same reason.
    for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        bound["metadata"].pop(key, None)
    watched.kubectl("create", "-f", "-", stdin=yaml.safe_dump(bound))
    watched.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    events = watched.kubectl("get", "events", "-o", "jsonpath={.items[*].reason}")
    assert "SuccessfulCreate" in events


def test_the_scheduler_without_its_role_is_refused_by_name(watched):
    watched.kubectl("delete", "clusterrolebinding", "system:kube-scheduler")
    watched.kubectl("create", "-f", str(ROOT / "configs/examples/nginx.yaml"))
    eventually(lambda: 'is forbidden: User "system:kube-scheduler" cannot' in watched.log.read_text())
    assert "nodeName" not in watched.pod("nginx")["spec"]


def test_nobody_but_the_administrator_is_a_master(watched):
    """Impersonated, each component may do what its role says."""
    def can(user, verb, resource, *more):
        return watched.kubectl("auth", "can-i", verb, resource, f"--as={user}", *more, check=False).stdout.strip()
    account = "system:serviceaccount:kube-system:"
    assert can("system:kube-scheduler", "create", "pods", "--subresource=binding") == "yes"
    assert can("system:kube-scheduler", "create", "pods") == "no"
    assert can("system:kube-controller-manager", "list", "secrets") == "yes"
    assert can("system:kube-controller-manager", "delete", "pods") == "no"
    assert can(account + "deployment-controller", "create", "replicasets.apps") == "yes"
    assert can(account + "deployment-controller", "create", "pods") == "no"
    assert can(account + "generic-garbage-collector", "delete", "pods") == "yes"
    assert can(account + "generic-garbage-collector", "create", "pods") == "no"
