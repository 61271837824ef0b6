# SPDX-License-Identifier: BSD-3-Clause
"""Runs a network described in YAML on one machine, in namespaces, and checks what happens.

    yaml_lines  YAML values that remember where they stand       (knows nothing of labs)
    labfile     the format of a lab file: its keys, its errors
    netns       one network namespace: make, enter, remove, find what a killed run left
    topology    links, addresses and routes of a lab file, in namespaces
    program     one program in one namespace: start, readiness, dstmctl, end
    router      BIRD and FRR as such programs
    capture     tcpdump on an interface, and reading it back
    run         a lab that is up: all of the above, and its way down in every case
    steps       what a lab does and checks, one function per kind of step
    routing_steps  more: sessions, ways, and a failure under load
    screen      what the reader sees
    web, fetch  the HTTP server and the HTTP client that run inside
    probe       traffic whose every gap and loss is known, both ends of it
    traffic     the same from a node while something else happens, and what became of it

docs/lab.md is the manual.
"""
