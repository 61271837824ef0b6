# SPDX-License-Identifier: BSD-3-Clause
"""The commands of dstm-client as a user types them, and their completion by a real bash."""

import json
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("DSTM_BUILD", "build/gcc")
CLIENT, DSTMCTL = BUILD / "src/client/dstm-client", BUILD / "src/ctl/dstmctl"
COMPLETION = ROOT / "config/completion/dstm.bash"

LEASE = {"state": "bound", "v4": "198.51.100.7", "ports": [[1024, 2047]], "tep": "2001:db8::1"}


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=20,
                          check=False, stdin=subprocess.DEVNULL)


def complete(program: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    script = f"""
        source {COMPLETION}
        COMP_WORDS=({program} "$@") COMP_CWORD=$#
        $(complete -p {program.name} | sed 's/.* -F \\([^ ]*\\) .*/\\1/') {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = run("bash", "-uc", script, "bash", *words)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


def options_in(usage: str) -> set[str]:
    return {option for line in usage.splitlines() if re.match(r" +--?[A-Za-z]", line)
            for option in re.findall(r"(?<![^ ])--?[A-Za-z][a-z-]*", line.split("  ")[1])}


@pytest.fixture
def daemon(tmp_path):
    """Answers one question with `daemon.answer`, as a daemon would."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "client.sock"))
        listener.listen(1)

        def serve(result):
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as file:
                assert json.loads(file.readline())["command"] == "show"
                file.write(json.dumps({"ok": True, "result": result}) + "\n")
                file.flush()

        def answer(result):
            threading.Thread(target=serve, args=(result,), daemon=True).start()
            return tmp_path / "client.sock"

        yield answer


def test_status_is_a_screen_with_an_exit_status(daemon):
    done = run(CLIENT, "status", "-s", daemon(LEASE))
    assert done.returncode == 0
    assert done.stdout.startswith("dstm-client is bound\n  address     198.51.100.7\n")
    done = run(CLIENT, "status", "--json", "-s", daemon(LEASE))
    assert done.returncode == 0
    assert json.loads(done.stdout) == LEASE
    assert run(CLIENT, "status", "-s", daemon({"state": "backoff", "v4": None})).returncode == 3


def test_status_without_a_daemon_is_one_sentence(tmp_path):
    done = run(CLIENT, "status", "-s", tmp_path / "none.sock")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "none.sock" in done.stderr


@pytest.mark.parametrize("words", [["stat"], ["status", "x"], ["status", "--none"], ["-x"], ["-c"]])
def test_a_wrong_word_is_answered_with_the_usage(words):
    done = run(CLIENT, *words)
    assert done.returncode == 2
    assert "usage: dstm-client [-c FILE]" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["status", "--help"]])
def test_the_usage_names_every_command(words):
    done = run(CLIENT, *words)
    assert done.returncode == 0
    assert "dstm-client status [--json]" in done.stdout


def test_without_a_file_the_default_one_is_read(tmp_path):
    """In a name space of its own, where /etc/dstm is another folder."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    (tmp_path / "client.yaml").write_text("server: '[2001:db8::53]:0'\n")
    done = run("unshare", "-m", "sh", "-c",
               f"mount -t tmpfs none /etc && cp -r {tmp_path} /etc/dstm && {CLIENT} -t")
    assert done.returncode == 2
    assert "/etc/dstm/client.yaml" in done.stderr


def test_the_client_is_completed():
    usage = run(CLIENT, "--help").stdout
    assert "status" in complete(CLIENT, "")
    assert complete(CLIENT, "stat") == ["status"]
    assert set(complete(CLIENT, "-")) == {"-c", "-t", "-v", "-V", "--version", "-h", "--help"}
    assert set(complete(CLIENT, "status", "-")) == {"--json", "-s", "-h", "--help"}
    assert complete(CLIENT, "status", "") == []
    offered = {option for command in [[], *([name] for name in complete(CLIENT, ""))]
               for option in complete(CLIENT, *command, "-")}
    assert offered == options_in(usage)
    assert complete(CLIENT, "-c", str(COMPLETION)[:-3]) == [str(COMPLETION)]
    assert complete(CLIENT, "status", "-s", str(COMPLETION)[:-3]) == [str(COMPLETION)]


def test_a_program_to_run_is_completed():
    assert "--" not in complete(CLIENT, "run", "")
    assert "mkdir" in complete(CLIENT, "run", "--", "mkd")
    assert "mkdir" in complete(CLIENT, "run", "-v", "--", "mkd")
    assert complete(CLIENT, "run", "--", "cat", str(COMPLETION)[:-3]) == [str(COMPLETION)]
    assert set(complete(CLIENT, "run", "-")) >= {"--resolv-conf", "-c"}


def test_dstmctl_is_completed():
    usage = run(DSTMCTL, "--help").stdout
    assert complete(DSTMCTL, "") == ["client", "server", "tep"]
    commands = {(daemon, name) for daemon in complete(DSTMCTL, "")
                for name in complete(DSTMCTL, daemon, "")}
    assert commands == set(re.findall(r"^  ([a-z]+) +([a-z0-9-]+)", usage, re.M))
    assert set(complete(DSTMCTL, "tep", "show", "-")) == options_in(usage) >= {"--json", "--side"}
    assert complete(DSTMCTL, "tep", "trace", "--side", "") == ["v6", "v4"]
    assert complete(DSTMCTL, "tep", "trace", "--port", "") == []
    assert complete(DSTMCTL, "tep", "show", "--socket", str(COMPLETION)[:-3]) == [str(COMPLETION)]


def test_what_is_completed_is_understood():
    """No option is offered that the program does not know."""
    for option in complete(DSTMCTL, "tep", "show", "--"):
        done = run(DSTMCTL, option)
        assert "unrecognized option" not in done.stderr, option
    for option in complete(CLIENT, "-"):
        done = run(CLIENT, option, "-V")
        assert "invalid option" not in done.stderr and "unrecognized" not in done.stderr, option
