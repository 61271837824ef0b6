# SPDX-License-Identifier: BSD-3-Clause
"""What a DHCPv6 client of a lab runs when something happens to its lease: dhcp_hook.py FILE

Both dhclient and dhcpcd say what happened, and what the server told them, in the environment. It
goes to the file, a line of JSON each. The address that dhclient got goes to the interface, as its
own script would do; dhcpcd does that by itself. Nothing else of the machine is touched: this takes
the place of the scripts that write resolv.conf.
"""

import json
import os
import subprocess
import sys

GOT = {"BOUND6", "RENEW6", "REBIND6"}
LOST = {"EXPIRE6", "RELEASE6", "STOP6"}


def main() -> int:
    reason = os.environ.get("reason", "")
    told = {name: value for name, value in os.environ.items()
            if name.startswith(("new_", "old_"))}
    with open(sys.argv[1], "a", encoding="utf-8") as events:
        events.write(json.dumps({"reason": reason, "told": told}) + "\n")
    if reason in GOT and "new_ip6_address" in told:
        return address("replace", told["new_ip6_address"], "nodad")
    if reason in LOST and "old_ip6_address" in told:
        return address("del", told["old_ip6_address"])
    return 0


def address(verb: str, text: str, *flags: str) -> int:
    done = subprocess.run(["ip", "-6", "address", verb, f"{text}/128", "dev",
                           os.environ["interface"], *flags], check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
