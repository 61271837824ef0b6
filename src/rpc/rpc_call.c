// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/rpc_call.h"

#include <assert.h>
#include <errno.h>
#include <rpc/rpc.h>
#include <stdbool.h>
#include <string.h>

#define UNIT 4 /* octets: XDR counts in these */

/* The outcomes of a call that was accepted are the RFC's numbers. */
static_assert((int)RPC_OUTCOME_PROG_UNAVAIL == PROG_UNAVAIL, "");
static_assert((int)RPC_OUTCOME_SYSTEM_ERR == SYSTEM_ERR);
static_assert(RPC_WHY_BADCRED == AUTH_BADCRED);
static_assert(RPC_WHY_REJECTEDCRED == AUTH_REJECTEDCRED);

/* Room for what libtirpc would allocate. */
struct credentials {
	char credential[MAX_AUTH_BYTES];
	char verifier[MAX_AUTH_BYTES];
};

static bool is_auth_sys(const struct opaque_auth *auth)
{
	char machine[MAX_MACHINE_NAME + 1];
	gid_t groups[NGRPS];
	struct authunix_parms claim = {.aup_machname = machine, .aup_gids = groups};
	XDR xdr;

	xdrmem_create(&xdr, auth->oa_base, auth->oa_length, XDR_DECODE);
	return xdr_authunix_parms(&xdr, &claim) && xdr_getpos(&xdr) == auth->oa_length;
}

/* AUTH_OK, or why not. */
static enum auth_stat judge(const struct opaque_auth *credential)
{
	switch (credential->oa_flavor) {
	case AUTH_NONE:
		return AUTH_OK;
	case AUTH_SYS:
		return is_auth_sys(credential) ? AUTH_OK : AUTH_BADCRED;
	default:
		return AUTH_REJECTEDCRED;
	}
}

/* Before anything else, since libtirpc takes another RPC version for garbage. */
static int read_head(XDR *xdr, struct rpc_reply *refusal)
{
	uint32_t xid, direction, rpc_version;

	if (!xdr_u_int32_t(xdr, &xid) || !xdr_u_int32_t(xdr, &direction) ||
		!xdr_u_int32_t(xdr, &rpc_version) || direction != CALL)
		return -EBADMSG;
	*refusal = (struct rpc_reply){
		.xid = xid,
		.outcome = RPC_OUTCOME_RPC_MISMATCH,
		.low = RPC_MSG_VERSION,
		.high = RPC_MSG_VERSION,
	};
	return rpc_version == RPC_MSG_VERSION ? 0 : -EPROTO;
}

int rpc_call_read(const uint8_t *data, size_t len, struct rpc_call *call, struct rpc_reply *refusal)
{
	struct credentials room;
	struct rpc_msg msg = {
		.rm_call = {.cb_cred.oa_base = room.credential, .cb_verf.oa_base = room.verifier}};
	enum auth_stat why;
	XDR xdr;
	int ret;

	if (len > RPC_MESSAGE_MAX || len % UNIT != 0)
		return -EBADMSG;
	xdrmem_create(&xdr, (char *)data, (u_int)len, XDR_DECODE);
	ret = read_head(&xdr, refusal);
	if (ret < 0)
		return ret;
	xdr_setpos(&xdr, 0);
	if (!xdr_callmsg(&xdr, &msg))
		return -EBADMSG;
	why = judge(&msg.rm_call.cb_cred);
	if (why != AUTH_OK) {
		refusal->outcome = RPC_OUTCOME_AUTH_ERROR;
		refusal->why = why;
		return -EPROTO;
	}
	*call = (struct rpc_call){
		.xid = msg.rm_xid,
		.program = msg.rm_call.cb_prog,
		.version = msg.rm_call.cb_vers,
		.procedure = msg.rm_call.cb_proc,
		.args = data + xdr_getpos(&xdr),
		.args_len = len - xdr_getpos(&xdr),
	};
	return 0;
}

/* What was written, with something behind it; 0: no room. */
static size_t append(XDR *xdr, const uint8_t *data, size_t len)
{
	if (len > RPC_MESSAGE_MAX || !xdr_opaque(xdr, (char *)data, (u_int)len))
		return 0;
	return xdr_getpos(xdr);
}

size_t rpc_call_write(const struct rpc_call *call, uint8_t *data, size_t size)
{
	struct rpc_msg msg = {
		.rm_xid = call->xid,
		.rm_direction = CALL,
		.rm_call = {.cb_rpcvers = RPC_MSG_VERSION,
			.cb_prog = call->program,
			.cb_vers = call->version,
			.cb_proc = call->procedure},
	};
	XDR xdr;

	xdrmem_create(&xdr, (char *)data, (u_int)size, XDR_ENCODE);
	return xdr_callmsg(&xdr, &msg) ? append(&xdr, call->args, call->args_len) : 0;
}

