// SPDX-License-Identifier: BSD-3-Clause
/*
 * Threads beside an event loop.
 */
#pragma once

#include <pthread.h>

/*
 * Starts run(arg) in a thread that takes no signal: those are the event loop's. Returns 0 or -errno; the
 * caller joins it.
 */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
