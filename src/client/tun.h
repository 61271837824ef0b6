// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DTI's device: a tun interface that lives as long as its descriptor.
 */
#pragma once

/*
 * Makes the device and returns a nonblocking descriptor, one IPv4 packet a read or write; or
 * -errno: -EBUSY when a device of that name is in use or is not ours to take.
 */
int cl_tun_open(const char *device);