/* --- replies ------------------------------------------------------------------------------------- */

static bool_t no_results(XDR *xdr, ...)
{
	return TRUE;
}

static enum rpc_outcome denied(const struct rejected_reply *rejected, struct rpc_reply *reply)
{
	if (rejected->rj_stat == AUTH_ERROR) {
		reply->why = rejected->rj_why;
		return RPC_OUTCOME_AUTH_ERROR;
	}
	reply->low = rejected->rj_vers.low;
	reply->high = rejected->rj_vers.high;
	return RPC_OUTCOME_RPC_MISMATCH;
}

static enum rpc_outcome accepted(const struct accepted_reply *acceptance, struct rpc_reply *reply)
{
	if (acceptance->ar_stat == PROG_MISMATCH) {
		reply->low = acceptance->ar_vers.low;
		reply->high = acceptance->ar_vers.high;
	}
	/* A status that nobody has defined. */
	if ((unsigned int)acceptance->ar_stat > SYSTEM_ERR)
		return RPC_OUTCOME_SYSTEM_ERR;
	return (enum rpc_outcome)acceptance->ar_stat;
}

int rpc_reply_read(const uint8_t *data, size_t len, struct rpc_reply *reply)
{
	char verifier[MAX_AUTH_BYTES];
	struct rpc_msg msg = {.acpted_rply = {.ar_verf.oa_base = verifier}};
	struct rpc_reply out = {0};
	XDR xdr;

	if (len > RPC_MESSAGE_MAX || len % UNIT != 0)
		return -EBADMSG;
	msg.acpted_rply.ar_results.proc = no_results;
	xdrmem_create(&xdr, (char *)data, (u_int)len, XDR_DECODE);
	if (!xdr_replymsg(&xdr, &msg))
		return -EBADMSG;
	out.xid = msg.rm_xid;
	out.outcome = msg.rm_reply.rp_stat == MSG_ACCEPTED ? accepted(&msg.acpted_rply, &out)
							   : denied(&msg.rjcted_rply, &out);
	if (out.outcome == RPC_OUTCOME_SUCCESS) {
		out.results = data + xdr_getpos(&xdr);
		out.results_len = len - xdr_getpos(&xdr);
	}
	*reply = out;
	return 0;
}

static void deny(const struct rpc_reply *reply, struct rejected_reply *rejected)
{
	if (reply->outcome == RPC_OUTCOME_AUTH_ERROR) {
		rejected->rj_stat = AUTH_ERROR;
		rejected->rj_why = reply->why;
		return;
	}
	rejected->rj_stat = RPC_MISMATCH;
	rejected->rj_vers.low = reply->low;
	rejected->rj_vers.high = reply->high;
}

static void accept_call(const struct rpc_reply *reply, struct accepted_reply *acceptance)
{
	acceptance->ar_stat = (enum accept_stat)reply->outcome;
	if (reply->outcome == RPC_OUTCOME_SUCCESS) {
		acceptance->ar_results.proc = no_results;
	} else if (reply->outcome == RPC_OUTCOME_PROG_MISMATCH) {
		acceptance->ar_vers.low = reply->low;
		acceptance->ar_vers.high = reply->high;
	}
}

size_t rpc_reply_write(const struct rpc_reply *reply, uint8_t *data, size_t size)
{
	struct rpc_msg msg = {.rm_xid = reply->xid, .rm_direction = REPLY};
	XDR xdr;

	if (reply->outcome >= RPC_OUTCOME_RPC_MISMATCH) {
		msg.rm_reply.rp_stat = MSG_DENIED;
		deny(reply, &msg.rjcted_rply);
	} else {
		accept_call(reply, &msg.acpted_rply);
	}
	xdrmem_create(&xdr, (char *)data, (u_int)size, XDR_ENCODE);
	return xdr_replymsg(&xdr, &msg) ? append(&xdr, reply->results, reply->results_len) : 0;
}

const char *rpc_outcome_text(enum rpc_outcome outcome)
{
	static const char *const texts[] = {
		[RPC_OUTCOME_SUCCESS] = "success",
		[RPC_OUTCOME_PROG_UNAVAIL] = "the program is not there",
		[RPC_OUTCOME_PROG_MISMATCH] = "the program has other versions",
		[RPC_OUTCOME_PROC_UNAVAIL] = "the procedure is not there",
		[RPC_OUTCOME_GARBAGE_ARGS] = "the arguments could not be read",
		[RPC_OUTCOME_SYSTEM_ERR] = "a failure of the server",
		[RPC_OUTCOME_RPC_MISMATCH] = "another version of RPC",
		[RPC_OUTCOME_AUTH_ERROR] = "the credentials were refused",
	};

	return texts[outcome];
}
