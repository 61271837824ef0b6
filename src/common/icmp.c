// SPDX-License-Identifier: BSD-3-Clause
#include "common/icmp.h"

#include <netinet/ip_icmp.h>

enum icmp_class icmp_classify(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_INFO_REQUEST:
	case ICMP_ADDRESS:
		return ICMP_REQUEST;
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESSREPLY:
		return ICMP_REPLY;
	case ICMP_DEST_UNREACH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return ICMP_ERROR;
	default:
		return ICMP_OTHER;
	}
}
