"""Durable before acknowledged: the syscalls in their order, kill -9 in a storm of writes, damaged data files."""
import os
import random
import re
import shutil
import signal
import time

import pytest

from conftest import Cluster, eventually
from storm import MAPS, Actor, Client, Watcher, config_map


# -- the sync comes before the answer

# "4711 fdatasync(9</data/store/segment-00000001>) = 0", perhaps in two parts around what other threads do.
CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<text>.*)$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<text>.*)$")
RESULT = re.compile(r"= (-?\d+)(?: |$)")


def syscalls(lines):
    """(moment, thread, name, text) in the order in which they happened; moment is "enter" or "leave"."""
    entered = {}
    for line in lines:
        line = line.rstrip("\n")
        if (found := RESUMED.match(line)):
            thread, name = found["thread"], found["name"]
            yield "leave", thread, name, entered.pop((thread, name), "") + found["text"]
        elif (found := CALL.match(line)):
            thread, name, text = found["thread"], found["name"], found["text"]
            yield "enter", thread, name, text
            if text.endswith("<unfinished ...>"):
                entered[thread, name] = text[:-len("<unfinished ...>")]
            else:
                yield "leave", thread, name, text


def judge_trace(lines, client_port, marks):
    """Checks for each mark, in order, that the record holding it was synced before the client's next bytes were sent.

    Returns how many marks were found written, synced and only then acknowledged; raises AssertionError otherwise.
    """
    to_client = f"->127.0.0.1:{client_port}]"
    waiting = list(marks)
    written = None  # the file that holds the present mark, not synced yet
    synced = False
    acknowledged = 0
    for moment, _, name, text in syscalls(lines):
        if not waiting:
            break
        failed = moment == "leave" and (result := RESULT.search(text)) and int(result[1]) < 0
        if name in ("pwrite64", "write") and moment == "enter" and "/store/segment-" in text and waiting[0] in text:
            written, synced = re.search(r"<([^>]*/store/segment-\d+)>", text)[1], False
        elif name in ("fdatasync", "fsync") and moment == "leave" and not failed and written and f"<{written}>" in text:
            synced = True
        elif name in ("write", "sendto", "sendmsg", "writev") and moment == "enter" and to_client in text and written:
            assert synced, f"{waiting[0]}: answered before its sync had returned: {text[:100]}"
            waiting.pop(0)
            acknowledged += 1
            written, synced = None, False
    return acknowledged


def test_the_judge_of_traces_sees_an_early_answer():
    write = '10 pwrite64(9</d/store/segment-00000001>, "..mark-1..", 100, 8192) = 100'
    sync = "10 fdatasync(9</d/store/segment-00000001>) = 0"
    answer = '11 write(20<TCP:[127.0.0.1:6443->127.0.0.1:5000]>, "..", 300) = 300'
    begun = "10 fdatasync(9</d/store/segment-00000001> <unfinished ...>"
    done = "10 <... fdatasync resumed>) = 0"
    failed = "10 fdatasync(9</d/store/segment-00000001>) = -1 EIO (Input/output error)"
    elsewhere = "10 fdatasync(9</d/store/segment-00000002>) = 0"
    other = answer.replace("5000", "5001")
    assert judge_trace([write, sync, answer], 5000, ["mark-1"]) == 1
    assert judge_trace([write, begun, other, done, answer], 5000, ["mark-1"]) == 1
    assert judge_trace([sync, answer], 5000, ["mark-1"]) == 0
    for early in ([write, answer, sync], [write, begun, answer, done], [sync, write, answer], [write, failed, answer],
                  [write, elsewhere, answer]):
        with pytest.raises(AssertionError):
            judge_trace(early, 5000, ["mark-1"])


def test_every_write_is_synced_before_it_is_acknowledged(own_cluster):
    cluster = own_cluster(nodes=0)
    trace = cluster.directory / "syscalls"
    # -D: the tracer is the grandchild, so that the process started here is troupe itself.
    cluster.arguments = ["strace", "-D", "-f", "-yy", "-s", "8192", "-o", str(trace), "-e",
                         "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg"] + cluster.arguments
    cluster.start()
    client = Client(cluster)
    marks = []
    for i in range(20):
        name = f"strace-{i:03}"
        for method, path, body, kind in (
                ("POST", MAPS, config_map(name, i), "application/json"),
                ("PUT", f"{MAPS}/{name}", config_map(name, i + 1), "application/json"),
                ("PATCH", f"{MAPS}/{name}", {"data": {"more": "x"}}, "application/merge-patch+json"),
                ("DELETE", f"{MAPS}/{name}", None, "application/json")):
            status, answer = client.ask(method, path, body, kind)
            assert status in (200, 201), answer
            marks.append(name)
    client.close()
    assert cluster.stop() == 0
    # strace pads short process ids with blanks.
    ended = re.compile(rf"^{cluster.process.pid} +\+\+\+ exited", re.MULTILINE)
    eventually(lambda: ended.search(trace.read_text(errors="replace")))
    with open(trace, errors="replace") as lines:
        assert judge_trace(lines, client.local_port, marks) == len(marks)


