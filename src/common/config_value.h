// SPDX-License-Identifier: BSD-3-Clause
/*
 * The scalars of a configuration file: text to the field that a row declares. Used by config.c alone.
 */
#pragma once

#include "common/config.h"

/* A scalar as it stands in the file, or as a row's default. */
struct config_scalar {
	const char *text; /* ends with NUL */
	size_t len; /* more than strlen(text) when the text holds a NUL */
	bool plain; /* without quotes */
};

#define CONFIG_REASON_LEN 256

/*
 * Parses a scalar as type into *field. Returns 0; -EINVAL with a sentence in reason, which never
 * repeats a STRING (it may be a password); or -ENOMEM.
 */
int config_scalar_parse(const struct config_key *key, enum config_type type,
	const struct config_scalar *scalar, void *field, char reason[static CONFIG_REASON_LEN]);

/* Size of the field of a scalar type. */
size_t config_scalar_size(enum config_type type);

/* "a whole number", "an IPv6 address": what stands after "expected". */
const char *config_type_text(enum config_type type);

/* Copies text for a message: quoted, cut to fit, and with '?' for what is not printable ASCII. */
#define CONFIG_QUOTE_LEN 48
const char *config_quote(const char *text, char buf[static CONFIG_QUOTE_LEN]);
