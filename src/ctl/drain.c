// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/drain.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define END_S      30 /* what a process may take from its last packet to its end */
#define WAIT_MAX_S 3600

/* A number of the answer, at most max; 0 where there is none. */
static int member(const json_t *result, const char *name, int max)
{
	json_int_t value = json_integer_value(json_object_get(result, name));

	return value < 0 ? 0 : value > max ? max : (int)value;
}

void ctl_print_draining(const json_t *result, const struct ctl_print_options *options, FILE *file)
{
	fprintf(file, "draining, for %d s at most\n", member(result, "wait_s", WAIT_MAX_S));
}

int ctl_drain_follow(const json_t *result)
{
	struct pollfd end = {.fd = pidfd_open(member(result, "pid", INT_MAX), 0), .events = POLLIN};
	int rc;

	if (end.fd < 0 && errno == ESRCH)
		return EXIT_SUCCESS;
	if (end.fd < 0) {
		fprintf(stderr, "dstmctl: the daemon cannot be watched: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	rc = poll(&end, 1, (member(result, "wait_s", WAIT_MAX_S) + END_S) * 1000);
	close(end.fd);
	if (rc == 1)
		return EXIT_SUCCESS;
	fputs("dstmctl: the daemon does not end\n", stderr);
	return EXIT_FAILURE;
}
