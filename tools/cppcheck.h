// SPDX-License-Identifier: BSD-3-Clause
/* What cppcheck must know of the libraries' macros; it reads no other header of the system. */
#pragma once

#define TAILQ_HEAD(name, type)	struct name { struct type *tqh_first, **tqh_last; }
#define TAILQ_ENTRY(type)	struct { struct type *tqe_next, **tqe_prev; }
#define TAILQ_FIRST(head)	((head)->tqh_first)
#define TAILQ_NEXT(item, field) ((item)->field.tqe_next)
#define TAILQ_FOREACH(item, head, field) \
	for (item = TAILQ_FIRST(head); item != NULL; item = TAILQ_NEXT(item, field))
#define STAILQ_HEAD(name, type)	 struct name { struct type *stqh_first, **stqh_last; }
#define STAILQ_ENTRY(type)	 struct { struct type *stqe_next; }
#define STAILQ_FIRST(head)	 ((head)->stqh_first)
#define STAILQ_NEXT(item, field) ((item)->field.stqe_next)
#define STAILQ_FOREACH(item, head, field) \
	for (item = STAILQ_FIRST(head); item != NULL; item = STAILQ_NEXT(item, field))
#define SLIST_HEAD(name, type)	 struct name { struct type *slh_first; }
#define SLIST_ENTRY(type)	 struct { struct type *sle_next; }
#define SLIST_FIRST(head)	 ((head)->slh_first)
#define SLIST_NEXT(item, field)	 ((item)->field.sle_next)
#define SLIST_FOREACH(item, head, field) \
	for (item = SLIST_FIRST(head); item != NULL; item = SLIST_NEXT(item, field))
#define LIST_HEAD(name, type)	struct name { struct type *lh_first; }
#define LIST_ENTRY(type)	struct { struct type *le_next, **le_prev; }
#define LIST_FIRST(head)	((head)->lh_first)
#define LIST_NEXT(item, field)	((item)->field.le_next)
#define LIST_FOREACH(item, head, field) \
	for (item = LIST_FIRST(head); item != NULL; item = LIST_NEXT(item, field))
#define json_array_foreach(array, index, value) \
	for (index = 0; (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value) \
	for (key = json_next(object); (value = json_get(object, key)) != NULL;)
