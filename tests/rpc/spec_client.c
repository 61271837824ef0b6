// SPDX-License-Identifier: BSD-3-Clause
/*
 * spec_client HOST NETID request|release [V4]: what anybody makes of the specification's interface and rpcgen, without a line
 * of ours. Prints the answer, "type v4 mask tep6 starts ends extend link-local" in a line.
 */
#include "dstm_rpc.h"

#include <arpa/inet.h>
#include <netconfig.h>
#include <stdio.h>
#include <string.h>

static void print(const struct packet *reply)
{
	char v4[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
	char tep6[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

	printf("%d %s %s %s %lu %lu %lu %s\n", reply->type,
		inet_ntop(AF_INET, reply->i4addr, v4, sizeof(v4)),
		inet_ntop(AF_INET, reply->mask, mask, sizeof(mask)),
		inet_ntop(AF_INET6, reply->tep6, tep6, sizeof(tep6)), reply->starts, reply->ends,
		reply->extend, inet_ntop(AF_INET6, reply->local, local, sizeof(local)));
}

int main(int argc, char **argv)
{
	struct netconfig *netconfig = argc > 3 ? getnetconfigent(argv[2]) : NULL;
	struct packet ask = {.type = REQUEST_REQ}, *reply;
	CLIENT *client;

	if (netconfig == NULL) {
		fprintf(stderr, "spec_client HOST NETID request|release [V4]\n");
		return 2;
	}
	client = clnt_tp_create(argv[1], RPC, RPC_ONE, netconfig);
	if (client == NULL) {
		clnt_pcreateerror(argv[1]);
		return 1;
	}
	inet_pton(AF_INET6, "fe80::260:caff:fe85:abcd", ask.local);
	if (argc > 4)
		inet_pton(AF_INET, argv[4], ask.i4addr);
	if (strcmp(argv[3], "release") == 0) {
		ask.type = RELEASE_REQ;
		reply = release_1(&ask, client);
	} else {
		reply = request_1(&ask, client);
	}
	if (reply == NULL) {
		clnt_perror(client, argv[1]);
		return 1;
	}
	print(reply);
	clnt_destroy(client);
	freenetconfigent(netconfig);
	return 0;
}
