// SPDX-License-Identifier: BSD-3-Clause
/*
 * Configuration files: YAML read into a C struct by a declared table of keys.
 *
 * One row of struct config_key says everything about a key: its name, type, range, default and where
 * its value lands. An unknown key, a wrong type, a value out of range, a duplicate or a missing key is
 * one sentence "file:line:column: ..." in struct config_error, and nothing is kept. Anchors, aliases
 * and tags are refused. Everything is checked first and assigned last: on an error the output struct
 * is all zero.
 *
 * A section that is absent counts as an empty one: its defaults are set and its required keys missed.
 * Where a row has "present", the section is optional as a whole: absent, only its defaults are set.
 *
 *	struct port_config { struct config_pos pos; char *device; uint32_t mtu; };
 *	static const struct config_key port_keys[] = {
 *		{CONFIG_POS, offsetof(struct port_config, pos)},
 *		{CONFIG_STRING, offsetof(struct port_config, device), "device", .required = true,
 *			.min = 1, .max = 63},
 *		{CONFIG_U32, offsetof(struct port_config, mtu), "mtu", .value = "1500",
 *			.min = 1280, .max = 65535},
 *		{CONFIG_END},
 *	};
 */
#pragma once

#include "common/addr.h"
#include "common/port_range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a key's value is in YAML, and the type of the field at its offset. */
enum config_type {
	CONFIG_END, /* last row of a table */
	CONFIG_POS, /* no key: struct config_pos, where this mapping begins */
	CONFIG_BOOL, /* true | false: bool */
	CONFIG_U32, /* decimal: uint32_t, min..max */
	CONFIG_STRING, /* char *, owned by the struct; min..max is its length; absent: NULL */
	CONFIG_CHOICE, /* one of choices[]: int, its index */
	CONFIG_V4, /* uint32_t, host order */
	CONFIG_V6, /* struct in6_addr */
	CONFIG_V4_PREFIX, /* struct addr_v4_prefix */
	CONFIG_V6_PREFIX, /* struct addr_v6_prefix */
	CONFIG_ENDPOINT, /* "[v6]:port": struct addr_endpoint */
	CONFIG_MAC, /* uint8_t[6] */
	CONFIG_PORT_RANGE, /* "first-last": struct port_range */
	CONFIG_SECTION, /* a mapping: the nested struct in place, by section */
	CONFIG_LIST, /* a sequence: struct config_list; min..max is its count */
};

/* Where in its file something stands; line and column count from 1, 0 is "not in the file". */
struct config_pos {
	uint32_t line;
	uint32_t column;
};

/* items is an array of n structs of section->size, or of n values of the type item. */
struct config_list {
	void *items;
	uint32_t n;
};

struct config_key;

/* The keys of one mapping, and the size of the struct that they fill. */
struct config_section {
	const struct config_key *keys; /* ends with CONFIG_END */
	size_t size;
};

struct config_key {
	enum config_type type;
	size_t offset; /* of the field in the section's struct */
	const char *name; /* key in the file */
	bool required; /* absent: an error. Otherwise value, or zero where value is NULL */
	const char *value; /* default, as text of a scalar; of a LIST: its one item */
	uint32_t min, max; /* U32, STRING, LIST; for STRING and LIST a max of 0 is "no limit" */
	const char *const *choices; /* CHOICE: ends with NULL */
	const struct config_section *section; /* SECTION, and LIST of sections */
	/* LIST of scalars: their type. LIST of sections: an item may also be one value of this type, for the
	 * section's first key. */
	enum config_type item;
	size_t present; /* offset of a bool that says the key stood in the file; 0: nobody asks */
};

/* The longest error; the text is cut, never overrun. */
struct config_error {
	char text[512];
};

/*
 * Reads a file into *out (root->size octets, zeroed first). Returns 0, or -errno with error->text set:
 * -EINVAL for what the file says, otherwise the reason it could not be read.
 */
int config_load(
	const char *path, const struct config_section *root, void *out, struct config_error *error);

/* The same from memory; name stands for the file in messages. */
int config_parse(const char *name, const char *text, size_t len, const struct config_section *root,
	void *out, struct config_error *error);

/* Frees every string and list below *obj and zeroes it; safe on a zeroed struct. */
void config_free(const struct config_section *root, void *obj);

/* Writes "path:line:column: <format>" for a check that the table cannot express; returns -EINVAL. */
int config_fail(struct config_error *error, const char *path, struct config_pos pos,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What a reload compares: texts, of which either may be NULL, and lists of struct addr_endpoint. */
bool config_same_text(const char *a, const char *b);
bool config_same_endpoints(const struct config_list *a, const struct config_list *b);
