"""Every built-in kind that is stored, with every verb the table gives it: minimal objects, the same treatment for all."""
import base64
import copy
import json
import subprocess

import pytest

from conftest import ROOT, eventually

ROWS = [row for row in json.loads((ROOT / "messages/schema/data/resources.json").read_text())["resources"]
        if "watch" in row["verbs"]]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
PARTIAL = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
PARTIAL_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
# What this server keeps but does not act on says so.
IDLE = {"daemonsets", "statefulsets", "jobs", "cronjobs", "replicationcontrollers", "resourcequotas", "persistentvolumes",
        "persistentvolumeclaims", "horizontalpodautoscalers", "ingresses", "networkpolicies",
        "customresourcedefinitions", "apiservices", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
        "validatingadmissionpolicies", "mutatingadmissionpolicies", "flowschemas", "prioritylevelconfigurations",
        "certificatesigningrequests", "storageclasses"}

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
JOB_TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
SELECTOR = {"matchLabels": {"app": "x"}}
CLIENT = {"url": "https://example.com/hook"}
WEBHOOK = {"name": "a.example.com", "clientConfig": CLIENT, "sideEffects": "None", "admissionReviewVersions": ["v1"]}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
BODIES = {
    "configmaps": {"data": {"a": "b"}},
    "endpoints": {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    "events": {"involvedObject": {"kind": "Pod", "namespace": "NS", "name": "p"}, "reason": "r", "message": "m", "type": "Normal"},
    "limitranges": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "namespaces": {},
    "nodes": {},
    "persistentvolumeclaims": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    "persistentvolumes": {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}},
    "pods": {"spec": {"nodeName": "nowhere", "containers": [{"name": "c", "image": "i"}]}},
    "podtemplates": {"template": TEMPLATE},
    "replicationcontrollers": {"spec": {"replicas": 0, "selector": {"app": "x"}, "template": TEMPLATE}},
    "resourcequotas": {"spec": {"hard": {"pods": "10"}}},
    "secrets": {"stringData": {"a": "b"}},
    "serviceaccounts": {},
    "services": {"spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}},
    "apiservices": {"metadata": {"name": "v1.eNUM.example.com"}, "spec": {"group": "eNUM.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
                             "insecureSkipTLSVerify": True, "service": {"name": "s", "namespace": "default"}}},
    "controllerrevisions": {"revision": 1, "data": {"a": 1}},
    "daemonsets": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "deployments": {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
    "replicasets": {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
    "statefulsets": {"spec": {"replicas": 0, "serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}},
    "events.k8s.io/events": {"regarding": {"kind": "Pod", "namespace": "NS", "name": "p"}, "reason": "r", "note": "m", "type": "Normal",
                             "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "c.example.com/x",
                             "reportingInstance": "i", "action": "a"},
    "v2/horizontalpodautoscalers": {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
                                             "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}},
    "horizontalpodautoscalers": {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}},
    "cronjobs": {"spec": {"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": JOB_TEMPLATE}}}},
    "jobs": {"spec": {"suspend": True, "template": JOB_TEMPLATE}},
    "certificatesigningrequests": {"spec": {"request": "CSR", "signerName": "example.com/s", "usages": ["client auth"]}},
    "ingressclasses": {"spec": {"controller": "example.com/c"}},
    "ingresses": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "ipaddresses": {"metadata": {"name": "10.96.9.NUM"}, "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "z"}}},
    "networkpolicies": {"spec": {"podSelector": {}}},
    "servicecidrs": {"spec": {"cidrs": ["10.NUM.0.0/16"]}},
    "poddisruptionbudgets": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "clusterrolebindings": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"}]},
    "clusterroles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "rolebindings": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                     "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"}]},
    "roles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "csidrivers": {"spec": {"attachRequired": False}},
    "csinodes": {"spec": {"drivers": []}},
    "csistoragecapacities": {"storageClassName": "s", "capacity": "1Gi"},
    "storageclasses": {"provisioner": "example.com/p"},
    "volumeattachments": {"spec": {"attacher": "example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}},
    "volumeattributesclasses": {"driverName": "example.com", "parameters": {"a": "b"}},
    "mutatingadmissionpolicies": {"spec": {"matchConstraints": {"resourceRules": [{**RULE}]}, "reinvocationPolicy": "Never",
                                           "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]}},
    "mutatingadmissionpolicybindings": {"spec": {"policyName": "p"}},
    "mutatingwebhookconfigurations": {"webhooks": [WEBHOOK]},
    "validatingadmissionpolicies": {"spec": {"matchConstraints": {"resourceRules": [{**RULE}]}, "validations": [{"expression": "true"}]}},
    "validatingadmissionpolicybindings": {"spec": {"policyName": "p", "validationActions": ["Deny"]}},
    "validatingwebhookconfigurations": {"webhooks": [WEBHOOK]},
    "customresourcedefinitions": {"metadata": {"name": "fooNUMs.example.com"},
                                  "spec": {"group": "example.com", "scope": "Namespaced",
                                           "names": {"plural": "fooNUMs", "singular": "fooNUM", "kind": "FooNUM", "listKind": "FooNUMList"},
                                           "versions": [{"name": "v1", "served": True, "storage": True,
                                                         "schema": {"openAPIV3Schema": {"type": "object"}}}]}},
    "priorityclasses": {"value": 100},
    "leases": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 10}},
    "runtimeclasses": {"handler": "h"},
    "endpointslices": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"port": 80, "name": "a", "protocol": "TCP"}]},
    "flowschemas": {"spec": {"priorityLevelConfiguration": {"name": "global-default"}, "matchingPrecedence": 9000}},
    "prioritylevelconfigurations": {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}},
    "deviceclasses": {"spec": {}},
    "resourceclaims": {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}},
    "resourceclaimtemplates": {"spec": {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}}},
    "resourceslices": {"spec": {"driver": "d.example.com", "nodeName": "n", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}},
}


