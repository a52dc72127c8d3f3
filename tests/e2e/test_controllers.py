"""What the controllers promise, seen from outside: rollouts within their bounds, owners and dependents, namespaces that end."""
import json

import pytest

from conftest import eventually

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Space:
    """The API inside one namespace."""

    def __init__(self, hollow, namespace):
        self.hollow = hollow
        self.core, self.apps = (f"/{root}/namespaces/{namespace}" for root in ("api/v1", "apis/apps/v1"))

    def call(self, method, path, body=None, content_type="application/json"):
        status, text = self.hollow.http(method, path, json.dumps(body) if body is not None else None, content_type)
        return status, json.loads(text)

    def make(self, path, body):
        status, answer = self.call("POST", path, body)
        assert status == 201, answer
        return answer

    def patch(self, path, body, content_type=MERGE):
        status, answer = self.call("PATCH", path, body, content_type)
        assert status == 200, answer
        return answer

    def deployment(self, name, replicas, **spec):
        labels = {"app": name}
        self.make(self.apps + "/deployments", {"metadata": {"name": name}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels, 1), **spec}})
        eventually(lambda: self.complete(name), 40)

    def renew(self, name, image, **pod):
        self.patch(f"{self.apps}/deployments/{name}", {"spec": {"template": {"spec": {
            "containers": [{"name": "c", "image": f"localhost/a:{image}"}], **pod}}}}, STRATEGIC)

    def complete(self, name):
        found = self.hollow.get(f"{self.apps}/deployments/{name}")
        status, wanted = found["status"], found["spec"]["replicas"]
        return status.get("observedGeneration") == found["metadata"]["generation"] and wanted == status.get(
            "updatedReplicas", 0) == status.get("replicas", 0) == status.get("availableReplicas", 0)

    def sizes(self, name):
        sets = self.hollow.get(f"{self.apps}/replicasets?labelSelector=app%3D{name}")["items"]
        return sorted(s["spec"]["replicas"] for s in sets)

    def condition(self, name, kind):
        status = self.hollow.get(f"{self.apps}/deployments/{name}")["status"]
        return next((c for c in status.get("conditions", []) if c["type"] == kind), None)


def template(labels, image):
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": f"localhost/a:{image}"}]}}


@pytest.fixture
def space(hollow, namespace):
    return Space(hollow, namespace)


def test_a_rolling_update_stays_within_its_bounds(space, hollow):
    space.deployment("roll", 4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    version = hollow.get(space.core + "/pods")["metadata"]["resourceVersion"]
    pods = {p["metadata"]["name"]: p for p in hollow.get(space.core + "/pods?labelSelector=app%3Droll")["items"]}
    space.renew("roll", 2)
    eventually(lambda: space.complete("roll"), 40)
    _, text = hollow.http("GET", f"{space.core}/pods?labelSelector=app%3Droll&watch=1&resourceVersion={version}&timeoutSeconds=1")
    events = [json.loads(line) for line in text.splitlines()]
    assert any(e["type"] == "DELETED" for e in events)
    for event in events:
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            pods.pop(name, None)
        else:
            pods[name] = event["object"]
        live = [p for p in pods.values() if "deletionTimestamp" not in p["metadata"]]
        ready = [p for p in live if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))]
        assert len(live) <= 5 and len(ready) >= 3


def test_recreate_and_history(space):
    space.deployment("rec", 2, strategy={"type": "Recreate"}, revisionHistoryLimit=1)
    for image in (2, 3):
        space.renew("rec", image)
        eventually(lambda: space.complete("rec"), 40)
    eventually(lambda: space.sizes("rec") == [0, 2])


