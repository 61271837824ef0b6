# SPDX-License-Identifier: BSD-3-Clause
"""
What clients were told, and whether it can all be true: the rules that no crash may break.

A range is its client's from the answer that gives it up to its end, as the client knows it: the request's
time and the lifetime granted, or the moment in which it sent its release. Then it rests. Who is answered with
a range that somebody else holds, or that has not rested, is a violation; so is a client that is refused
what it holds. Times are one clock of this host's, which no kill stops.
"""

import dataclasses

MARGIN_S = 0.25  # the server's clock ticks, and two clocks are converted into each other


@dataclasses.dataclass
class Holding:
    """One client's hold on one range."""

    client: str
    since: float
    end: float  # not before this, as far as the client can tell
    certain: bool = True  # False: a request is under way or was lost, so it may be over


class Violation(AssertionError):
    """Something was broken that may never break."""


class History:
    """All holdings, by address and range; quarantine_s as the server has it."""

    def __init__(self, quarantine_s):
        self.quarantine_s = quarantine_s
        self.last = {}  # (v4, first, last): the last Holding
        self.answers = 0

    def given(self, client, key, asked, now, lifetime_s):
        """An answer: the client holds the range until its request's time and the lifetime, at least."""
        self.answers += 1
        before = self.last.get(key)
        if before is not None and before.client != client:
            free = before.end + self.quarantine_s
            if now < free - MARGIN_S:
                raise Violation(
                    f"{key} given to {client} {free - now:.2f} s before {before.client} and the "
                    f"quarantine were through")
        if before is not None and before.client == client:
            before.end, before.certain = asked + lifetime_s, True
            return before
        self.last[key] = Holding(client, now, asked + lifetime_s)
        return self.last[key]

    def held(self, now):
        """What has to be there: (v4, first, last) and client."""
        return {key: holding.client for key, holding in self.last.items()
                if holding.certain and holding.end > now + MARGIN_S}
