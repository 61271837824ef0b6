# SPDX-License-Identifier: BSD-3-Clause
"""
A real Prometheus watches over a lab under traffic: what it scrapes, and every expression of the
dashboard and of the alerts that are shipped. Then a load balancer's, an operator's and a stranger's
view of the same ports, and dpdk-telemetry.py.
"""

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
import yaml

from conftest import (ROOT, SHARED_ADDRESS, derived, lab_with_leases, run_steps, wait_until,
                      without_captures)

DASHBOARD = ROOT / "config/grafana/dstm.json"
RULES = ROOT / "config/prometheus/dstm.rules.yml"
EXAMPLE = ROOT / "config/prometheus/prometheus.yml"
TEP, SERVER = "[2001:db8:fe::1]:9476", "[::1]:9477"
TIMEOUT_S = 20


def with_metrics(content):
    """For derived(): both daemons are watched, and the TEP has its telemetry socket."""
    without_captures(content)
    tep, server = content["programs"]["tep"], content["programs"]["server"]
    tep["config"] |= {"metrics": {"listen": "[::]:9476"}, "pools": ["198.51.100.7/32"],
                      "query": {"enabled": True}}
    tep["eal"].remove("--no-telemetry")
    server["config"] |= {"metrics": {"listen": "[::]:9477"}, "records": {"file": "records.jsonl"}}
    for step in content["steps"]:
        if "pages" in step:
            step["pages"] |= {"seconds": 4, "parallel": 4}


def connect(lab, node: str, port: int, address: str = "::1") -> socket.socket:
    with lab.nodes[node].inside():
        sock = socket.socket(socket.AF_INET6)
        sock.settimeout(TIMEOUT_S)
        sock.connect(socket.getaddrinfo(address, port)[0][4])
    return sock


def page(lab, node: str, path: str) -> tuple[int, str]:
    """Status and body of a page of the daemon on that node."""
    port = {"tep": 9476, "server": 9477}[node]
    said = lab.nodes[node].run(["curl", "-sg", "-m", "10", "-w", "%{http_code}",
                                f"http://[::1]:{port}{path}"])
    return int(said[-3:]), said[:-3]


