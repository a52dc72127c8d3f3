"""What kubectl learns about the API from the API."""
import json


def test_version(hollow, kubectl):
    answer = json.loads(kubectl("version", "-o", "json"))
    assert answer["serverVersion"]["major"] == "1" and answer["serverVersion"]["minor"] == "36"


def test_api_resources(kubectl):
    rows = {line.split()[0]: line.split() for line in kubectl("api-resources").splitlines()}
    assert rows["pods"] == ["pods", "po", "v1", "true", "Pod"]
    assert rows["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"] == ["nodes", "no", "v1", "false", "Node"]


def test_api_versions(kubectl):
    versions = kubectl("api-versions").split()
    assert "v1" in versions and "apps/v1" in versions and "rbac.authorization.k8s.io/v1" in versions


def test_explain(kubectl):
    text = kubectl("explain", "pod.spec")
    assert "KIND:       Pod" in text and "VERSION:    v1" in text
    assert "containers\t<[]Container> -required-" in text
    assert "nodeName\t<string>" in text


def test_health(hollow):
    assert hollow.http("GET", "/healthz") == (200, "ok")
    assert hollow.http("GET", "/livez")[0] == 200
    status, text = hollow.http("GET", "/readyz?verbose")
    assert status == 200 and text.endswith("readyz check passed\n")


def test_nodes(hollow, kubectl):
    rows = [line.split() for line in kubectl("get", "nodes").splitlines()]
    assert rows[0] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [row[:2] for row in rows[1:]] == [["hollow-0", "Ready"], ["hollow-1", "Ready"], ["hollow-2", "Ready"]]
