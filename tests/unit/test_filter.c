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

#include "proto/filter.h"

static const struct filter_task web = {
    .id = 12,
    .parent = 1,
    .loop = 2,
    .steps = 1500,
    .state = LOOPTOP_WAIT,
    .age_ns = 40e9,
    .idle_ns = 5e6,
    .busy_ns = 2e9,
    .max_step_ns = 3e3,
    .busy_pct = 98.5,
    .name = "Web-3",
    .coroutine = "app.Handler.get_order",
    .waiting_on = "Queue.get (0 items)",
    .exception = NULL,
    .at_file = "/srv/app/Orders.py",
    .at_line = 88,
    .at_function = "get_order",
    .created_file = "server.py",
    .created_line = 203,
    .created_function = "dispatch",
};

static bool
matches(const char *text, const struct filter_task *task)
{
    struct filter filter;
    int column = 0;
    char message[200] = "";
    int r = filter_parse(text, &filter, &column, message, sizeof(message));
    if (r < 0)
        fail_msg("'%s': column %d: %s", text, column, message);
    return filter_match(&filter, task);
}

static const char *const matching[] = {
    "",
    "   ",
    "name:web*",
    "name:WEB-3",
    "name:?eb-?",
    "name=web-3",
    "name~eb-",
    "name!=web",
    "!name:web",
    "state:wait",
    "state:w*",
    "STATE:Wait",
    "state~ai",
    "state!=run",
    "!state=run",
    "coro:handler",
    "coro:app.*",
    "coro~GET_",
    "wait:queue.get",
    "wait:\"get (0\"",
    "wait=\"queue.get (0 items)\"",
    "at:orders.py",
    "at:orders.py:88",
    "at:*.py",
    "at=get_order",
    "at=orders.py",
    "at=orders.py:88\tname:web*",
    "at:\"orders.py:88 get\"",
    "at=\"orders.py:88 get_order\"",
    "at=\"/srv/app/orders.py:88 get_order\"",
    "at~srv/app",
    "at:/srv/*",
    "at!=main",
    "created:server.py",
    "created=dispatch",
    "id:12",
    "id=12",
    "id:1?",
    "id~2",
    "id!=13",
    "id<13",
    "id>=12",
    "parent:1",
    "loop=2",
    "age>30s",
    "age>0.5m",
    "age<1m",
    "age=40",
    "age:40s",
    "age>=40",
    "age<=40s",
    "age!=41",
    "idle>=5ms",
    "idle<6ms",
    "idle>4999us",
    "busy>1.5s",
    "max:3us",
    "max<1h",
    "pct>98",
    "pct<=98.5",
    "steps:1500",
    "steps>1000",
    "web",
    "ORDER",
    "queue",
    "orders.py:88",
    "\"0 items\"",
    "w?b",
    "app*88",
    "run | wait | queue",
    "name:x | state:wait age>30s",
    "name:web*|name:x",
    "name:web* !exc:*",
    "!exc~\"\"",
    "age>1m | !age>1m",
    "name:x|web",
    "web !nothing",
};

static void
test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matching) / sizeof(matching[0]); i++)
        if (!matches(matching[i], &web))
            fail_msg("'%s' must match", matching[i]);
}