# -- kill -9


class Writer(Actor):
    """Creates, changes and deletes config maps of its own, one request at a time, until the server is gone.

    `sure` is what the last acknowledgement of a name left there (None: deleted), `unsure` what the one request that was
    not answered would have left.
    """

    def __init__(self, cluster, number, seed):
        super().__init__(cluster)
        self.prefix = f"w{number}"
        self.random = random.Random(seed)
        self.sure, self.unsure = {}, {}
        self.next_number = 0
        self.acknowledged = 0
        self.highest = 0

    def run(self):
        client = Client(self.cluster, self.context)
        while self.error is None:
            self.one(client)

    def one(self, client):
        self.next_number += 1
        name = f"{self.prefix}-{self.random.randrange(40)}"
        there = self.sure.get(name)
        wanted = config_map(name, self.next_number, self.random.choice((0, 0, 10, 3000)))
        if there is None:
            method, path = "POST", MAPS
        elif self.random.random() < 0.2:
            method, path, wanted = "DELETE", f"{MAPS}/{name}", None
        else:
            method, path = "PUT", f"{MAPS}/{name}"
        self.unsure = {name: wanted and wanted["data"]}
        status, answer = client.ask(method, path, wanted)
        if status not in (200, 201):
            self.error = f"{method} {path}: {status} {answer}"
            return
        self.unsure = {}
        self.sure[name] = None
        if wanted:
            revision = int(answer["metadata"]["resourceVersion"])
            if revision <= self.highest:
                self.error = f"{name}: revision {revision} after {self.highest}"
            self.highest = revision
            self.sure[name] = (wanted["data"], revision)
        self.acknowledged += 1

    def check(self, found):
        """What is there after the restart is what was acknowledged, or that with the one open request done."""
        mine = {name: item for name, item in found.items() if name.split("-")[0] == self.prefix}
        assert mine.keys() <= self.sure.keys() | self.unsure.keys(), "something that was never asked for"
        for name in self.sure.keys() | self.unsure.keys():
            item = mine.get(name)
            data = item and item["data"]
            revision = item and int(item["metadata"]["resourceVersion"])
            sure = self.sure.get(name)
            if sure and (data, revision) == sure or not sure and item is None:
                continue
            assert name in self.unsure and data == self.unsure[name], f"{name}: {data} instead of {sure or self.unsure}"
        for name in self.unsure:
            item = mine.get(name)
            self.sure[name] = item and (item["data"], int(item["metadata"]["resourceVersion"]))
        self.unsure = {}


class Generator(Actor):
    """Creates with generateName: a request that was not answered may have been done once, never twice."""

    def __init__(self, cluster):
        super().__init__(cluster)
        self.sent, self.names = 0, {}

    def run(self):
        client = Client(self.cluster, self.context)
        while self.error is None:
            self.sent += 1
            body = config_map("", self.sent)
            body["metadata"] = {"generateName": "g-"}
            status, answer = client.ask("POST", MAPS, body)
            if status == 201:
                self.names[answer["metadata"]["name"]] = str(self.sent)
            else:
                self.error = answer

    def check(self, found):
        mine = {name: item["data"]["n"] for name, item in found.items() if name.startswith("g-")}
        assert self.names.items() <= mine.items()
        numbers = list(mine.values())
        assert len(set(numbers)) == len(numbers), "one request was done twice"
        assert all(1 <= int(n) <= self.sent for n in numbers)
        self.names = dict(mine)


def test_kill_9_in_a_storm_of_writes_loses_no_acknowledged_one(own_cluster):
    seed = int(os.environ.get("TROUPE_SEED", random.randrange(1 << 32)))
    print(f"TROUPE_SEED={seed}")
    chance = random.Random(seed)
    cluster = own_cluster(nodes=0).start()
    writers = [Writer(cluster, i, seed + i) for i in range(4)]
    generator, watcher = Generator(cluster), Watcher(cluster)
    watcher.list()
    for _ in range(20):
        actors = [*writers, generator, watcher]
        context = cluster.tls()
        for actor in actors:
            actor.start(context)
        before = sum(w.acknowledged for w in writers)
        eventually(lambda: sum(w.acknowledged for w in writers) > before)
        time.sleep(chance.uniform(0, 0.4))
        assert cluster.stop(signal.SIGKILL) == -signal.SIGKILL
        for actor in actors:
            actor.join()
        cluster.start()
        listed = cluster.get(MAPS)
        found = {i["metadata"]["name"]: i for i in listed["items"] if i["metadata"]["name"] != "kube-root-ca.crt"}
        for writer in writers:
            writer.check(found)
        generator.check(found)
        assert len({i["metadata"]["uid"] for i in found.values()}) == len(found)
        now = int(listed["metadata"]["resourceVersion"])
        assert now >= max(w.highest for w in writers)
        # What a watcher was told had been durable; nothing that it knew has another state at the same revision.
        assert now >= watcher.revision
        for name, revision in watcher.state.items():
            if name in found:
                assert int(found[name]["metadata"]["resourceVersion"]) >= revision
    assert sum(w.acknowledged for w in writers) > 1000
    # A last look: the watch, resumed or begun anew after each death, ends at what is there.
    watcher.start(cluster.tls())
    client = Client(cluster)
    _, last = client.ask("POST", MAPS, config_map("the-end", 0))
    eventually(lambda: watcher.revision >= int(last["metadata"]["resourceVersion"]))
    there = {i["metadata"]["name"]: int(i["metadata"]["resourceVersion"]) for i in cluster.get(MAPS)["items"]}
    assert watcher.state == there and watcher.error is None
    print(f"acknowledged={sum(w.acknowledged for w in writers)} events={watcher.events} expired={watcher.expired}")
    assert cluster.stop() == 0


