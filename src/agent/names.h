/* SPDX-License-Identifier: MIT */
/*
 * Texts and source places as small numbers. Each distinct text and place is kept once, for the life
 * of the agent, in stretches of fixed size; when one is full, new texts become NAMES_FULL, a text
 * that says so, and new places 0, "not known". Written under the GIL, read by any thread; what a
 * number stands for never changes.
 */
#ifndef LOOPTOP_AGENT_NAMES_H
#define LOOPTOP_AGENT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_STRINGS_MAX 32768
#define NAMES_TEXT_MAX (4u << 20) /* bytes of all texts */
#define NAMES_STRING_MAX 1024     /* bytes of one text; a longer one is cut at its end */
#define NAMES_SITES_MAX 32768

struct site {
    uint32_t file;     /* string */
    uint32_t function; /* string */
    uint32_t line;     /* 0: not known */
};

/* Reserves the memory. 0, -ENOMEM. Once. */
int names_init(void);

#define NAMES_FULL 1 /* the number of "(too many names)" */

/* The number of a text of n bytes of UTF-8; NAMES_FULL when there is no room. GIL held. */
uint32_t names_string(const char *text, size_t n);

/* The number of a place; 0 when there is no room. GIL held. */
uint32_t names_site(uint32_t file, uint32_t function, uint32_t line);

/* The text; NULL for 0 and for what is no number of ours. Any thread; valid for ever. */
const char *names_text(uint32_t string);

/* The place; all 0 for 0. Any thread. */
struct site names_place(uint32_t site);

/* How many there are: valid numbers are below these. Any thread. */
uint32_t names_string_count(void);
uint32_t names_site_count(void);

/* Memory in use, bytes. Any thread. */
uint64_t names_bytes(void);

#endif
