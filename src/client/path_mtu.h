// SPDX-License-Identifier: BSD-3-Clause
/*
 * The MTU of the IPv6 path, and of the device that leads into it (R63, S16).
 *
 * The kernel keeps the path's: from the route, from router advertisements, and from Packet Too Big, which it
 * forgets after some time (net.ipv6.route.mtu_expires, ten minutes). It is asked, not kept here.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#define CL_PATH_MTU_MIN     1280 /* what every IPv6 link carries */
#define CL_PATH_MTU_DEFAULT 1500

/* Of the path between two addresses of ours and theirs; CL_PATH_MTU_DEFAULT when there is none. */
uint32_t cl_path_mtu_get(const struct in6_addr *local, const struct in6_addr *remote);

/* Of the device: the path's without the outer header, never below what the smallest IPv6 link leaves. */
uint32_t cl_path_mtu_device(uint32_t path_mtu);

/* When the kernel forgets what a Packet Too Big said. */
uint32_t cl_path_mtu_age_s(void);