@pytest.fixture(scope="module")
def certificate_request(tmp_path_factory):
    key, request = (tmp_path_factory.mktemp("request") / name for name in ("key", "request"))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", request, "-subj", "/O=g/CN=u"], check=True, capture_output=True)
    return base64.b64encode(request.read_bytes()).decode()


@pytest.fixture(scope="module")
def space(hollow):
    hollow.kubectl("create", "namespace", "kinds")
    return "kinds"


class Kind:
    """One row of the table against the running server."""

    def __init__(self, row, cluster, space, request):
        self.row, self.cluster, self.request, self.space = row, cluster, request, space
        self.group, self.version, self.plural, self.kind = row["group"], row["version"], row["plural"], row["kind"]
        self.root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        self.all = f"{self.root}/{self.plural}"
        self.collection = f"{self.root}/namespaces/{space}/{self.plural}" if row["namespaced"] else self.all
        self.qualified = self.plural + ("." + self.group if self.group else "")

    def new(self, number):
        """A valid object; kinds whose names say something get their own by the number."""
        keys = (f"{self.group}/{self.plural}", f"{self.version}/{self.plural}", self.plural)
        text = json.dumps(copy.deepcopy(next(BODIES[k] for k in keys if k in BODIES)))
        for old, new in (("NUM", str(number)), ('"NS"', json.dumps(self.space)), ('"CSR"', json.dumps(self.request))):
            text = text.replace(old, new)
        made = json.loads(text)
        made["apiVersion"] = f"{self.group}/{self.version}" if self.group else self.version
        made["kind"] = self.kind
        made.setdefault("metadata", {}).setdefault("name", f"x{number}")
        return made

    def call(self, method, path="", body=None, content_type="application/json", headers=None):
        body = json.dumps(body) if body is not None else None
        status, text = self.cluster.http(method, path if path.startswith("/api") else self.collection + path, body, content_type,
                                         headers=headers)
        return status, json.loads(text)

    def ok(self, *arguments, code=200, **more):
        status, answer = self.call(*arguments, **more)
        assert status == code, (arguments, status, answer)
        return answer

    def names(self, query=""):
        return [item["metadata"]["name"] for item in self.ok("GET", query)["items"]]


