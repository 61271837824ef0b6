// SPDX-License-Identifier: BSD-3-Clause
/*
 * A link by RPC (draft-ietf-ngtrans-dstm-05, annex B; docs/rpc.md): a create is a REQUEST, a delete a RELEASE, the packet that
 * answers an info.
 *
 * The port is configured, or asked of the server's rpcbind. The link is ready once the server has answered procedure 0
 * there; else the server's next address is tried. It stays open without a connection: each call may make its own.
 *
 * A packet has no place for reasons. So a renewal that is refused is followed by a REQUEST for any lease: the server answers
 * with the one that there is, or gives another; and where it refuses that, too, the lease is kept until its end.
 */
#pragma once

#include "client/link.h"

extern const struct cl_link_kind cl_rpc_link;
