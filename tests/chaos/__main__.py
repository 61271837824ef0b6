# SPDX-License-Identifier: BSD-3-Clause
"""
chaos [--rounds N] [--flaps N] [--seed S] [--rate R] [--faults]: kills server and TEP at random under load, and checks
what must hold. With --faults, the disk under the server's store fails at random, too. With --flaps it is the session
between the two that breaks, N times, mixed with kills, and after each the digests of their tables are compared.

No answered lease is lost, no range has two holders, and after every pause the tables of server and TEP are equal
within five seconds. Prints its seed; the same seed kills in the same order.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

# pylint: disable=wrong-import-position
from iofault import Faults  # noqa: E402
from . import flaps  # noqa: E402
from .history import History  # noqa: E402
from .load import Load  # noqa: E402
from .world import QUARANTINE_S, World  # noqa: E402

FAULTS = ("write_eio", "write_enospc", "sync_eio", "short", "torn", "truncate_eio")
VICTIMS = [("server",)] * 5 + [("tep",)] * 4 + [("server", "tep")]


def arguments():
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--flaps", type=int, default=0, help="of the session, instead of rounds")
    parser.add_argument("--rate", type=int, default=500, help="transactions a second")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--faults", action="store_true", help="I/O errors, full disk, torn writes")
    parser.add_argument("--folder", help="keep the store and the logs here")
    return parser.parse_args()


async def disturb(world, rng):
    """The disk fails for a while, now and then or always; or server and TEP are killed as ever."""
    if world.faults is not None and rng.random() < 0.7:
        world.faults.set(rng.choice(FAULTS), rng.choice((1, 2, 5, 20)))
        await asyncio.sleep(rng.uniform(0, 0.5))
        world.faults.clear()
        return
    world.kill(rng.choice(VICTIMS))


async def rounds(world, load, history, n, rng):
    """Each round: a while of load, a kill. Now and then a pause to compare."""
    between = max(1, min(n // 12, 20))
    for number in range(1, n + 1):
        await asyncio.sleep(rng.uniform(0, 0.6))
        load.check()
        world.check_running()
        await disturb(world, rng)
        if number % between and number != n:
            continue
        await world.level()
        await asyncio.sleep(rng.uniform(0.2, 0.8))
        await load.pause()
        await world.level()
        await world.compare(history)
        print(f"round {number}: tables equal, {world.n_leases} leases", flush=True)
        load.resume()


async def play(folder, options):
    rng = random.Random(options.seed)
    history = History(QUARANTINE_S)
    world = World(folder, Faults(folder) if options.faults else None, options.flaps > 0)
    load = Load(world.port, history, options.seed, options.rate)
    began = time.monotonic()
    try:
        await world.start()
        await world.level()
        load.start()
        await asyncio.sleep(1)
        if options.flaps:
            await flaps.rounds(world, load, history, options.flaps, rng)
        else:
            await rounds(world, load, history, options.rounds, rng)
        load.check()
    finally:
        await load.stop()
        await world.stop()
    took = time.monotonic() - began
    done = sum(load.counts.values())
    print(f"{options.flaps or options.rounds} rounds in {took:.0f} s, {done} transactions ({done / took:.0f}/s): " +
          ", ".join(f"{n} {what}" for what, n in sorted(load.counts.items())))
    print(f"tables equal after at most {world.slowest_s:.2f} s; no lease lost, no range with two holders")


def main():
    options = arguments()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    print(f"chaos: seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dstm-chaos-") as folder:
        folder = Path(options.folder or folder)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            asyncio.run(play(folder, options))
        except AssertionError as error:
            sys.exit(f"chaos: seed {options.seed}: {error}")


main()