static void
test_does_not_match(void **state)
{
    (void)state;
    static const char *const no[] = {
        "name:web",
        "name:*x",
        "name=web-33",
        "name!=WEB-3",
        "name~x",
        "!name:web*",
        "state:run",
        "state:*x",
        "coro=handler",
        "coro:x",
        "at=py",
        "at:orders.py:9?",
        "at=orders.py:8",
        "at!=get_order",
        "created:orders",
        "id:1",
        "id=120",
        "id:2?",
        "id>12",
        "parent!=1",
        "age<30s",
        "age>40s",
        "age>41",
        "idle>5ms",
        "pct>98.5",
        "steps<1500",
        "nothing",
        "w?x",
        "exc:x",
        "exc!=x",
        "exc~\"\"",
        "exc:*",
        "web !web",
        "web nothing",
        "qqq | zzz",
        "qqq web | zzz web",
        "\"queue get\"",
        "name:\"\"",
        "!web | !queue",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (matches(no[i], &web))
            fail_msg("'%s' must not match", no[i]);
}

/* A column's name and the field's own mean the same, and so do a state and its label. */
static void
test_names_of_the_table(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "coroutine:handler",
        "COROUTINE=app.handler.get_order",
        "waiting_on:queue.get",
        "created_at:server.py",
        "created_at=dispatch",
        "!exception:*",
        "busy_pct>98",
        "max_step:3us",
        "state!=canc",
        "!state:FAIL",
    };
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (!matches(yes[i], &web))
            fail_msg("'%s' must match", yes[i]);
    static const struct {
        const char *label;
        enum looptop_state state;
    } labels[] = {
        {"canc", LOOPTOP_CANCELLING},
        {"Fail", LOOPTOP_FAILED},
        {"CNCLD", LOOPTOP_CANCELLED},
        {"WAIT", LOOPTOP_WAIT},
    };
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        for (int of = 0; of < LOOPTOP_STATES; of++) {
            const struct filter_task task = {.state = (enum looptop_state)of};
            char is[32], is_not[32];
            (void)snprintf(is, sizeof(is), "state:%s", labels[i].label);
            (void)snprintf(is_not, sizeof(is_not), "state!=\"%s\"", labels[i].label);
            assert_int_equal(matches(is, &task), of == (int)labels[i].state);
            assert_int_equal(matches(is_not, &task), of != (int)labels[i].state);
        }
    }
}

/* A label may be shorter than the state that is kept for it. */
static void
test_room_for_labels(void **state)
{
    (void)state;
    char text[LOOPTOP_FILTER_MAX + 1] = "";
    const struct filter_task task = {.state = LOOPTOP_CANCELLING};
    for (int i = 0; i < FILTER_TERMS_MAX; i++)
        (void)strcat(text, " state=canc");
    assert_true(matches(text, &task));
    (void)memcpy(strrchr(text, 'c') - 3, "fail", 4);
    assert_false(matches(text, &task));
}

/* Absent texts match nothing, not even !=, but the negated term. */
static void
test_absent_texts(void **state)
{
    (void)state;
    static const char *const fields[] = {"name", "coro", "wait", "at", "created", "exc"};
    static const char *const values[] = {":*", ":x", "~\"\"", "=\"\"", "!=x"};
    const struct filter_task bare = {.state = LOOPTOP_STATES};
    char text[40];
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            (void)snprintf(text, sizeof(text), "%s%s", fields[i], values[j]);
            assert_false(matches(text, &bare));
            (void)snprintf(text, sizeof(text), "!%s%s", fields[i], values[j]);
            assert_true(matches(text, &bare));
        }
    }
    assert_false(matches("state:*", &bare));
    assert_false(matches("word", &bare));
    const struct filter_task half = {.at_function = "main"};
    assert_true(matches("at=main", &half));
    assert_false(matches("at:py", &half));
}

static void
test_wild_characters_are_characters(void **state)
{
    (void)state;
    const struct filter_task task = {.name = "\xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80"};
    assert_true(matches("name:?t?*", &task));
    assert_true(matches("name:???*?", &task));
    assert_true(matches("name:\"???\x20?\"", &task));
    assert_false(matches("name:????", &task));
    assert_false(matches("name:??????", &task));
}

static void
test_long_places(void **state)
{
    (void)state;
    char file[3000], function[3000];
    memset(file, 'd', sizeof(file));
    memset(function, 'f', sizeof(function));
    memcpy(file, "/first/", 7);
    memcpy(file + sizeof(file) - 8, "/end.py", 8);
    memcpy(function + sizeof(function) - 6, "close", 6);
    const struct filter_task task = {
        .at_file = file, .at_function = function, .at_line = UINT32_MAX};
    assert_true(matches("at:first", &task));
    assert_true(matches("at:end.py:4294967295", &task));
    assert_true(matches("at:\"end.py:4294967295 fff\"", &task));
    assert_true(matches("at:ffclose", &task));
    assert_true(matches("at=end.py", &task));
    assert_false(matches("at:nothing", &task));
}

