// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a daemon gives up once it knows its configuration: root's identity, every capability, and the way
 * back to either. Comes before the first thread, socket and database, so that all that is opened
 * later is opened as the user that it will be reopened as.
 */
#pragma once

/*
 * Becomes user with the groups that it is in (NULL: stays who it is), with empty capability sets, and
 * without a program that could be executed for more. Returns 0, or -errno with the reason logged.
 */
int privileges_drop(const char *user);

/*
 * Leaves the calling thread, and those and the programs that it will start, CAP_NET_ADMIN and no way to
 * anything more: for who changes the host's network as long as it runs. Returns 0, or -errno with the reason
 * logged; -EPERM: there was no such capability.
 */
int privileges_keep_net_admin(void);
