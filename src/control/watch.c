// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch.h"

#include "common/clock.h"
#include "common/log.h"
#include "control/packet_json.h"
#include "control/watch_filter.h"
#include "dataplane/explain.h"
#include "dataplane/tap.h"

#include <errno.h>
#include <event2/event.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK_PERIOD_MS 500
#define MEMORY          (8U << 20) /* octets of slots of a watch */
#define SNAPLEN_DEFAULT 256
#define ANSWER_PACKETS  256
#define ANSWER_OCTETS   (1U << 20) /* of frames in one answer, hardly more */

struct watch {
	struct dp_tap *tap; /* NULL: unused */
	json_int_t id;
	int64_t asked_ms; /* when its client was heard last */
};

struct tep_watches {
	struct dp_datapath *datapath;
	struct dp_explainer *explainer; /* made when it is needed first */
	struct event *timer;
	json_int_t last_id;
	struct watch watches[DP_TAPS_MAX];
};

/* --- explain --------------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* Returns the number of octets, or -EINVAL or -EMSGSIZE. */
static int parse_hex(const char *text, uint8_t octets[static DP_EXPLAIN_LEN_MAX])
{
	size_t len = strlen(text);

	if (len % 2 != 0 || len == 0)
		return -EINVAL;
	if (len / 2 > DP_EXPLAIN_LEN_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		octets[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(len / 2);
}

/* An optional word; false with a sentence in error. */
static bool get_word(const json_t *arguments, const char *key, const char *const *words,
	unsigned int *index, char error[static CTL_ERROR_LEN])
{
	const json_t *value = json_object_get(arguments, key);
	const char *text = json_string_value(value);

	*index = 0;
	if (value == NULL || json_is_null(value))
		return true;
	for (unsigned int i = 1; text != NULL && words[i] != NULL; i++) {
		if (strcmp(text, words[i]) == 0) {
			*index = i;
			return true;
		}
	}
	snprintf(error, CTL_ERROR_LEN, "%s is neither %s nor %s", key, words[1], words[2]);
	return false;
}

/* Where the words stand in enum dp_explain_link and enum dp_explain_side. */
static const char *const links[] = {"", "ethernet", "ip", NULL};
static const char *const sides[] = {"", "v6", "v4", NULL};

static json_t *show_explanation(const struct dp_explanation *explanation, uint32_t now_s)
{
	json_t *object = json_object(), *out = json_array();

	json_object_set_new(object, "in",
		tep_packet_frame(explanation->side, explanation->in, explanation->in_len,
			explanation->in_len));
	json_object_set_new(object, "bare", json_boolean(explanation->is_bare));
	tep_packet_set_outcome(object, &explanation->outcome, now_s);
	for (uint32_t i = 0; i < explanation->n_out; i++)
		json_array_append_new(
			out, tep_packet_frame(explanation->outcome.out_side, explanation->out[i],
				     explanation->out_len[i], explanation->out_len[i]));
	json_object_set_new(object, "out", out);
	return object;
}

json_t *tep_watches_explain(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const char *hex = json_string_value(json_object_get(arguments, "packet"));
	uint8_t octets[DP_EXPLAIN_LEN_MAX];
	struct dp_explain_question question = {.octets = octets};
	struct dp_explanation explanation;
	unsigned int link, side;
	int rc;

	if (!get_word(arguments, "link", links, &link, error) ||
		!get_word(arguments, "side", sides, &side, error))
		return NULL;
	question.link = link;
	question.side = side;
	rc = hex == NULL ? -EINVAL : parse_hex(hex, octets);
	if (rc < 0) {
		snprintf(error, CTL_ERROR_LEN,
			rc == -EMSGSIZE ? "the packet is longer than %d octets"
					: "the packet is not an even number of hexadecimal digits",
			DP_EXPLAIN_LEN_MAX);
		return NULL;
	}
	question.len = (uint32_t)rc;
	if (watches->explainer == NULL)
		watches->explainer = dp_explainer_create(watches->datapath);
	rc = watches->explainer == NULL ? -ENOMEM
					: dp_explain(watches->explainer, &question, &explanation);
	if (rc != 0) {
		snprintf(error, CTL_ERROR_LEN, "the packet cannot be explained: %s", strerror(-rc));
		return NULL;
	}
	return show_explanation(&explanation, dp_datapath_now_s(watches->datapath));
}

/* --- watches ----------------------------------------------------------------------------------------- */

static void watch_end(struct watch *watch)
{
	dp_tap_destroy(watch->tap);
	*watch = (struct watch){0};
}

static struct watch *find_watch(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	json_int_t id = json_integer_value(json_object_get(arguments, "id"));

	for (uint32_t i = 0; i < DP_TAPS_MAX; i++) {
		struct watch *watch = &watches->watches[i];

		if (watch->tap != NULL && watch->id == id) {
			watch->asked_ms = clock_boot_ms();
			return watch;
		}
	}
	snprintf(error, CTL_ERROR_LEN, "there is no such watch (any more)");
	return NULL;
}

static struct watch *find_room(struct tep_watches *watches, char error[static CTL_ERROR_LEN])
{
	for (uint32_t i = 0; i < DP_TAPS_MAX; i++)
		if (watches->watches[i].tap == NULL)
			return &watches->watches[i];
	snprintf(error, CTL_ERROR_LEN, "%d traces or captures run already", DP_TAPS_MAX);
	return NULL;
}

static void on_check(evutil_socket_t fd, short what, void *arg)
{
	struct tep_watches *watches = arg;

	for (uint32_t i = 0; i < DP_TAPS_MAX; i++) {
		struct watch *watch = &watches->watches[i];

		if (watch->tap == NULL || clock_boot_ms() - watch->asked_ms < WATCH_PATIENCE_MS)
			continue;
		log_info("watch %lld: ended: nobody asks for it", (long long)watch->id);
		watch_end(watch);
	}
}

json_t *tep_watches_begin(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const json_t *snaplen = json_object_get(arguments, "snaplen");
	struct dp_tap_params params = {.snaplen = SNAPLEN_DEFAULT, .memory = MEMORY};
	struct watch *watch;

	if (snaplen != NULL) {
		if (json_integer_value(snaplen) < RTE_ETHER_HDR_LEN ||
			json_integer_value(snaplen) > DP_TAP_SNAPLEN_MAX) {
			snprintf(error, CTL_ERROR_LEN, "snaplen is not a number from %d to %d",
				RTE_ETHER_HDR_LEN, DP_TAP_SNAPLEN_MAX);
			return NULL;
		}
		params.snaplen = (uint32_t)json_integer_value(snaplen);
	}
	if (!tep_watch_filter_parse(json_object_get(arguments, "filter"), &params.filter, error))
		return NULL;
	watch = find_room(watches, error);
	if (watch == NULL)
		return NULL;
	watch->tap = dp_tap_create(watches->datapath, &params);
	if (watch->tap == NULL) {
		snprintf(error, CTL_ERROR_LEN, "no watch: %s", strerror(errno));
		return NULL;
	}
	watch->id = ++watches->last_id;
	watch->asked_ms = clock_boot_ms();
	return json_pack("{s:I}", "id", watch->id);
}

/* One moment on all clocks. */
struct moment {
	uint64_t tsc;
	json_int_t time_ns; /* since 1970 */
	uint32_t now_s; /* of the binding table */
};

static struct moment read_clocks(const struct tep_watches *watches)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct moment){
		.tsc = rte_rdtsc(),
		.time_ns = (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec,
		.now_s = dp_datapath_now_s(watches->datapath),
	};
}

static json_int_t time_of(const struct moment *now, uint64_t tsc)
{
	double ago_s = (double)(int64_t)(now->tsc - tsc) / (double)rte_get_tsc_hz();

	return now->time_ns - (json_int_t)(ago_s * 1e9);
}

static json_t *show_record(const struct dp_tap_record *record, const struct moment *now)
{
	json_t *object = json_pack("{s:I, s:i, s:o}", "time_ns", time_of(now, record->tsc),
		"worker", (int)record->worker, "in",
		tep_packet_frame(record->side, record->octets, record->in_kept, record->in_len));
	json_t *out = json_array();

	tep_packet_set_outcome(object, &record->outcome, now->now_s);
	if (record->out_len != 0)
		json_array_append_new(out,
			tep_packet_frame(record->outcome.out_side, record->octets + record->in_kept,
				record->out_kept, record->out_len));
	json_object_set_new(object, "out", out);
	return object;
}

json_t *tep_watches_next(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct watch *watch = find_watch(watches, arguments, error);
	const struct moment now = read_clocks(watches);
	uint32_t octets = 0;
	json_t *items;

	if (watch == NULL)
		return NULL;
	items = json_array();
	while (json_array_size(items) < ANSWER_PACKETS && octets < ANSWER_OCTETS) {
		const struct dp_tap_record *record = dp_tap_first(watch->tap);

		if (record == NULL)
			break;
		octets += record->in_kept + record->out_kept;
		json_array_append_new(items, show_record(record, &now));
		dp_tap_dismiss(watch->tap);
	}
	return json_pack("{s:o, s:I, s:b}", "items", items, "missed",
		(json_int_t)dp_tap_missed(watch->tap), "more",
		(int)(dp_tap_first(watch->tap) != NULL));
}

json_t *tep_watches_end(
	struct tep_watches *watches, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct watch *watch = find_watch(watches, arguments, error);
	json_t *result;

	if (watch == NULL)
		return NULL;
	result = json_pack("{s:I}", "missed", (json_int_t)dp_tap_missed(watch->tap));
	watch_end(watch);
	return result;
}

struct tep_watches *tep_watches_create(struct event_base *base, struct dp_datapath *datapath)
{
	const struct timeval period = {.tv_usec = CHECK_PERIOD_MS * 1000};
	struct tep_watches *watches = calloc(1, sizeof(*watches));

	if (watches == NULL)
		return NULL;
	watches->datapath = datapath;
	watches->timer = event_new(base, -1, EV_PERSIST, on_check, watches);
	if (watches->timer == NULL || event_add(watches->timer, &period) != 0) {
		tep_watches_destroy(watches);
		return NULL;
	}
	return watches;
}

void tep_watches_destroy(struct tep_watches *watches)
{
	if (watches == NULL)
		return;
	for (uint32_t i = 0; i < DP_TAPS_MAX; i++)
		watch_end(&watches->watches[i]);
	dp_explainer_destroy(watches->explainer);
	if (watches->timer != NULL)
		event_free(watches->timer);
	free(watches);
}
