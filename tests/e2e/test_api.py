"""The API's own rules, over plain HTTP: media types, versions, chunks, options, reviews, what the server keeps in being."""
import json
import subprocess
import time

import pytest

from conftest import eventually


def call(hollow, method, path, body=None, content_type="application/json", **headers):
    status, text = hollow.http(method, path, json.dumps(body) if body is not None else None, content_type,
                               headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def config_map(name, **metadata):
    return {"metadata": {"name": name, **metadata}, "data": {"a": "b"}}


@pytest.mark.parametrize("accept", ["text/plain", "application/json;as=Foo;v=v1;g=meta.k8s.io"])
def test_media_types_that_cannot_be_served(hollow, accept):
    status, answer = call(hollow, "GET", "/api/v1/namespaces", Accept=accept)
    assert status == 406 and answer["reason"] == "NotAcceptable"
    assert answer["message"] == "only the following media types are accepted: application/json, application/yaml"
    assert call(hollow, "GET", "/api/v1/namespaces", Accept=accept + ", */*")[0] == 200


def test_a_review_has_no_table(hollow):
    review = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert call(hollow, "POST", path, review, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")[0] == 406
    assert call(hollow, "POST", path, review)[1]["status"] == {"allowed": True}


def test_the_url_is_judged_before_the_object(hollow, namespace):
    path = f"/api/v1/namespaces/{namespace}/configmaps/absent"
    status, answer = call(hollow, "PUT", path, config_map("other"))
    assert status == 400
    assert answer["message"] == "the name of the object (other) does not match the name on the URL (absent)"
    assert call(hollow, "PUT", path, config_map("absent"))[0] == 404
    status, answer = call(hollow, "GET", path + "?resourceVersion=abc")
    assert status == 422 and "resourceVersion: Invalid value" in answer["message"]


def test_too_big_a_config_map(hollow, namespace):
    status, answer = call(hollow, "POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "k"}, "data": {"a": "x" * 1100000}})
    assert status == 422
    assert answer["message"] == 'ConfigMap "k" is invalid: []: Too long: may not be more than 1048576 bytes'


def test_deprecated_kinds_say_so_when_read(hollow):
    warning = hollow.headers("GET", "/api/v1/endpoints")["warning"]
    assert warning == ['299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"']


@pytest.mark.parametrize("what", ["resize", "ephemeralcontainers"])
def test_what_is_not_built_refuses(hollow, namespace, what):
    hollow.kubectl("run", "p", "--image=localhost/x", "-n", namespace, check=False)
    status, answer = call(hollow, "PATCH", f"/api/v1/namespaces/{namespace}/pods/p/{what}", {}, "application/strategic-merge-patch+json")
    assert status == 501 and answer["reason"] == "NotImplemented"
    assert answer["message"] == f"the server does not support the {what} subresource of pods yet"


@pytest.mark.parametrize("speak", ["WebSocket", "SPDY"])
def test_simulated_containers_have_nothing_to_run(kubectl, hollow, namespace, speak, monkeypatch):
    """kubectl tries WebSocket, then SPDY, and shows the Status of the last answer."""
    if speak == "SPDY":
        monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
        monkeypatch.setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", "false")
    kubectl("run", "p", "--image=localhost/x", "-n", namespace)
    eventually(lambda: hollow.pod_running("p", namespace))
    for command, what in ((("exec", "p", "--", "true"), "processes"), (("attach", "p"), "processes"), (("port-forward", "p", ":80"), "ports")):
        done = kubectl("-n", namespace, *command, check=False)
        assert done.returncode == 1
        assert f"the runtime of this node is simulated (hollow): its containers have no {what}" in done.stderr, done.stderr


def test_old_versions_expire(own_cluster):
    """Chunks of a list whose version has been compacted, with the way out that Kubernetes offers; watches likewise."""
    cluster = own_cluster(extra=["--set", "store.compact_seconds=1"]).start()
    path = "/api/v1/namespaces/default/configmaps"
    for i in range(6):
        assert call(cluster, "POST", path, config_map(f"c{i}"))[0] == 201
    first = call(cluster, "GET", path + "?limit=2")[1]
    version = first["metadata"]["resourceVersion"]
    again = path + "?limit=2&continue=" + first["metadata"]["continue"]
    assert [i["metadata"]["name"] for i in call(cluster, "GET", again)[1]["items"]] == ["c2", "c3"]

    def expired():
        call(cluster, "POST", path, {"metadata": {"generateName": "z"}})
        time.sleep(0.3)
        status, answer = call(cluster, "GET", again)
        return answer if status == 410 else None
    answer = eventually(expired, 30)
    assert answer["reason"] == "Expired" and "The provided continue parameter is too old" in answer["message"]
    rest = call(cluster, "GET", path + "?limit=3&continue=" + answer["metadata"]["continue"])[1]
    assert [i["metadata"]["name"] for i in rest["items"]] == ["c2", "c3", "c4"]
    status, answer = call(cluster, "GET", f"{path}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert status == 410 and answer["reason"] == "Expired"


def test_the_api_is_a_service(hollow):
    """default/kubernetes and its endpoints: the machine's address, where it has one that others can reach."""
    service = hollow.get("/api/v1/namespaces/default/services/kubernetes")
    assert service["spec"]["clusterIP"] == "10.96.0.1" and service["spec"]["ports"][0]["targetPort"] == hollow.port
    status, endpoints = call(hollow, "GET", "/api/v1/namespaces/default/endpoints/kubernetes")
    slices = hollow.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=kubernetes")
    if default_route():
        address = endpoints["subsets"][0]["addresses"][0]["ip"]
        assert endpoints["subsets"][0]["ports"][0]["port"] == hollow.port
        assert slices["items"][0]["endpoints"][0]["addresses"] == [address] and not address.startswith("127.")
    else:
        assert status == 404 and slices["items"] == []


def default_route():
    with open("/proc/net/route") as routes:
        return any(line.split()[1:2] == ["00000000"] and line.split()[7] == "00000000" for line in list(routes)[1:])


def signed_by_the_cluster(hollow, directory, subject, days):
    """A client certificate that the cluster's own authority signed."""
    key, request, certificate = (directory / name for name in ("user.key", "user.csr", "user.crt"))
    authority = hollow.data / "pki" / "ca"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", request, "-subj", subject], check=True, capture_output=True)
    (directory / "usage").write_text("extendedKeyUsage=clientAuth\n")
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-set_serial",
                    "7", "-days", str(days), "-out", certificate, "-extfile", directory / "usage"], check=True, capture_output=True)
    return hollow.tls(certificate, key)


def test_certificates_name_users(hollow, tmp_path):
    jane = signed_by_the_cluster(hollow, tmp_path, "/O=dev/CN=jane", 1)
    status, text = hollow.http("GET", "/api/v1/namespaces/default/pods/x", context=jane)
    assert status == 403 and json.loads(text)["message"] == (
        'pods "x" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default"')
    status, text = hollow.http("GET", "/api/v1/pods", context=jane, headers={"Impersonate-User": "kubernetes-admin"})
    assert status == 403 and json.loads(text)["message"] == (
        'users "kubernetes-admin" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope')


def test_an_expired_certificate_gets_a_401_status(hollow, tmp_path):
    expired = signed_by_the_cluster(hollow, tmp_path, "/O=system:masters/CN=late", 0)
    time.sleep(1.1)
    status, text = hollow.http("GET", "/api/v1/pods", context=expired)
    assert status == 401 and json.loads(text)["reason"] == "Unauthorized"