# -- damaged data files


def refused(cluster):
    """What `troupe up` says when it ends at once with exit code 1; None when the API comes up instead."""
    cluster.start(wait=False)

    def settled():
        return cluster.process.poll() is not None or cluster.ready()
    eventually(settled, 30)
    if cluster.process.poll() is None:
        return None
    assert cluster.process.returncode == 1, cluster.log.read_text()[-2000:]
    return cluster.log.read_text()


@pytest.fixture(scope="module")
def small_store(tmp_path_factory):
    """A data directory with some objects, how far its one segment is in use, and what the API lists from it."""
    cluster = Cluster(tmp_path_factory.mktemp("small"), nodes=0, extra=["--set", "trace.enabled=false"]).start()
    client = Client(cluster)
    for i in range(100):
        assert client.ask("POST", MAPS, config_map(f"m-{i}", i, 300))[0] == 201
    listed = cluster.get(MAPS)["items"]
    client.close()
    assert cluster.stop() == 0
    return cluster.data, listed


def damaged_copy(own_cluster, data, damage):
    cluster = own_cluster(nodes=0, extra=["--set", "trace.enabled=false"])
    shutil.copytree(data, cluster.data)
    segment, = (cluster.data / "store").glob("segment-*")
    with open(segment, "r+b") as file:
        damage(file)
    return cluster


def flip(file, at):
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 0x40]))


def test_a_flipped_byte_is_refused_at_the_start_or_harmless(own_cluster, small_store):
    data, listed = small_store
    segment, = (data / "store").glob("segment-*")
    used = len(segment.read_bytes().rstrip(b"\0"))
    pages = random.Random(4711).sample(range(2, used // 4096), 8)
    told = 0
    for page in (0, 1, *pages, used // 4096 + 2):
        cluster = damaged_copy(own_cluster, data, lambda file: flip(file, page * 4096 + 100))
        said = refused(cluster)
        if said is None:
            assert cluster.get(MAPS)["items"] == listed, f"page {page}"
            assert cluster.stop() == 0
            assert page * 4096 >= used, f"a flip in page {page} went unnoticed"
        else:
            assert f"troupe up: store: {cluster.data}/store/{segment.name} is corrupt: " in said, said
            told += 1
        shutil.rmtree(cluster.directory)
    assert told == 10


def test_a_truncated_file_is_refused_at_the_start(own_cluster, small_store):
    data, _ = small_store
    segment, = (data / "store").glob("segment-*")
    size = segment.stat().st_size
    for cut in (0, 4096, 8192, 4096 * (size // 8192), size - 4096):
        cluster = damaged_copy(own_cluster, data, lambda file: file.truncate(cut))
        said = refused(cluster)
        assert said and f"is corrupt: truncated to {cut} " in said, said
        shutil.rmtree(cluster.directory)


def test_damage_to_a_value_in_a_sealed_segment_is_told_by_its_name(own_cluster):
    """Sealed segments are opened by their footers; their values are checked when they are read, first at the start."""
    cluster = own_cluster(nodes=0, extra=["--set", "trace.enabled=false"]).start()
    client = Client(cluster)
    for i in range(40):
        assert client.ask("POST", MAPS, config_map(f"big-{i}", i, 950_000))[0] == 201
    # An old version of it is damaged as well, which does no harm: nobody reads it any more.
    assert client.ask("PUT", f"{MAPS}/big-8", config_map("big-8", 8, 10))[0] == 200
    listed = cluster.get(MAPS)["items"]
    client.close()
    assert cluster.stop() == 0
    first, *others = sorted((cluster.data / "store").glob("segment-*"))
    assert others
    content = first.read_bytes()
    with open(first, "r+b") as file:
        flip(file, content.index(b"big-8\"") + 500_000)
    assert refused(cluster) is None
    assert cluster.get(MAPS)["items"] == listed
    assert cluster.stop() == 0
    with open(first, "r+b") as file:
        flip(file, content.index(b"big-7\"") + 500_000)
    said = refused(cluster)
    assert said and re.search(r"troupe up: store: /registry/configmaps/default/big-7: record at revision \d+ is corrupt "
                              r"\(checksum\)\n", said), said