@pytest.fixture(params=ROWS, ids=lambda row: f"{row['group'] or 'core'}-{row['version']}-{row['plural']}")
def kind(request, hollow, space, certificate_request):
    return Kind(request.param, hollow, space, certificate_request)


def create(kind, number):
    body = kind.new(number)
    one = "/" + body["metadata"]["name"]
    kind.ok("POST", "?dryRun=All", body, code=201)
    assert kind.call("GET", one)[0] == 404
    status, refused = kind.call("POST", "?fieldValidation=Strict", {**body, "bogus": 1})
    assert status == 400 and 'strict decoding error: unknown field "bogus"' in refused["message"]
    made = kind.ok("POST", "", body, code=201)
    assert made["kind"] == kind.kind and {"uid", "creationTimestamp", "resourceVersion"} <= set(made["metadata"])
    status, again = kind.call("POST", "", body)
    assert status == 409 and again["reason"] == "AlreadyExists"
    assert again["message"] == f'{kind.qualified} "{one[1:]}" already exists'
    return one


def read(kind, one):
    name = one[1:]
    for path, count in ((one, 1), ("", None)):
        table = kind.ok("GET", path, headers=TABLE)
        assert table["kind"] == "Table" and (count is None or len(table["rows"]) == count)
        assert all(len(row["cells"]) == len(table["columnDefinitions"]) for row in table["rows"])
    partial = kind.ok("GET", one, headers=PARTIAL)
    assert partial["kind"] == "PartialObjectMetadata" and set(partial) == {"kind", "apiVersion", "metadata"}
    assert {item["kind"] for item in kind.ok("GET", "", headers=PARTIAL_LIST)["items"]} == {"PartialObjectMetadata"}
    assert kind.ok("GET", "")["kind"] == kind.kind + "List"
    assert name in kind.names() and name in [item["metadata"]["name"] for item in kind.ok("GET", kind.all)["items"]]
    assert kind.names(f"?fieldSelector=metadata.name%3D{name}") == [name]
    assert kind.call("GET", "?fieldSelector=spec.bogus%3Dx")[0] == 400
    assert len(kind.names("?limit=1")) == 1


def change(kind, one):
    def labelled(answer, **wanted):
        assert {k: v for k, v in answer["metadata"].get("labels", {}).items() if k in ("put", "json", "merge", "strategic")} == wanted

    def put():
        current = kind.ok("GET", one)
        current["metadata"].setdefault("labels", {})["put"] = "1"
        status, answer = kind.call("PUT", one, current)
        return (current, answer) if status == 200 else None  # a controller may have been quicker
    old, new = eventually(put)
    labelled(new, put="1")
    status, stale = kind.call("PUT", one, {**old, "metadata": {**old["metadata"], "resourceVersion": "1"}})
    assert status == 409 and stale["message"] == (f'Operation cannot be fulfilled on {kind.qualified} "{one[1:]}": the object has been '
                                                  "modified; please apply your changes to the latest version and try again")
    answer = kind.ok("PATCH", one, [{"op": "add", "path": "/metadata/labels/json", "value": "1"}],
                     content_type="application/json-patch+json")
    labelled(answer, put="1", json="1")
    answer = kind.ok("PATCH", one, {"metadata": {"labels": {"json": None, "merge": "1"}}}, content_type="application/merge-patch+json")
    labelled(answer, put="1", merge="1")
    answer = kind.ok("PATCH", one, {"metadata": {"labels": {"strategic": "1"}}},
                     content_type="application/strategic-merge-patch+json")
    labelled(answer, put="1", merge="1", strategic="1")
    status, answer = kind.call("PATCH", one + "?fieldManager=x", kind.new(1), "application/apply-patch+yaml")
    assert status == 415 and answer["reason"] == "UnsupportedMediaType"
    for selector, found in (("merge%3D1", True), ("merge+in+(1,2),!json", True), ("merge+notin+(1)", False)):
        assert (one[1:] in kind.names("?labelSelector=" + selector)) == found


