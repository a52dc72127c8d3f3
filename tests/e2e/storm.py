"""Clients that keep a server busy while something happens to it, and that know what they were promised."""
import contextlib
import http.client
import json
import threading
import time

MAPS = "/api/v1/namespaces/default/configmaps"
# Answers of a server that could not do it now; clients of Kubernetes ask again.
TRY_AGAIN = (429, 503, 504)


class Client:
    """One kept-alive HTTPS connection: what it asks, one request at a time."""

    def __init__(self, cluster, context=None):
        self.connection = cluster.https(context)
        self.local_port = self.connection.sock.getsockname()[1]

    def ask(self, method, path, body=None, content_type="application/json"):
        """(status, parsed answer); OSError or HTTPException when the server goes away."""
        self.connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": content_type})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self):
        self.connection.close()


def config_map(name, number, size=0):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"n": str(number), "pad": str(number % 10) * size}}


class Actor:
    """Does something against the server in a thread of its own; can be started again after its end.

    It ends when the server is gone, or, patient, when it is told to: then a cut connection is a new one and no more.
    """

    def __init__(self, cluster, patient=False):
        self.cluster = cluster
        self.patient = patient
        self.stopping = False
        self.cuts = 0  # connections that ended in the middle of something
        self.retries = 0  # answers that asked to try again
        self.thread = None
        self.error = None

    def start(self, context):
        self.context = context
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def live(self):
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.run()
            if not self.patient or self.stopping or self.error:
                return
            self.cuts += 1
            time.sleep(0.05)

    def join(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.error is None, self.error


class Creator(Actor):
    """Creates config maps, each name once, and knows which of them were promised and of which nobody knows."""

    def __init__(self, cluster, prefix):
        super().__init__(cluster, patient=True)
        self.prefix = prefix
        self.number = 0
        self.acknowledged, self.unsure = set(), set()

    def run(self):
        client = Client(self.cluster, self.context)
        while self.error is None and not self.stopping:
            self.number += 1
            name = f"{self.prefix}-{self.number}"
            self.unsure.add(name)
            status, answer = client.ask("POST", MAPS, config_map(name, self.number))
            if status == 201:
                self.unsure.discard(name)
                self.acknowledged.add(name)
                time.sleep(0.005)
            elif status in TRY_AGAIN:
                self.retries += 1
                time.sleep(0.02)
            else:
                self.error = f"{status} {answer}"


class Watcher(Actor):
    """Follows the config maps from a revision on, and keeps the state that the events make."""

    def __init__(self, cluster, patient=False):
        super().__init__(cluster, patient)
        self.state, self.revision = {}, None
        self.expired = self.events = self.ends = 0
        self.goal = None  # ends once it has seen this revision

    def list(self):
        listed = self.cluster.get(MAPS)
        self.state = {i["metadata"]["name"]: int(i["metadata"]["resourceVersion"]) for i in listed["items"]}
        self.revision = int(listed["metadata"]["resourceVersion"])

    def run(self):
        while self.error is None and not self.stopping:
            connection = self.cluster.https(self.context)
            connection.request("GET", f"{MAPS}?watch=1&resourceVersion={self.revision}&allowWatchBookmarks=true")
            self.follow(connection.getresponse())
            connection.close()

    def follow(self, answer):
        """Takes the events of one watch until its end; a later one goes on from there."""
        if answer.status in TRY_AGAIN:
            self.retries += 1
            time.sleep(0.05)
            return
        if answer.status != 200:
            self.error = f"{answer.status} {answer.read()}"
            return
        while (line := answer.readline()).endswith(b"\n"):
            if self.take(json.loads(line)):
                self.expired += 1
                return self.list()
            if self.goal and self.revision >= self.goal:
                self.stopping = True
                return None
        self.ends += 1
        return None

    def take(self, event):
        """True when the watch cannot go on and everything has to be listed again."""
        if event["type"] == "ERROR":
            if event["object"].get("code") != 410:
                self.error = event
            return True
        meta = event["object"]["metadata"]
        revision = int(meta["resourceVersion"])
        if event["type"] != "BOOKMARK":
            self.events += 1
            if revision <= self.revision:
                self.error = f"revision {revision} after {self.revision}"
            if (event["type"] == "ADDED") != (meta["name"] not in self.state):
                self.error = f"{event['type']} of {meta['name']}, which was{'' if meta['name'] in self.state else ' not'} there"
            if event["type"] == "DELETED":
                self.state.pop(meta["name"], None)
            else:
                self.state[meta["name"]] = revision
        self.revision = max(self.revision, revision)
        return False
