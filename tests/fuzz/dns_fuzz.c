// SPDX-License-Identifier: BSD-3-Clause
/*
 * DNS replies: pairs of a length (two octets) and a message, one after the other into one table. Names
 * stay within their bounds.
 */
#include "client/dns_names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cl_dns_names names = {0};

	for (int64_t now_ms = 1000; size >= 2; now_ms += 500) {
		size_t len = (size_t)(data[0] << 8 | data[1]);
		uint8_t *reply;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		/* A copy of its own length: the sanitizer sees each octet that is read behind its end. */
		reply = malloc(len);
		if (len > 0)
			memcpy(reply, data, len);
		cl_dns_names_read(&names, reply, len, now_ms);
		free(reply);
		data += len;
		size -= len;
		for (size_t i = 0; i < CL_DNS_NAMES_MAX; i++) {
			if (memchr(names.items[i].name, '\0', NS_MAXDNAME) == NULL)
				abort();
		}
	}
	return 0;
}
