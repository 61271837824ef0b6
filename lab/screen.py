# SPDX-License-Identifier: BSD-3-Clause
"""What the reader of a lab run sees: lines as things happen, live figures, a table at the end.

The same lines go to the file `screen.log` of the run. Live figures are one line that is written
over on a terminal, and plain lines elsewhere.
"""

import shutil
import sys
import threading
import time

from lab.background import Background


class Screen:
    def __init__(self, quiet: bool = False):
        self._quiet = quiet
        self._terminal = sys.stdout.isatty() and not quiet
        self._began = time.monotonic()
        self._log = None
        self._live_shown = False
        self._lock = threading.RLock()
        self.results: list[tuple[str, bool, str]] = []

    def keep_in(self, path):
        self._log = open(path, "w", buffering=1, encoding="utf-8")

    def line(self, text: str = ""):
        with self._lock:
            self._wipe_live()
            if self._log:
                self._log.write(text + "\n")
            if not self._quiet:
                print(text, flush=True)

    def say(self, subject: str, text: str):
        for number, part in enumerate(text.splitlines()):
            subject_once = subject if number == 0 else ""
            self.line(f"{time.monotonic() - self._began:6.1f} s  {subject_once:<10} {part}")

    def live(self, subject: str, text: str):
        if not self._terminal:
            self.say(subject, text)
            return
        with self._lock:
            line = f"{time.monotonic() - self._began:6.1f} s  {subject:<10} {text}"
            sys.stdout.write("\r\033[K" + line[:shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()
            self._live_shown = True

    def check(self, what: str, holds: bool, figure: str):
        """Notes a check for the table, and says it."""
        self.results.append((what, bool(holds), figure))
        self.say("ok" if holds else "NOT OK", f"{what}: {figure}")

    @property
    def all_hold(self) -> bool:
        return all(holds for _, holds, _ in self.results)

    def table(self):
        if not self.results:
            return
        width = max(len(what) for what, _, _ in self.results)
        self.line()
        self.line(f"{'check':<{width}}  result  figure")
        self.line(f"{'-' * width}  ------  {'-' * 40}")
        for what, holds, figure in self.results:
            self.line(f"{what:<{width}}  {'ok' if holds else 'NOT OK':<6}  {figure}")
        failed = sum(not holds for _, holds, _ in self.results)
        self.line()
        self.line(f"all {len(self.results)} checks hold" if not failed
                  else f"{failed} of {len(self.results)} checks do NOT hold")

    def close(self):
        with self._lock:
            self._wipe_live()
            if self._log:
                self._log.close()
                self._log = None

    def _wipe_live(self):
        if self._live_shown:
            sys.stdout.write("\r\033[K")
            self._live_shown = False


class Meter(Background):
    """Live figures of a dstm-tep while a `with` block runs: what went through per second."""

    def __init__(self, screen: Screen, tep):
        super().__init__()
        self._screen, self._tep = screen, tep

    def __enter__(self):
        self._before, self._at = self._sample(), time.monotonic()
        return super().__enter__()

    def _tick(self):
        now, later = self._sample(), time.monotonic()
        if self._before and now:
            inward = self._rate(self._before["v6"], now["v6"], later - self._at)
            outward = self._rate(self._before["v4"], now["v4"], later - self._at)
            self._screen.live(self._tep.name,
                              f"to the clients {inward}, to the IPv4 side {outward}")
        self._before, self._at = now, later

    def _sample(self) -> dict | None:
        try:
            return {port["side"]: port for port in self._tep.ctl("show")["ports"]}
        except Exception:  # a figure less; the step itself reports what is wrong
            return None

    @staticmethod
    def _rate(before: dict, now: dict, seconds: float) -> str:
        """What a port sent in between."""
        packets = (now["tx_packets"] - before["tx_packets"]) / seconds
        megabits = (now["tx_bytes"] - before["tx_bytes"]) * 8 / 1e6 / seconds
        return f"{packets:7,.0f} packets/s {megabits:7,.1f} Mb/s"
