/* SPDX-License-Identifier: MIT */
/* LINK: src/client/model/json_in.c src/client/model/tasks.c src/client/model/status.c */
/* LINK: src/client/model/stack.c src/client/model/stack_cancel.c */
/*
 * The input is the text of an answer, given to every decoder of the client's model. Held: what is
 * refused leaves nothing behind, and what is accepted can be read to its end within its bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/stack.h"
#include "client/model/status.h"
#include "client/model/tasks.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define RESULTS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink; /* so that reading is not optimized away */

static void
read_text(const char *text)
{
    if (text)
        sink += strlen(text);
}

static void
read_site(const struct task_page *page, const struct task_site *site)
{
    if (!site)
        return;
    HOLDS(site >= page->sites && site < page->sites + page->sites_count);
    HOLDS(site->file && site->function);
    read_text(site->file);
    read_text(site->function);
}

static void
check_tasks(const cJSON *json)
{
    struct task_page page;

    if (task_page_decode(json, &page) < 0)
        return;
    HOLDS(page.count <= LOOPTOP_ROWS_MAX && page.focus_index >= -1);
    for (size_t i = 0; i < page.count; i++) {
        const struct task_row *row = &page.rows[i];

        HOLDS(row->name && row->state < LOOPTOP_STATES && row->ended_ns >= -1 &&
              row->queued_ns >= -1);
        read_text(row->name);
        read_text(row->coroutine);
        read_text(row->waiting_on);
        read_text(row->exception);
        read_site(&page, row->at);
        read_site(&page, row->created_at);
    }
    task_page_done(&page);
}

static void
check_status(const cJSON *json)
{
    static struct status status;
    static double values[LOOPTOP_HISTORY];

    if (status_decode(json, &status) == 0) {
        HOLDS(status.loops_count <= STATUS_LOOPS_MAX);
        HOLDS(memchr(status.hooks_message, '\0', sizeof(status.hooks_message)));
        for (size_t i = 0; i < status.loops_count; i++)
            HOLDS(memchr(status.loops[i].thread, '\0', sizeof(status.loops[i].thread)));
    }
    HOLDS(history_decode(json, "a", values) <= LOOPTOP_HISTORY);
}

static void
check_stack(const cJSON *json)
{
    struct stack stack;

    if (stack_decode(json, &stack) < 0)
        return;
    HOLDS(stack.count <= LOOPTOP_FRAMES_MAX);
    read_text(stack.reason);
    read_text(stack.awaits);
    for (size_t i = 0; i < stack.count; i++) {
        const struct stack_frame *frame = &stack.frames[i];

        HOLDS(frame->locals_count <= LOOPTOP_LOCALS_MAX);
        read_text(frame->kind);
        read_text(frame->function);
        read_text(frame->file);
        for (size_t j = 0; j < frame->locals_count; j++) {
            read_text(frame->locals[j].name);
            read_text(frame->locals[j].type);
            read_text(frame->locals[j].value);
        }
    }
    stack_done(&stack);
}

static void
check_cancel(const cJSON *json)
{
    struct cancel_result results[RESULTS_MAX];
    char text[128];
    int n = cancel_decode(json, results, RESULTS_MAX);

    HOLDS(n <= RESULTS_MAX);
    for (int i = 0; i < n; i++) {
        cancel_describe(&results[i], text, sizeof(text));
        HOLDS(text[0] && strlen(text) < sizeof(text));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *json = cJSON_ParseWithLength((const char *)data, size);

    if (json) {
        check_tasks(json);
        check_status(json);
        check_stack(json);
        check_cancel(json);
    }
    cJSON_Delete(json);
    return 0;
}
