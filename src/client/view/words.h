/* SPDX-License-Identifier: MIT */
/* How figures and states of tasks are written in every view. Pure. */
#ifndef LOOPTOP_VIEW_WORDS_H
#define LOOPTOP_VIEW_WORDS_H

#include "client/model/model.h"
#include "client/screen/role.h"
#include "common/fmt.h"

#define WORDS_UNKNOWN "—"

/* "◇ WAIT" and its role. */
const char *words_state(enum looptop_state state);
const char *words_state_glyph(enum looptop_state state);
enum role words_state_role(enum looptop_state state);

/* As fmt.h, with STATUS_UNKNOWN and NaN as "—". */
const char *words_duration(char out[FMT_SIZE], int64_t ns);
const char *words_bytes(char out[FMT_SIZE], int64_t bytes);
const char *words_rate(char out[FMT_SIZE], double value);
const char *words_count(char out[FMT_SIZE], double value);

/* "db.py:140 fetch", or with the last two parts of the path; "—" where it is not known. */
void words_site(char *out, size_t size, const struct task_site *site, bool long_path);
void words_place(char *out, size_t size, const char *file, unsigned line, bool long_path);

/* Good below MODEL_WARN_NS, warning below MODEL_ERROR_NS, else error. */
enum role words_lag_role(int64_t ns);

enum role words_note_role(enum note_kind kind);

/* One of four signs that turns with time. */
const char *words_spinner(uint64_t now_ns);

/* "1 task", "2 tasks". */
#define WORDS_PLURAL(n) ((n) == 1 ? "" : "s")

#endif
