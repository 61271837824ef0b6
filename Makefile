# SPDX-License-Identifier: BSD-3-Clause
# A thin face on meson and the scripts in tools/. Every target installs what it lacks (as root).

BUILD ?= build/gcc
LAB ?= config/lab/shared-address.yaml

.PHONY: all build check chaos bench bench-client bench-routes bench-server clean fuzz install lab lint packages soak

all: build

packages:
	@tools/install-packages

build: packages
	@tools/build $(BUILD)

# Everything that CI runs: two compilers, unit, packet, system and lab tests, sanitizers, fuzzers.
check: packages
	@tools/check

# The main job on the screen: make lab LAB=config/lab/host-mode.yaml HOLD=1
lab: build
	@DSTM_BUILD=$(BUILD) HOLD=$(HOLD) tools/lab $(LAB)

# The data plane beside dpdk-testpmd on the same ports; STAGES=1: cycles of each stage instead.
bench: packages
	@tools/bench $(if $(STAGES),--stages)

# The data plane with a full table of the Internet, which BIRD brings and takes away.
bench-routes: packages
	@tools/bench-routes

# dstm-server: leases a second, memory, start, re-levelling, expiry; Kea beside it.
bench-server: packages
	@tools/bench-server

# dstm-client: TCP through the tunnel beside plain TCP on the same link, both directions; idle wake-ups.
bench-client: packages
	@tools/bench-client

# The fuzzers of the data plane, an hour each: make fuzz SECONDS=60
fuzz: packages
	@tools/fuzz $(SECONDS)

# The whole lab under mixed traffic for an hour, and whether anything grew: make soak SECONDS=60
soak: build
	@DSTM_BUILD=$(BUILD) tools/soak $(SECONDS)

# kill -9 of server and TEP at random under load, and what must hold afterwards; then with a disk that fails, too; then
# with a session between the two that breaks:
# make chaos ROUNDS=100 SEED=1
chaos: build
	@DSTM_BUILD=$(BUILD) tools/chaos --rounds $(or $(ROUNDS),1000) $(if $(SEED),--seed $(SEED))
	@DSTM_BUILD=$(BUILD) tools/chaos --rounds $(or $(ROUNDS),1000) $(if $(SEED),--seed $(SEED)) --faults
	@DSTM_BUILD=$(BUILD) tools/chaos --flaps $(or $(ROUNDS),1000) $(if $(SEED),--seed $(SEED))

lint: packages
	@tools/lint

install: build
	meson install -C $(BUILD)

clean:
	rm -rf build
