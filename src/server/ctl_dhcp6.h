// SPDX-License-Identifier: BSD-3-Clause
/* The commands of dstmctl about DHCPv6 clients (R36): struct ctl_command run. */
#pragma once

#include "common/ctl.h"

json_t *srv_ctl_dhcp6(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *srv_ctl_reconfigure(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);
