# SPDX-License-Identifier: BSD-3-Clause
"""Something that goes on while a `with` block runs."""

import threading


class Background:
    """Calls `_tick` every PERIOD_S seconds, on a thread of its own, from the block's begin to its end."""

    PERIOD_S = 1

    def __init__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self.PERIOD_S):
            self._tick()

    def _tick(self):
        raise NotImplementedError
