// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl tep explain, trace and capture, as commands of the control socket.
 *
 *	explain		one packet, its verdict
 *	watch		begins to record packets that match a filter; the answer names the watch
 *	watch_next	what it recorded since; a bounded answer, never waited for
 *	watch_end	ends it
 *
 * The client asks again and again, so nothing grows here when it does not read. A watch that nobody has asked for
 * WATCH_PATIENCE_MS is ended: dstmctl may die at any moment.
 */
#pragma once

#include "common/ctl.h"
#include "dataplane/datapath.h"

#define WATCH_PATIENCE_MS 3000

struct event_base;
struct tep_watches;

/* Borrows both. NULL: no memory. */
struct tep_watches *tep_watches_create(struct event_base *base, struct dp_datapath *datapath);
/* Before the data plane goes. */
void tep_watches_destroy(struct tep_watches *watches);

json_t *tep_watches_explain(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *tep_watches_begin(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *tep_watches_next(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *tep_watches_end(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN]);
