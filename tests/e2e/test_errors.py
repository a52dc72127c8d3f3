"""Bad input and forbidden users: the error that Kubernetes gives, and nothing stored or deleted."""
import json
import subprocess

import pytest

from conftest import ROOT, eventually

POD = (ROOT / "configs/examples/nginx.yaml").read_text()


def names(hollow, namespace):
    return [p["metadata"]["name"] for p in hollow.get(f"/api/v1/namespaces/{namespace}/pods")["items"]]


def refused(hollow, kubectl, namespace, manifest):
    done = kubectl("create", "-n", namespace, "-f", "-", stdin=manifest, check=False)
    assert done.returncode == 1
    assert names(hollow, namespace) == []
    return done.stderr


def test_unknown_field(hollow, kubectl, namespace):
    text = refused(hollow, kubectl, namespace, POD.replace("  containers:", "  contaners: []\n  containers:"))
    assert 'strict decoding error: unknown field "spec.contaners"' in text


def test_missing_container_name(hollow, kubectl, namespace):
    text = refused(hollow, kubectl, namespace, POD.replace("    - name: nginx\n      image", "    - image"))
    assert 'The Pod "nginx" is invalid: spec.containers[0].name: Required value' in text


def test_wrong_enum(hollow, kubectl, namespace):
    text = refused(hollow, kubectl, namespace, POD.replace("spec:\n", "spec:\n  restartPolicy: Sometimes\n", 1))
    assert ('spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"' in text or
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"' in text)


def test_port_70000(hollow, kubectl, namespace):
    text = refused(hollow, kubectl, namespace, POD.replace("containerPort: 80", "containerPort: 70000"))
    assert "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive" in text


def test_bad_name(hollow, kubectl, namespace):
    text = refused(hollow, kubectl, namespace, POD.replace("name: nginx\n  labels", "name: Nginx_1\n  labels"))
    assert ('metadata.name: Invalid value: "Nginx_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
            "characters, '-' or '.', and must start and end with an alphanumeric character") in text


@pytest.mark.parametrize("content_type", ["application/json", "application/yaml"])
@pytest.mark.parametrize("body", ['{"kind": "Pod", ', "{", "kind: [Pod"])
def test_broken_body(hollow, namespace, content_type, body):
    status, text = hollow.http("POST", f"/api/v1/namespaces/{namespace}/pods", body, content_type)
    answer = json.loads(text)
    assert status == 400 and answer["kind"] == "Status" and answer["reason"] == "BadRequest" and answer["code"] == 400
    assert names(hollow, namespace) == []


def test_body_of_4_mib(hollow, namespace):
    pod = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": "y" * (4 << 20)}}
    status, text = hollow.http("POST", f"/api/v1/namespaces/{namespace}/configmaps", json.dumps(pod))
    answer = json.loads(text)
    assert status == 413 and answer["reason"] == "RequestEntityTooLarge"
    assert "limit is 3145728" in answer["message"]
    items = hollow.get(f"/api/v1/namespaces/{namespace}/configmaps")["items"]
    assert "big" not in [i["metadata"]["name"] for i in items]


def self_signed(directory):
    key, certificate = directory / "other.key", directory / "other.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", certificate, "-subj", "/O=system:masters/CN=intruder", "-days", "2"], check=True, capture_output=True)
    return certificate, key


def test_wrong_certificate_gets_a_401_status(hollow, tmp_path):
    status, text = hollow.http("GET", "/api/v1/pods", context=hollow.tls(*self_signed(tmp_path)))
    answer = json.loads(text)
    assert status == 401 and answer["kind"] == "Status" and answer["reason"] == "Unauthorized"
    assert answer["message"] == "Unauthorized"


def test_no_certificate_is_anonymous(hollow):
    anonymous = hollow.tls(certificate=False)
    status, text = hollow.http("GET", "/api/v1/namespaces/default/pods", context=anonymous)
    assert status == 403
    assert json.loads(text)["message"] == ('pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" '
                                           'in the namespace "default"')
    assert hollow.http("GET", "/version", context=anonymous)[0] == 200


def test_forbidden_user_neither_creates_nor_deletes(hollow, kubectl, namespace):
    denied = kubectl("create", "-n", namespace, "-f", "-", "--as", "jane", stdin=POD, check=False)
    assert denied.returncode == 1
    assert (f'pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "{namespace}"'
            in denied.stderr)
    assert names(hollow, namespace) == []
    kubectl("create", "-n", namespace, "-f", "-", stdin=POD)
    denied = kubectl("delete", "pod", "nginx", "-n", namespace, "--as", "jane", check=False)
    assert denied.returncode == 1
    assert f'pods "nginx" is forbidden: User "jane" cannot delete resource "pods"' in denied.stderr
    assert names(hollow, namespace) == ["nginx"]


def test_a_role_gives_what_it_says(hollow, kubectl, namespace):
    kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "-n", namespace, "--role=reader", "--user=jane")
    eventually(lambda: kubectl("auth", "can-i", "list", "pods", "-n", namespace, "--as", "jane", check=False).stdout == "yes\n")
    denied = kubectl("auth", "can-i", "delete", "pods", "-n", namespace, "--as", "jane", check=False)
    assert denied.stdout == "no\n" and denied.returncode == 1
    assert kubectl("auth", "can-i", "*", "*") == "yes\n"
    kubectl("get", "pods", "-n", namespace, "--as", "jane")
    assert "Forbidden" in kubectl("get", "pods", "-n", "kube-system", "--as", "jane", check=False).stderr
