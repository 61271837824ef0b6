// SPDX-License-Identifier: BSD-3-Clause
/*
 * The section "tunnel" of the configuration: what its table of keys cannot say, and what the data plane gets
 * of it.
 */
#pragma once

#include "control/tep_config.h"
#include "dataplane/mtu_rules.h"

/* Checks the section, and fills config->tep_v6 and config->tunnel.mss. 0, or -EINVAL with one sentence. */
int tep_tunnel_check(const char *path, struct tep_config *config, struct config_error *error);

/* The MTUs by tunnel address and by client prefix. */
void tep_tunnel_mtu_rules(const struct tep_config *config, struct dp_mtu_rules *rules);