struct refusal {
    const char *text;
    int column;
    const char *message; /* how it begins */
};

static void
test_errors_point_at_the_column(void **state)
{
    (void)state;
    static const struct refusal known[] = {
        {"nmae:x", 1,
            "unknown field 'nmae'; fields are id name state coro coroutine wait waiting_on at "
            "created created_at exc exception parent loop age idle busy pct busy_pct steps max "
            "max_step"},
        {"name:x  nmae:x", 9, "unknown field 'nmae'"},
        {"\xC3\xA9\xC3\xA9 !nmae:x", 5, "unknown field 'nmae'"},
        {"averyveryverylongfieldname=1", 1, "unknown field 'averyveryverylongfiel\xE2\x80\xA6'"},
        {"name:", 6, "expected a value after 'name:'"},
        {"age>= x", 6, "expected a value after 'age>='"},
        {"name:|x", 6, "expected a value after 'name:'"},
        {":x", 1, "expected a field before ':'"},
        {"a !=x", 3, "expected a field before '!='"},
        {"age>3x", 5, "expected a time such as 30s, 5m or 1h30m, not '3x'"},
        {"age>-1", 5, "expected a time"},
        {"steps>3s", 7, "expected a number, not '3s'"},
        {"id=x", 4, "expected a number, not 'x'"},
        {"age>99999999999d", 5, "'99999999999d' is too large"},
        {"name<3", 5, "'name' is text; expected one of : ~ = !="},
        {"age~3", 4, "'age' is a number; expected one of : = != < <= > >="},
        {"age=>3", 4, "'=>' is no operator"},
        {"state==run", 6, "'==' is no operator"},
        {"name:~x", 5, "':~' is no operator"},
        {"coroutine<3", 10, "'coroutine' is text; expected one of : ~ = !="},
        {"busy_pct~3", 9, "'busy_pct' is a number; expected one of : = != < <= > >="},
        {"max_step>x", 10, "expected a time"},
        {"state:wiat", 7,
            "unknown state 'wiat'; states are new ready run wait cancelling canc done failed fail "
            "cancelled cncld"},
        {"state:can", 7, "unknown state 'can'"},
        {"state!=\"\"", 9, "unknown state ''"},
        {"name:\"a b", 6, "the closing '\"' is missing"},
        {"name:\"a\"b", 9, "expected a blank after the closing '\"'"},
        {"\"", 1, "the closing '\"' is missing"},
        {"!", 2, "expected a term after '!'"},
        {"! x", 2, "expected a term after '!'"},
        {"!!x", 2, "expected a term after '!'"},
        {"(state:wait)", 1, "there are no parentheses"},
        {"x !(state:wait)", 4, "there are no parentheses"},
        {"name:a or name:b", 8, "'or' is written as |"},
        {"not x", 1, "'not' is written as !"},
        {"x AND y", 3, "'and' is written as a blank"},
        {"x && y", 3, "'&&' is written as a blank"},
        {"|x", 1, "expected a term before '|'"},
        {"x||y", 3, "expected a term before '|'"},
        {"x |", 4, "expected a term after '|'"},
        {"id=\x1b[0m", 4, "expected a number, not '?[0m'"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct filter filter = {.count = 77};
        int column = 0;
        char message[200];
        const struct refusal *k = &known[i];
        assert_int_equal(
            filter_parse(k->text, &filter, &column, message, sizeof(message)), -EINVAL);
        if (column != k->column || strncmp(message, k->message, strlen(k->message)) != 0)
            fail_msg("'%s': column %d: %s", k->text, column, message);
        assert_int_equal(filter.count, 77);
    }
}

static void
test_message_fits_its_room(void **state)
{
    (void)state;
    struct filter filter;
    int column;
    char message[8];
    memset(message, 'X', sizeof(message));
    assert_int_equal(filter_parse("|", &filter, &column, message, 6), -EINVAL);
    assert_string_equal(message, "ex\xE2\x80\xA6");
    assert_int_equal(message[6], 'X');
}

static void
test_bounds(void **state)
{
    (void)state;
    char text[LOOPTOP_FILTER_MAX + 2];
    struct filter filter;
    int column = 0;
    char message[100];
    memset(text, 'x', sizeof(text));
    text[LOOPTOP_FILTER_MAX + 1] = '\0';
    assert_int_equal(filter_parse(text, &filter, &column, message, sizeof(message)), -EINVAL);
    assert_int_equal(column, LOOPTOP_FILTER_MAX + 1);
    text[LOOPTOP_FILTER_MAX] = '\0';
    assert_int_equal(filter_parse(text, &filter, &column, message, sizeof(message)), 0);
    for (int i = 0; i < FILTER_TERMS_MAX + 1; i++)
        memcpy(text + 3 * i, "a* ", 4);
    assert_int_equal(filter_parse(text, &filter, &column, message, sizeof(message)), -EINVAL);
    assert_int_equal(column, 3 * FILTER_TERMS_MAX + 1);
    text[3 * FILTER_TERMS_MAX] = '\0';
    assert_int_equal(filter_parse(text, &filter, &column, message, sizeof(message)), 0);
    assert_int_equal(filter.count, FILTER_TERMS_MAX);
}

/* As the words of the header say, without any cleverness. */
static bool
naive_glob(const char *want, const char *text)
{
    if (*want == '\0')
        return *text == '\0';
    if (*want == '*')
        return naive_glob(want + 1, text) || (*text && naive_glob(want, text + 1));
    if (*text == '\0')
        return false;
    return (*want == '?' || *want == *text) && naive_glob(want + 1, text + 1);
}

static void
random_text(char *out, size_t max, const char *alphabet)
{
    size_t n = (size_t)rand() % max, letters = strlen(alphabet);
    for (size_t i = 0; i < n; i++)
        out[i] = alphabet[(size_t)rand() % letters];
    out[n] = '\0';
}

static void
test_glob_is_the_naive_one(void **state)
{
    (void)state;
    srand(8);
    int hits = 0;
    for (int round = 0; round < 100000; round++) {
        char want[8], text[12], expression[40];
        random_text(want, sizeof(want) - 1, "ab*?");
        random_text(text, sizeof(text), "ab");
        (void)strcat(want, rand() % 2 ? "*" : "");
        if (!strpbrk(want, "*?"))
            continue;
        (void)snprintf(expression, sizeof(expression), "name:%s", want);
        struct filter_task task = {.name = text};
        bool expected = naive_glob(want, text);
        hits += expected;
        if (matches(expression, &task) != expected)
            fail_msg("'%s' on '%s'", want, text);
    }
    assert_in_range(hits, 10000, 90000);
}

/* Groups of terms against the same expression evaluated by hand. */
static void
test_logic_of_random_expressions(void **state)
{
    (void)state;
    srand(9);
    for (int round = 0; round < 20000; round++) {
        char text[200] = "";
        bool any = false, all = true;
        int terms = 1 + rand() % 8;
        for (int i = 0; i < terms; i++) {
            bool negate = rand() % 2, holds = rand() % 2;
            (void)strcat(text, negate ? " !" : " ");
            (void)strcat(text, holds ? "id:12" : "id:13");
            all = all && holds != negate;
            if (i + 1 < terms && rand() % 3 == 0) {
                (void)strcat(text, "|");
                any = any || all;
                all = true;
            }
        }
        assert_int_equal(matches(text, &web), any || all);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_does_not_match),
        cmocka_unit_test(test_names_of_the_table),
        cmocka_unit_test(test_room_for_labels),
        cmocka_unit_test(test_absent_texts),
        cmocka_unit_test(test_wild_characters_are_characters),
        cmocka_unit_test(test_long_places),
        cmocka_unit_test(test_errors_point_at_the_column),
        cmocka_unit_test(test_message_fits_its_room),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_glob_is_the_naive_one),
        cmocka_unit_test(test_logic_of_random_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
