/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/model/stack.h"
#include "common/cleanup.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

static int
decode(const char *text, struct stack *stack)
{
    cJSON *json = cJSON_Parse(text);
    int r;

    if (!json)
        fail_msg("not JSON: %s", text);
    r = stack_decode(json, stack);
    cJSON_Delete(json);
    return r;
}

static void
test_reads_a_stack(void **state)
{
    CLEANUP(stack_done) struct stack stack;

    (void)state;
    assert_int_equal(
        decode("{\"id\":7,\"state\":\"wait\",\"complete\":false,\"reason\":\"a cycle\",\"frames\":"
               "[{\"kind\":\"coroutine\",\"function\":\"worker\",\"file\":\"/srv/app.py\","
               "\"line\":31,\"locals\":[{\"name\":\"n\",\"type\":\"int\",\"value\":\"3\"},"
               "{\"name\":\"seen\",\"type\":\"list\",\"length\":12}],\"more_locals\":4},"
               "{\"kind\":\"generator\",\"function\":\"g\",\"file\":\"b.py\",\"line\":0}],"
               "\"awaits\":\"Future\"}",
            &stack),
        0);
    assert_int_equal(stack.id, 7);
    assert_int_equal(stack.state, LOOPTOP_WAIT);
    assert_false(stack.complete);
    assert_string_equal(stack.reason, "a cycle");
    assert_string_equal(stack.awaits, "Future");
    assert_int_equal(stack.count, 2);
    assert_string_equal(stack.frames[0].function, "worker");
    assert_int_equal(stack.frames[0].line, 31);
    assert_int_equal(stack.frames[0].locals_count, 2);
    assert_string_equal(stack.frames[0].locals[0].value, "3");
    assert_int_equal(stack.frames[0].locals[0].length, -1);
    assert_null(stack.frames[0].locals[1].value);
    assert_int_equal(stack.frames[0].locals[1].length, 12);
    assert_int_equal(stack.frames[0].more_locals, 4);
    assert_string_equal(stack.frames[1].kind, "generator");
    assert_int_equal(stack.frames[1].locals_count, 0);
}

static void
test_reads_an_empty_one(void **state)
{
    struct stack stack;

    (void)state;
    assert_int_equal(decode("{\"state\":\"done\"}", &stack), 0);
    assert_true(stack.complete);
    assert_int_equal(stack.count, 0);
    assert_null(stack.awaits);
    stack_done(&stack);
    stack_done(&stack);
    stack_done(NULL);
}