class Prometheus:
    """Prometheus on the server's node, with the rules that are shipped; scrapes each second."""

    def __init__(self, lab, folder: Path):
        self.lab = lab
        self.connection = http.client.HTTPConnection("localhost")
        self.log = folder / "prometheus.log"
        config = yaml.safe_load(EXAMPLE.read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        for job in config["scrape_configs"]:
            target = TEP if job["job_name"] == "dstm-tep" else SERVER
            job["static_configs"] = [{"targets": [target]}]
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                lab.nodes["server"].command([
                    "prometheus", f"--config.file={path}", "--web.listen-address=[::1]:9090",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    "--storage.tsdb.retention.size=64MB"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait(TIMEOUT_S)

    def is_there(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.connection.sock = connect(self.lab, "server", 9090)
        except ConnectionRefusedError:
            return False
        return self.get("/-/ready")[0] == 200

    def get(self, path: str) -> tuple[int, bytes]:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def ask(self, what: str, **arguments):
        _, body = self.get(f"/api/v1/{what}?{urllib.parse.urlencode(arguments)}")
        said = json.loads(body)
        assert said["status"] == "success", (arguments, said)
        return said["data"]

    def values(self, expression: str):
        """(labels, value) of each series now."""
        return [(one["metric"], float(one["value"][1]))
                for one in self.ask("query", query=expression)["result"]]

    def value(self, expression: str) -> float:
        (_, value), = self.values(expression)
        return value


@pytest.fixture(name="lab", scope="module")
def fixture_lab(tmp_path_factory):
    with lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, with_metrics)) as lab:
        yield lab
    shutil.rmtree(Path("/var/run/dpdk", lab.nodes["tep"].id), ignore_errors=True)


@pytest.fixture(name="slow", scope="module")
def fixture_slow(lab):
    """Connections to both that say one octet a second and never finish."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(lab, *where))
                for where in (("tep", 9476), ("server", 9477))]
        yield slow, time.monotonic()


@pytest.fixture(name="prometheus", scope="module")
def fixture_prometheus(lab, slow, tmp_path_factory):
    """After some seconds of pages."""
    prometheus = Prometheus(lab, tmp_path_factory.mktemp("prometheus"))
    try:
        to_nobody = ["ping", "-c", "3", "-i", "0.2", "-W", "1", "198.51.100.7"]
        lab.nodes["web"].run(to_nobody, check=False)
        run_steps(lab, "pages")
        wait_until(prometheus.is_there, TIMEOUT_S, "Prometheus")
        wait_until(lambda: len(prometheus.values("sum_over_time(up[1m]) >= 4")) == 2, TIMEOUT_S,
                   "both to be scraped for a while")
        yield prometheus
    finally:
        prometheus.stop()


# --- what is shipped, by itself ---


def panels():
    """The panels of the dashboard that show something."""
    return [one for one in json.loads(DASHBOARD.read_text())["panels"] if one["type"] != "row"]


def metric_names(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:dstm|process)_[a-z0-9_]+|\bup\b", expression))


def test_the_dashboard_can_be_imported():
    """What Grafana 9 and later look at when they take in a file."""
    board = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] >= 36 and board["id"] is None and board["uid"] == "dstm"
    source, = board["__inputs"]
    assert (source["type"], source["pluginId"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{source['name']}}}"}
    shown = panels()
    ids = [one["id"] for one in board["panels"]]
    assert len(ids) == len(set(ids))
    assert len({one["title"] for one in shown}) == len(shown) - 1  # "Bindings" twice
    kinds = {one["id"] for one in board["__requires"] if one["type"] == "panel"}
    assert kinds == {one["type"] for one in shown}
    for one in shown:
        assert one["datasource"] == chosen and one["targets"], one["title"]
        assert [target["refId"] for target in one["targets"]] == [
            chr(ord("A") + i) for i in range(len(one["targets"]))]
        assert all(target["datasource"] == chosen for target in one["targets"])
    for variable in board["templating"]["list"]:
        assert variable["datasource"] == chosen


def test_no_panel_covers_another():
    taken = set()
    for one in json.loads(DASHBOARD.read_text())["panels"]:
        at = one["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, one["title"]
        taken |= cells


def promtool(*args, text=None):
    done = subprocess.run(["promtool", *map(str, args)], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_alerts_say_what_they_should(tmp_path):
    """Each against series that are made up, in time-lapse: rules.test.yml."""
    assert promtool("check", "config", EXAMPLE)[0] == 0
    code, said = promtool("test", "rules", ROOT / "tests/lab/rules.test.yml")
    assert code == 0, said
    tested = (ROOT / "tests/lab/rules.test.yml").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        assert all(f"alertname: {rule['alert']}\n" in tested for rule in group["rules"])


# --- figures ---


@pytest.mark.parametrize("node", ["tep", "server"])
def test_promtool_has_no_complaint(lab, prometheus, node):
    code, text = page(lab, node, "/metrics")
    assert code == 200
    assert promtool("check", "metrics", text=text) == (0, "")


def test_every_counter_is_there_and_only_grows(lab, prometheus):
    """All rows of the tables (S30), with what dstmctl says between two looks."""
    def look():
        text = page(lab, "tep", "/metrics")[1] + page(lab, "server", "/metrics")[1]
        return dict(re.findall(r"^(\w+(?:{.*})?) (\S+)$", text, re.MULTILINE))

    def named(row):
        """Its place in what was seen: drops are one family for each table."""
        drop = f'drop_packets_total{{reason="{row["name"]}"}}'
        name, = (name for name in before if name in (
            f"dstm_tep_{row['name']}_packets_total", f"dstm_tep_{row['name']}_total",
            f"dstm_tep_{drop}", f"dstm_tep_host_{drop}", f"dstm_tep_ask_{drop}"))
        assert ("drop_packets" in name) == row["drop"]
        return name

    before = look()
    tep = {named(row): row["packets"] for row in lab.programs["tep"].ctl("counters", "--all")}
    server = {f"dstm_server_{row['name'].replace('-', '_')}_total": row["count"]
              for row in lab.programs["server"].ctl("counters", "--all")}
    after = look()
    assert len(tep) > 100 and len(server) > 30
    for name, value in (tep | server).items():
        assert float(before[name]) <= value <= float(after[name]), name
    for name, value in before.items():
        if "_total" in name:
            assert float(value) <= float(after[name]), name


def test_the_figures_are_those_of_the_lab(prometheus):
    """R4, S30: two clients with a lease each behind one TEP, and their traffic."""
    for expression, expected in {
            "dstm_tep_ready": 1, "dstm_server_ready": 1, "dstm_tep_bindings": 2,
            "dstm_tep_bindings_limit": 65536, "dstm_tep_server_connected": 1,
            "dstm_tep_server_level": 1, "dstm_server_tep_differs_seconds": 0,
            'dstm_server_leases{state="active"}': 2, 'dstm_server_pool_units{state="leased"}': 2,
            'dstm_server_pool_units{state="free"}': 61, "dstm_server_leases_created_total": 2,
            'dstm_server_tep_state{state="connected"}': 1, "dstm_server_tep_bindings": 2,
            "dstm_server_store_failing": 0}.items():
        assert prometheus.value(expression) == expected, expression
    assert prometheus.value("dstm_tep_decapsulated_packets_total") > 100
    assert prometheus.value("dstm_tep_ask_nobody_total") > 0
    assert prometheus.value('dstm_server_tep_questions_total{answer="unknown"}') > 0
    assert prometheus.value("dstm_tep_encapsulated_bytes_total") > 100000
    assert prometheus.value('dstm_tep_port_receive_packets_total{side="v4"}') > 100
    assert 0 < prometheus.value("time() - process_start_time_seconds{job='dstm-tep'}") < 120
    assert prometheus.value("process_cpu_seconds_total{job='dstm-server'}") > 0


@pytest.mark.parametrize("shown", panels(), ids=lambda one: one["title"])
def test_each_panel_shows_something(prometheus, shown):
    """Every expression of the dashboard has data, as Grafana would ask for it."""
    for target in shown["targets"]:
        expression = target["expr"].replace("$__rate_interval", "15s")
        expression = re.sub(r"\$(tep|server)", ".*", expression)
        assert "$" not in expression
        assert prometheus.values(expression), expression
        end = time.time()
        matrix = prometheus.ask("query_range", query=expression, start=end - 4, end=end, step=1)
        assert matrix["result"], expression


def test_every_alert_is_evaluated_and_silent(prometheus):
    def rules():
        found = prometheus.ask("rules")["groups"][0]["rules"]
        return found if all(rule["health"] == "ok" for rule in found) else None

    found = wait_until(rules, TIMEOUT_S, "all rules to be evaluated")
    assert len(found) == len(yaml.safe_load(RULES.read_text())["groups"][0]["rules"])
    assert not [rule for rule in found if rule.get("lastError")]
    assert not [rule["name"] for rule in found if rule["state"] == "firing"]
    for rule in found:
        for name in metric_names(rule["query"]):
            assert prometheus.values(name), f"{rule['name']}: there is no {name}"


def test_variables_and_annotations_have_data(prometheus):
    board = json.loads(DASHBOARD.read_text())
    for variable in board["templating"]["list"]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)",
                                     variable["definition"]).groups()
        assert all(labels[label] for labels, _ in prometheus.values(metric))
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            prometheus.ask("query", query=annotation["expr"])


# --- DPDK's telemetry ---


def telemetry(lab, *commands: str) -> list:
    """What dpdk-telemetry.py prints for each of them, without what stands around it."""
    done = subprocess.run(["dpdk-telemetry.py", "-f", lab.nodes["tep"].id], text=True, timeout=30,
                          input="\n".join([*commands, "quit"]) + "\n", capture_output=True,
                          check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [answer[command.split(",")[0]]
            for command, answer in zip(commands, answers, strict=True)]


def test_dpdks_own_tool_is_answered(lab, prometheus):
    everything, = telemetry(lab, "/")
    listed, = telemetry(lab, "/dstm/help")
    assert set(listed) == {name for name in everything if name.startswith("/dstm/")}
    stats, workers, bindings, servers, ready = telemetry(
        lab, "/dstm/stats", "/dstm/workers", "/dstm/bindings", "/dstm/servers", "/dstm/ready")
    counters = lab.programs["tep"].ctl("counters", "--all")
    assert set().union(*(stats[table] for table in ("drops", "packets", "host", "ask"))) == {
        row["name"] for row in counters}
    assert 100 < stats["packets"]["decapsulated"] <= lab.programs["tep"].counters()["decapsulated"]
    assert stats["cycles_per_packet"] > 0 and stats["drops"]["spoofed_client"] == 0
    assert list(workers) == ["0"]
    assert workers["0"]["packets"] >= stats["packets"]["rx"] + stats["packets"]["from_host"]
    assert (bindings["count"], bindings["max"]) == (2, 65536)
    assert list(servers) == ["0"]
    assert (servers["0"]["name"], servers["0"]["state"]) == ("server1", "connected")
    assert (servers["0"]["level"], servers["0"]["differs_s"]) == (1, 0)
    assert ready == {"state": "ready", "reason": ""}


def test_a_binding_is_found_by_address_and_port(lab, prometheus):
    lease = lab.leases["client1"]
    first, last = lease["ports"][0]
    held, = telemetry(lab, f"/dstm/binding,{lease['v4']},{last}")
    assert 0 < held.pop("seconds_left") <= 3600
    assert held == {"held": 1, "v4": lease["v4"], "first": first, "last": last, "static": 0,
                    "dormant": 0, "client": "2001:db8:1::17", "tep": "2001:db8:fe::1"}
    assert telemetry(lab, f"/dstm/binding,{lease['v4']},80") == [{"held": 0}]


def test_nonsense_about_a_binding_is_refused(lab):
    nonsense = ["", ",", ",,", ",198.51.100.7", ",198.51.100.7,", ",198.51.100.7,x",
                ",198.51.100.7,-1", ",198.51.100.7,65536", ",198.51.100.7,1,2",
                ",198.51.100.7 ,1", ",::1,1",
                ",1500,198.51.100.7", "," + 500 * "9", ",198.51.100.7," + 500 * "9", ",%s%n,1"]
    answers = telemetry(lab, *(f"/dstm/binding{params}" for params in nonsense))
    assert answers == [None] * len(nonsense)


def test_many_ask_at_once(lab):
    """DPDK gives each connection a thread, ten at most."""
    command = ["dpdk-telemetry.py", "-f", lab.nodes["tep"].id]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for _ in range(6)]
    for one in running:
        one.stdin.write(20 * "/dstm/stats\n/dstm/bindings\n" + "quit\n")
        one.stdin.flush()
    for one in running:
        said, _ = one.communicate(timeout=30)
        answers = [json.loads(line) for line in said.splitlines()]
        assert len(answers) == 40 and all(list(answer.values())[0] for answer in answers)


# --- health, and strangers ---


@pytest.mark.parametrize("node", ["tep", "server"])
def test_health_and_readiness(lab, prometheus, node):
    assert page(lab, node, "/healthz") == (200, "ok\n")
    assert page(lab, node, "/ready") == (200, "ready\n")
    assert page(lab, node, "/")[0] == 404


def test_ipv4_is_served_by_the_wildcard_address(lab):
    assert lab.nodes["server"].run(["curl", "-s", "http://127.0.0.1:9477/healthz"]) == "ok\n"


@pytest.mark.parametrize("node,port", [("tep", 9476), ("server", 9477)])
def test_strangers_change_nothing(lab, node, port):
    """Garbage, halves, floods of connections: the next one is served; also in the sandbox."""
    silent = [connect(lab, node, port) for _ in range(100)]
    for octets in (b"", b"GET", b"\x00" * 9000, b"GET / HTTP/1.1\r\n" * 1000,
                   b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"
                   + b"x" * 100000):
        with connect(lab, node, port) as sock, contextlib.suppress(OSError):
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            assert not sock.recv(65536).startswith(b"HTTP/1.1 200")
    assert page(lab, node, "/healthz") == (200, "ok\n")
    for sock in silent:
        sock.close()


def test_a_neighbour_by_its_link_local_address_is_served(lab):
    """Nobody looks up names of peers, by calls that the sandbox would answer with death."""
    shown = json.loads(lab.nodes["server"].ip("-j", "address", "show", "dev", "eth0"))
    local, = (one["local"] for one in shown[0]["addr_info"] if one["scope"] == "link")
    assert lab.nodes["core"].run(
        ["curl", "-sg", f"http://[{local}%25servers]:9477/healthz"]) == "ok\n"


def test_who_never_finishes_a_request_is_cut_off(lab, slow, prometheus):
    sockets, began = slow
    for sock in sockets:
        sock.settimeout(max(0.1, began + TIMEOUT_S - time.monotonic()))
        assert sock.recv(1) == b""


# --- when something is missing; the last ones ---


def test_a_tep_that_leaves_is_told_by_all(lab, prometheus):
    """S33: drained, it is not ready; gone, the server is not ready for clients, and alarms tell."""
    tep = lab.programs["tep"]
    with connect(lab, "tep", 9476) as early:
        drain = subprocess.Popen(tep.ctl_command("drain", "--wait", "20"),
                                 stdout=subprocess.DEVNULL)
        wait_until(lambda: page(lab, "tep", "/ready") == (503, "draining\n"), TIMEOUT_S,
                   "the drain")
        assert page(lab, "tep", "/healthz")[0] == 200
        assert drain.wait(TIMEOUT_S) == 0 and tep.stop() == 0
        assert early.recv(1) == b""
    wait_until(lambda: page(lab, "server", "/ready") == (503, "no TEP has a session\n"),
               TIMEOUT_S, "the server to be not ready")
    assert page(lab, "server", "/healthz") == (200, "ok\n")
    wait_until(lambda: {"DstmDown", "DstmServerNotReady", "DstmTepSessionDown"} <= {
        labels["alertname"] for labels, _ in prometheus.values("ALERTS")}, TIMEOUT_S, "the alarms")
    lab.start("tep")
    wait_until(lambda: {page(lab, node, "/ready")[0] for node in ("tep", "server")} == {200},
               TIMEOUT_S, "both to be ready again")