def subresources(kind, one):
    subs = kind.row.get("subresources") or {}
    if "status" in subs:
        kind.ok("PATCH", one + "/status", {"metadata": {"annotations": {"a": "b"}}}, content_type="application/merge-patch+json")
        assert kind.ok("GET", one + "/status")["metadata"]["annotations"]["a"] == "b"
    if "scale" in subs:
        scale = kind.ok("GET", one + "/scale")
        assert scale["kind"] == "Scale" and scale["apiVersion"] == "autoscaling/v1"
        scale["spec"]["replicas"] = 1
        scale["metadata"].pop("resourceVersion")
        assert kind.ok("PUT", one + "/scale", scale)["spec"]["replicas"] == 1
        kind.ok("PATCH", one + "/scale", {"spec": {"replicas": 0}}, content_type="application/merge-patch+json")
        columns = kind.ok("GET", one + "/scale", headers=TABLE)["columnDefinitions"]
        assert [column["name"] for column in columns] == ["Name", "Desired", "Available", "Age"]
    assert kind.call("GET", one + "/bogus")[0] == 404


def delete(kind, one, number):
    kind.ok("DELETE", one + "?dryRun=All")
    assert "deletionTimestamp" not in kind.ok("GET", one)["metadata"]
    assert kind.call("DELETE", one, {"preconditions": {"uid": "other"}})[0] == 409
    kind.ok("DELETE", one, {"gracePeriodSeconds": 0})

    def gone():
        status, answer = kind.call("GET", one)
        return status == 404 and answer["message"] == f'{kind.qualified} "{one[1:]}" not found'
    eventually(gone)
    if "deletecollection" not in kind.row["verbs"]:
        return
    body = kind.new(number)
    body["metadata"]["labels"] = {"many": "1"}
    kind.ok("POST", "", body, code=201)
    kind.ok("DELETE", "?labelSelector=many%3D1", {"gracePeriodSeconds": 0})
    eventually(lambda: kind.names("?labelSelector=many%3D1") == [])


def test_every_verb(kind):
    number = 20 + ROWS.index(kind.row)
    one = create(kind, number)
    read(kind, one)
    change(kind, one)
    subresources(kind, one)
    delete(kind, one, 120 + number)


def test_watch_list(hollow, kind):
    """A streaming list: what there is, then the mark of its end."""
    body = kind.new(20 + ROWS.index(kind.row))
    kind.ok("POST", "", body, code=201)
    query = ("?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
             f"&fieldSelector=metadata.name%3D{body['metadata']['name']}")
    added, end = hollow.watch(kind.collection + query, 2)
    assert added["type"] == "ADDED" and added["object"]["kind"] == kind.kind
    assert end["type"] == "BOOKMARK" and end["object"]["kind"] == kind.kind
    assert end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    kind.ok("DELETE", "/" + body["metadata"]["name"], {"gracePeriodSeconds": 0})


def test_what_has_no_effect_says_so(hollow, space, certificate_request):
    silent = []
    for row in ROWS:
        kind = Kind(row, hollow, space, certificate_request)
        body = json.dumps(kind.new(240))
        headers = hollow.headers("POST", kind.collection + "?dryRun=All", body)
        if (row["plural"] in IDLE) != any("does not act on them yet" in text for text in headers.get("warning", [])):
            silent.append(row["plural"])
    assert set(silent) <= {"mutatingadmissionpolicybindings", "validatingadmissionpolicybindings", "csidrivers", "ingressclasses",
                           "servicecidrs", "csistoragecapacities", "volumeattachments", "volumeattributesclasses", "resourceclaims",
                           "resourceclaimtemplates", "resourceslices", "deviceclasses"}
