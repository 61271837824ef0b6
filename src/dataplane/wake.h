// SPDX-License-Identifier: BSD-3-Clause
/*
 * How workers wake the control thread for what they have put into a ring, at most once until it has looked.
 *
 * The eventfd is written only by whoever finds nobody else has asked for the control thread: `asked` is set
 * with it and cleared by the control thread before it looks into the ring. Either the control thread still
 * sees what was put in, or the worker sees `asked` cleared and asks again; the ring's own
 * counters cannot say so, because they move before and after its entries do.
 */
#pragma once

#include <stdatomic.h>

struct dp_wake {
	int eventfd;
	atomic_bool asked; /* the eventfd has been written and not been read since */
};

/* 0 or -errno; then there is nothing to close. */
int dp_wake_open(struct dp_wake *wake);
void dp_wake_close(struct dp_wake *wake);

/* A worker, after it has put something in. */
void dp_wake_ask(struct dp_wake *wake);
/* The control thread, before it looks. */
void dp_wake_heed(struct dp_wake *wake);
