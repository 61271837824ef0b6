// SPDX-License-Identifier: BSD-3-Clause
/*
 * DHCPv6 messages that were written by hand, octet by octet, from RFC 8415, RFC 7598 and the layouts of
 * our own options. Numbers of ours: IA_DSTM fe4c, TEP fe4d, PORTS fe4e, CLIENT fe4f, ADDRESS fe50, and
 * enterprise 7ed9. Each is as we write it: options in our order.
 */
#pragma once

/* clang-format off */
#define CLIENT_ID "0001 000a 0003 0001 02 00 00 00 00 17 "
#define SERVER_ID "0002 0012 0004 00112233445566778899aabbccddeeff "
#define TEP       "2001 0db8 0000 0064 0000 0000 0000 0001 "
#define CLIENT    "2001 0db8 0001 0000 0000 0000 0000 0017 "
#define MAPPED    "0000 0000 0000 0000 0000 ffff c633 6407 " /* 198.51.100.7 */

/* Elapsed time 1 s, rapid commit, Reconfigure accept, asked for: 96, TEP, PORTS. */
#define SOLICIT                                        \
	"01 a1b2c3 " CLIENT_ID                         \
	"0008 0002 0064 "                              \
	"000e 0000 "                                   \
	"0014 0000 "                                   \
	"0006 0006 0060 fe4d fe4e "                    \
	"fe4c 0020 00000001 00000000 00000000 "        \
	"  fe4f 0010 " CLIENT

/* R43, R45: the IPv4-mapped address, TEP and range in the IA; T1 1800, T2 2880, 2880 and 3600 s. */
#define REPLY                                          \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0014 0000 "                                   \
	"fe4c 0044 00000001 00000708 00000b40 "        \
	"  0005 0018 " MAPPED "00000b40 00000e10 "     \
	"  fe4d 0010 " TEP                             \
	"  fe4e 0004 0400 07ff "

/* Several ranges stand in the options of the address. */
#define REPLY_RANGES                                   \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"fe4c 004c 00000001 00000708 00000b40 "        \
	"  0005 0028 " MAPPED "00000b40 00000e10 "     \
	"    fe4e 0004 0400 07ff "                     \
	"    fe4e 0004 1000 13ff "                     \
	"  fe4d 0010 " TEP

/* For who asked for options and has no IA; information refresh time 1800 s. */
#define REPLY_SINGLE                                   \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0020 0004 00000708 "                          \
	"fe50 0010 " MAPPED                            \
	"fe4d 0010 " TEP                               \
	"fe4e 0004 0400 07ff "

/* The same and an IA, under our enterprise number. */
#define REPLY_VENDOR                                   \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0011 007c 00007ed9 "                          \
	"  fe4c 0044 00000001 00000708 00000b40 "      \
	"    0005 0018 " MAPPED "00000b40 00000e10 "   \
	"    fe4d 0010 " TEP                           \
	"    fe4e 0004 0400 07ff "                     \
	"  fe50 0010 " MAPPED                          \
	"  fe4d 0010 " TEP                             \
	"  fe4e 0004 0400 07ff "

/* RFC 7598: BR, binding with a /128, PSID 1 of 6 bits without offset: ports 1024 to 2047. */
#define REPLY_SOFTWIRE                                 \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0060 0035 "                                   \
	"  005a 0010 " TEP                             \
	"  005c 001d c6336407 80 " CLIENT              \
	"    005d 0004 00 06 0400 "

/* Refused in each way: an IA_NA (2), an IA_PD (6), an IA_DSTM (1, "no"), its address (3). */
#define REPLY_REFUSED                                  \
	"07 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0003 0012 00000003 00000000 00000000 "        \
	"  000d 0002 0002 "                            \
	"0019 0012 00000004 00000000 00000000 "        \
	"  000d 0002 0006 "                            \
	"fe4c 0036 00000001 00000000 00000000 "        \
	"  0005 001e " MAPPED "00000000 00000000 "     \
	"    000d 0002 0003 "                          \
	"  000d 0004 0001 6e6f "

/* RFC 8415 section 20.4: Renew, in its option request the IA; protocol 3, replay value 7, HMAC zero. */
#define RECONFIGURE                                    \
	"0a 000000 " CLIENT_ID SERVER_ID               \
	"0013 0001 05 "                                \
	"0006 0002 fe4c "                              \
	"000b 001c 03 01 00 0000000000000007 "         \
	"  02 00000000000000000000000000000000 "

/* An IA_NA with an address, unicast allowed, preference 255, both maximum timers. */
#define ADVERTISE                                      \
	"02 a1b2c3 " CLIENT_ID SERVER_ID               \
	"0007 0001 ff "                                \
	"000c 0010 " TEP                               \
	"0052 0004 00000e10 "                          \
	"0053 0004 00000e11 "                          \
	"000d 0009 0000 77656c636f6d65 "               \
	"0003 0028 00000003 00000708 00000b40 "        \
	"  0005 0018 " CLIENT "00000b40 00000e10 "
/* clang-format on */
