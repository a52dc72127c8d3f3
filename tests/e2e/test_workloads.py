"""Deployments, scaling, rollouts, services and what is left behind when they go, on hollow nodes."""
import json

from conftest import ROOT, eventually

WEB = (ROOT / "configs/examples/web.yaml").read_text()


def pods(hollow, namespace):
    return hollow.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Dweb")["items"]


def test_deployment_rolls_out_scales_and_goes(hollow, kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    assert 'deployment "web" successfully rolled out' in kubectl("rollout", "status", "deployment/web", "-n", namespace)
    assert kubectl("scale", "deployment/web", "--replicas=5", "-n", namespace) == "deployment.apps/web scaled\n"
    kubectl("rollout", "status", "deployment/web", "-n", namespace)
    eventually(lambda: len([p for p in pods(hollow, namespace) if p["status"]["phase"] == "Running"]) == 5)
    assert {p["spec"]["nodeName"] for p in pods(hollow, namespace)} == {"hollow-0", "hollow-1", "hollow-2"}
    row = kubectl("get", "deployment", "web", "-n", namespace).splitlines()[1].split()
    assert row[:4] == ["web", "5/5", "5", "5"]
    kubectl("delete", "deployment", "web", "-n", namespace)
    # Its ReplicaSet and pods follow: nobody owns them any more.
    eventually(lambda: pods(hollow, namespace) == [])
    assert hollow.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"] == []


def test_a_new_template_replaces_the_pods(hollow, kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    kubectl("rollout", "status", "deployment/web", "-n", namespace)
    before = {p["metadata"]["uid"] for p in pods(hollow, namespace)}
    kubectl("set", "image", "deployment/web", "nginx=localhost/nginx:2", "-n", namespace)
    kubectl("rollout", "status", "deployment/web", "-n", namespace)
    eventually(lambda: all(p["metadata"]["uid"] not in before for p in pods(hollow, namespace)))
    assert {p["spec"]["containers"][0]["image"] for p in pods(hollow, namespace)} == {"localhost/nginx:2"}
    history = kubectl("rollout", "history", "deployment/web", "-n", namespace)
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    kubectl("rollout", "undo", "deployment/web", "-n", namespace)
    kubectl("rollout", "status", "deployment/web", "-n", namespace)
    eventually(lambda: {p["spec"]["containers"][0]["image"] for p in pods(hollow, namespace)} == {"localhost/nginx:1"})


def test_service_has_the_ready_pods_as_endpoints(hollow, kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    kubectl("rollout", "status", "deployment/web", "-n", namespace)

    def endpoints():
        slices = hollow.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
                            "?labelSelector=kubernetes.io%2Fservice-name%3Dweb")["items"]
        return sorted(a for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"] for a in e["addresses"])
    eventually(lambda: endpoints() == sorted(p["status"]["podIP"] for p in pods(hollow, namespace)))
    service = json.loads(kubectl("get", "service", "web", "-n", namespace, "-o", "json"))
    assert service["spec"]["clusterIP"].startswith("10.96.")
    kubectl("scale", "deployment/web", "--replicas=0", "-n", namespace)
    eventually(lambda: endpoints() == [])


def test_a_deleted_pod_is_replaced(hollow, kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    kubectl("rollout", "status", "deployment/web", "-n", namespace)
    victim = pods(hollow, namespace)[0]["metadata"]["name"]
    kubectl("delete", "pod", victim, "-n", namespace)
    eventually(lambda: len([p for p in pods(hollow, namespace) if p["status"]["phase"] == "Running"]) == 3)
    assert victim not in [p["metadata"]["name"] for p in pods(hollow, namespace)]


def test_every_namespace_has_its_account_and_authority(hollow, kubectl, namespace):
    eventually(lambda: "default" in kubectl("get", "serviceaccounts", "-n", namespace))
    found = eventually(lambda: hollow.get(f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt"))
    assert found["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")


def test_a_namespace_goes_with_all_that_is_in_it(hollow, kubectl):
    kubectl("create", "namespace", "doomed")
    kubectl("apply", "-n", "doomed", "-f", "-", stdin=WEB)
    kubectl("create", "configmap", "left", "-n", "doomed", "--from-literal=a=b")
    assert 'namespace "doomed" deleted' in kubectl("delete", "namespace", "doomed")
    assert hollow.http("GET", "/api/v1/namespaces/doomed")[0] == 404
    for path in ("/api/v1/namespaces/doomed/configmaps", "/apis/apps/v1/namespaces/doomed/deployments",
                 "/api/v1/namespaces/doomed/pods", "/api/v1/namespaces/doomed/services"):
        assert hollow.get(path)["items"] == [], path