def test_proportional_scaling_and_a_deadline(space):
    """The figures of the Kubernetes documentation: 10 replicas, surge 3, unavailable 2, then 15."""
    space.deployment("prop", 10, progressDeadlineSeconds=3, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    space.renew("prop", 2, nodeSelector={"no": "where"})
    eventually(lambda: space.sizes("prop") == [5, 8])
    space.patch(space.apps + "/deployments/prop", {"spec": {"replicas": 15}})
    eventually(lambda: space.sizes("prop") == [7, 11])
    eventually(lambda: space.condition("prop", "Progressing")["reason"] == "ProgressDeadlineExceeded")
    space.renew("prop", 3, nodeSelector=None)
    eventually(lambda: space.complete("prop"), 40)
    eventually(lambda: space.condition("prop", "Progressing")["reason"] == "NewReplicaSetAvailable")


def test_pods_are_adopted_and_released(space, hollow):
    space.make(space.core + "/pods", {"metadata": {"name": "orphan", "labels": {"x": "y"}}, "spec": template({}, 1)["spec"]})
    space.make(space.apps + "/replicasets", {"metadata": {"name": "set"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"x": "y"}}, "template": template({"x": "y"}, 1)}})

    def owners():
        return hollow.get(space.core + "/pods/orphan")["metadata"].get("ownerReferences", [])
    eventually(lambda: [o["name"] for o in owners()] == ["set"])
    space.patch(space.core + "/pods/orphan", {"metadata": {"labels": {"x": "z"}}})
    eventually(lambda: owners() == [])
    eventually(lambda: len(hollow.get(space.core + "/pods?labelSelector=x%3Dy")["items"]) == 1)


class Owned:
    """Config maps that own each other."""

    def __init__(self, space):
        self.space, self.path = space, space.core + "/configmaps/"

    def make(self, name, *owners):
        return self.space.make(self.path[:-1], {"metadata": {"name": name, "ownerReferences": [self.reference(o) for o in owners]}})

    def reference(self, owner):
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
                "blockOwnerDeletion": True}

    def delete(self, name, policy):
        assert self.space.call("DELETE", self.path + name, {"propagationPolicy": policy})[0] == 200

    def gone(self, *names):
        return all(self.space.call("GET", self.path + name)[0] == 404 for name in names)

    def owners(self, name):
        return [o["name"] for o in self.space.hollow.get(self.path + name)["metadata"].get("ownerReferences", [])]


def test_dependents_follow_their_last_owner(space):
    owned = Owned(space)
    first, second = owned.make("first"), owned.make("second")
    owned.make("both", first, second)
    owned.make("only", first)
    owned.make("third", second)
    owned.delete("first", "Foreground")
    eventually(lambda: owned.gone("first", "only") and owned.owners("both") == ["second"])
    owned.delete("second", "Orphan")
    eventually(lambda: owned.gone("second") and owned.owners("both") == [] and owned.owners("third") == [])


def test_a_circle_of_owners_goes(space):
    owned = Owned(space)
    a = owned.make("a")
    c = owned.make("c", owned.make("b", a))
    space.patch(owned.path + "a", {"metadata": {"ownerReferences": [owned.reference(c)]}})
    owned.delete("a", "Foreground")
    eventually(lambda: owned.gone("a", "b", "c"))


def test_a_namespace_says_what_holds_it(hollow):
    hollow.kubectl("create", "namespace", "held")
    space = Space(hollow, "held")
    space.make(space.core + "/configmaps", {"metadata": {"name": "m", "finalizers": ["example.com/x"]}})
    space.make(space.core + "/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    assert space.call("DELETE", "/api/v1/namespaces/held")[0] == 200

    def message(kind):
        conditions = hollow.get("/api/v1/namespaces/held")["status"].get("conditions", [])
        return next((c["message"] for c in conditions if c["type"] == kind), "")
    eventually(lambda: message("NamespaceContentRemaining") == "Some resources are remaining: configmaps. has 1 resource instances")
    assert message("NamespaceFinalizersRemaining") == (
        "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances")
    assert "Some resources are remaining" in hollow.kubectl("describe", "namespace", "held")
    status, refused = space.call("POST", space.core + "/configmaps", {"metadata": {"name": "late"}})
    assert status == 403 and "because it is being terminated" in refused["message"]
    space.patch(space.core + "/configmaps/m", {"metadata": {"finalizers": None}})
    eventually(lambda: hollow.http("GET", "/api/v1/namespaces/held")[0] == 404)


def test_endpoints_of_a_service(space, hollow):
    space.make(space.core + "/services", {"metadata": {"name": "s"}, "spec": {"selector": {"app": "d"}, "ports": [{"port": 80}]}})
    space.deployment("d", 2)
    expected = sorted(p["status"]["podIP"] for p in hollow.get(space.core + "/pods?labelSelector=app%3Dd")["items"])

    def addresses():
        found = hollow.get(space.core + "/endpoints/s")
        return sorted(a["ip"] for subset in found.get("subsets", []) for a in subset.get("addresses", []))
    eventually(lambda: addresses() == expected)
    space.call("DELETE", space.core + "/services/s")
    eventually(lambda: hollow.http("GET", space.core + "/endpoints/s")[0] == 404)
