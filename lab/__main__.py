# SPDX-License-Identifier: BSD-3-Clause
"""tools/lab [--check] FILE: runs a lab file. HOLD=1 keeps it up until Enter.

Exit codes: 0 all checks hold, 1 not all of them, 2 the file or the command line is bad.
"""

import os
import select
import shlex
import signal
import sys

from lab.netns import CommandFailed
from lab.program import DAEMONS, ROOT
from lab.router import Router
from lab.run import Lab, check_file
from lab.screen import Screen
from lab.yaml_lines import BadFile


def main() -> int:
    arguments = [one for one in sys.argv[1:] if one != "--check"]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        if "--check" in sys.argv:
            check_file(arguments[0])
            return 0
        if os.geteuid() != 0:
            print("lab: network namespaces need root", file=sys.stderr)
            return 2
        return run(arguments[0])
    except BadFile as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2


def run(path: str) -> int:
    # SIGINT as well: a shell starts what it does not wait for with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    screen = Screen()
    try:
        lab = Lab(path, screen)
        screen.line(f"{lab.spec.title}\npackets and logs: {lab.folder.relative_to(ROOT)}\n")
        with lab:
            lab.run_steps()
            screen.table()
            if os.environ.get("HOLD") in ("1", "yes"):
                hold(lab)
    except CommandFailed as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlab: interrupted; everything is taken down", file=sys.stderr)
        return 1
    return 0 if screen.all_hold else 1


def hold(lab: Lab):
    """Prints how to enter the nodes and ask the daemons, and waits for Enter or SIGINT."""
    lab.screen.line("\nThe lab stays up. A shell on a node:")
    for node in lab.nodes.values():
        lab.screen.line(f"  ip netns exec {node.id} bash")
    daemons = [one for one in lab.programs.values() if one.spec.run in DAEMONS]
    routers = [one for one in lab.programs.values() if isinstance(one, Router)]
    if daemons:
        lab.screen.line("Ask a daemon:")
    for daemon in daemons:
        lab.screen.line(f"  {' '.join(daemon.ctl_command('show'))}")
    if routers:
        lab.screen.line("Ask a router:")
    for router in routers:
        lab.screen.line(f"  {shlex.join(router.ctl_command('show bfd'))}")
    lab.screen.line("Enter ends it.")
    try:
        # A signal that comes just before a read that blocks is noticed only after it: look again.
        while not select.select([sys.stdin], [], [], 1)[0]:
            pass
        sys.stdin.readline()
    except KeyboardInterrupt:
        lab.screen.line()


def _interrupt(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
