// SPDX-License-Identifier: BSD-3-Clause
/*
 * Kernel settings below /proc/sys, read and written as text.
 */
#pragma once

#include <stddef.h>

/*
 * name is a path: "net/ipv4/ip_local_port_range". Both return 0 or -errno; no newline in the text.
 */
int cl_sysctl_read(const char *name, char *text, size_t size);
int cl_sysctl_write(const char *name, const char *text);