static void
test_refuses_other_shapes(void **state)
{
    static const char *const texts[] = {
        "7",
        "{}",
        "{\"state\":\"no\"}",
        "{\"state\":3}",
        "{\"state\":\"run\",\"id\":-1}",
        "{\"state\":\"run\",\"reason\":3}",
        "{\"state\":\"run\",\"complete\":3}",
        "{\"state\":\"run\",\"frames\":3}",
        "{\"state\":\"run\",\"frames\":[3]}",
        "{\"state\":\"run\",\"frames\":[{\"file\":3}]}",
        "{\"state\":\"run\",\"frames\":[{\"line\":-1}]}",
        "{\"state\":\"run\",\"frames\":[{\"line\":1e10}]}",
        "{\"state\":\"run\",\"frames\":[{\"locals\":3}]}",
        "{\"state\":\"run\",\"frames\":[{\"locals\":[3]}]}",
        "{\"state\":\"run\",\"frames\":[{\"locals\":[{\"name\":3}]}]}",
        "{\"state\":\"run\",\"frames\":[{\"locals\":[{\"length\":\"x\"}]}]}",
    };
    struct stack stack;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (decode(texts[i], &stack) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
}

static int
decode_many(int frames_wanted, int locals_wanted)
{
    cJSON *root = cJSON_CreateObject(), *frames = cJSON_AddArrayToObject(root, "frames");
    struct stack stack;
    int r;

    cJSON_AddStringToObject(root, "state", "run");
    for (int i = 0; i < frames_wanted; i++) {
        cJSON *frame = cJSON_CreateObject(), *locals = cJSON_AddArrayToObject(frame, "locals");

        for (int j = 0; j < locals_wanted; j++)
            cJSON_AddItemToArray(locals, cJSON_CreateObject());
        cJSON_AddItemToArray(frames, frame);
    }
    r = stack_decode(root, &stack);
    if (r == 0)
        stack_done(&stack);
    cJSON_Delete(root);
    return r;
}

static void
test_bounds_frames_and_locals(void **state)
{
    (void)state;
    assert_int_equal(decode_many(LOOPTOP_FRAMES_MAX, 1), 0);
    assert_int_equal(decode_many(LOOPTOP_FRAMES_MAX + 1, 1), -EPROTO);
    assert_int_equal(decode_many(2, LOOPTOP_LOCALS_MAX), 0);
    assert_int_equal(decode_many(2, LOOPTOP_LOCALS_MAX + 1), -EPROTO);
}

static void
write_file(char path[64], const char *text, size_t n)
{
    int fd;

    (void)strcpy(path, "/tmp/looptop-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    (void)close(fd);
}

static void
test_reads_source_lines(void **state)
{
    static const char text[] = "first\n\n\t  await \x1b[31m lock  \r\nlast";
    char path[64], line[64], small[8];

    (void)state;
    write_file(path, text, sizeof(text) - 1);
    assert_int_equal(stack_source_line(getpid(), path, 1, line, sizeof(line)), 0);
    assert_string_equal(line, "first");
    assert_int_equal(stack_source_line(getpid(), path, 2, line, sizeof(line)), 0);
    assert_string_equal(line, "");
    assert_int_equal(stack_source_line(getpid(), path, 3, line, sizeof(line)), 0);
    assert_string_equal(line, "await ?[31m lock");
    assert_int_equal(stack_source_line(getpid(), path, 4, line, sizeof(line)), 0);
    assert_string_equal(line, "last");
    assert_int_equal(stack_source_line(getpid(), path, 5, line, sizeof(line)), -ENOENT);
    assert_int_equal(stack_source_line(getpid(), path, 0, line, sizeof(line)), -ENOENT);
    assert_int_equal(stack_source_line(getpid(), path, 3, small, sizeof(small)), 0);
    assert_true(strlen(small) < sizeof(small));
    (void)unlink(path);
    assert_int_equal(stack_source_line(getpid(), path, 1, line, sizeof(line)), -ENOENT);
}

static void
test_reads_lines_across_chunks(void **state)
{
    size_t n = 100000;
    char *text = malloc(n), path[64], line[8192];

    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    text[8190] = '\n'; /* line 2 begins at the end of one read and goes over the next two */
    text[20000] = '\n';
    memcpy(text + 20001, "end", 3);
    text[20004] = '\n';
    write_file(path, text, n);
    assert_int_equal(stack_source_line(getpid(), path, 2, line, sizeof(line)), 0);
    assert_true(strlen(line) > 4000);
    assert_int_equal(strspn(line, "x"), strlen(line));
    assert_int_equal(stack_source_line(getpid(), path, 3, line, sizeof(line)), 0);
    assert_string_equal(line, "end");
    (void)unlink(path);
    free(text);
}

static void
test_opens_regular_files_only(void **state)
{
    char path[64], link[80], line[64], name[64];

    (void)state;
    assert_int_equal(stack_source_line(getpid(), "/tmp", 1, line, sizeof(line)), -ENOENT);
    assert_int_equal(stack_source_line(getpid(), "/dev/zero", 1, line, sizeof(line)), -ENOENT);
    assert_int_equal(stack_source_line(getpid(), "<string>", 1, line, sizeof(line)), -ENOENT);
    assert_int_equal(stack_source_line(getpid(), "", 1, line, sizeof(line)), -ENOENT);
    (void)snprintf(path, sizeof(path), "/tmp/looptop-fifo-%d", (int)getpid());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(stack_source_line(getpid(), path, 1, line, sizeof(line)), -ENOENT);
    (void)unlink(path);
    /* A relative name is looked up from the target's working directory; links are followed. */
    write_file(path, "here\n", 5);
    (void)snprintf(link, sizeof(link), "%s-link", path);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(stack_source_line(getpid(), link, 1, line, sizeof(line)), 0);
    assert_string_equal(line, "here");
    (void)snprintf(name, sizeof(name), "%s", path + strlen("/tmp/"));
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(stack_source_line(getpid(), name, 1, line, sizeof(line)), 0);
    assert_string_equal(line, "here");
    (void)unlink(link);
    (void)unlink(path);
}

static void
test_reads_cancel_results(void **state)
{
    cJSON *json = cJSON_Parse("{\"results\":[{\"id\":7,\"name\":\"w\",\"outcome\":\"suppressed\","
                              "\"after_ns\":2000000000,\"at\":\"/srv/a b/w.py:55 w\","
                              "\"reason\":null}]}");
    struct cancel_result results[2];
    char text[256];

    (void)state;
    assert_int_equal(cancel_decode(json, results, 2), 1);
    assert_int_equal(results[0].id, 7);
    assert_int_equal(results[0].outcome, LOOPTOP_OUTCOME_SUPPRESSED);
    assert_string_equal(results[0].at, "/srv/a b/w.py:55 w");
    cancel_describe(&results[0], text, sizeof(text));
    assert_string_equal(
        text, "still runs after 2.0s at w.py:55 w: it swallowed the cancellation, or cleans up");
    assert_int_equal(cancel_decode(json, results, 0), -EPROTO);
    cJSON_Delete(json);
}

static void
test_refuses_other_cancel_answers(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"results\":3}",
        "{\"results\":[3]}",
        "{\"results\":[{}]}",
        "{\"results\":[{\"outcome\":\"maybe\"}]}",
        "{\"results\":[{\"outcome\":\"gone\",\"id\":\"x\"}]}",
        "{\"results\":[{\"outcome\":\"gone\",\"at\":[]}]}",
        "{\"results\":[{\"outcome\":\"gone\",\"after_ns\":-1}]}",
    };
    struct cancel_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *json = cJSON_Parse(texts[i]);

        if (cancel_decode(json, &result, 1) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
        cJSON_Delete(json);
    }
}

static void
test_describes_every_outcome(void **state)
{
    struct cancel_result result = {.after_ns = 3000000, .reason = "why \x1b"};
    char text[256], before[256] = "";

    (void)state;
    for (int i = 0; i < LOOPTOP_OUTCOMES; i++) {
        result.outcome = (enum looptop_outcome)i;
        cancel_describe(&result, text, sizeof(text));
        assert_true(strlen(text) > 10);
        assert_string_not_equal(text, before);
        assert_null(strchr(text, '\x1b'));
        (void)strcpy(before, text);
    }
}

/* It is not over, and why is the agent's to say: once. */
static void
test_describes_what_is_pending(void **state)
{
    struct cancel_result result = {
        .outcome = LOOPTOP_OUTCOME_PENDING, .after_ns = 2000000000, .reason = "it is queued; why"};
    char text[256];

    (void)state;
    cancel_describe(&result, text, sizeof(text));
    assert_string_equal(text, "not cancelled within 2.0s, nor given up: it is queued; why");
    result.reason[0] = '\0';
    cancel_describe(&result, text, sizeof(text));
    assert_string_equal(text, "not cancelled within 2.0s, nor given up");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_stack),
        cmocka_unit_test(test_reads_an_empty_one),
        cmocka_unit_test(test_refuses_other_shapes),
        cmocka_unit_test(test_bounds_frames_and_locals),
        cmocka_unit_test(test_reads_source_lines),
        cmocka_unit_test(test_reads_lines_across_chunks),
        cmocka_unit_test(test_opens_regular_files_only),
        cmocka_unit_test(test_reads_cancel_results),
        cmocka_unit_test(test_refuses_other_cancel_answers),
        cmocka_unit_test(test_describes_every_outcome),
        cmocka_unit_test(test_describes_what_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
