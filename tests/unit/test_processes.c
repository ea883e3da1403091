/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/model/match.h"
#include "client/model/processes.h"

static struct process_row
row(pid_t pid, const char *command, int64_t tasks, double cpu)
{
    struct process_row row = {.pid = pid,
        .start_ns = (uint64_t)pid * 1000,
        .state = tasks >= 0 ? PROCESS_ANSWERED : PROCESS_NO_AGENT,
        .tasks = tasks,
        .lag_ns = -1,
        .rss = 20 << 20,
        .up_ns = 60000000000,
        .busy_pct = (double)NAN,
        .cpu_pct = cpu};

    snprintf(row.command, sizeof row.command, "%s", command);
    snprintf(row.python, sizeof row.python, pid % 2 ? "3.9.1" : "3.13.0");
    return row;
}

/* Four processes, of which the second is selected. */
static void
take_four(struct processes *list)
{
    struct process_row rows[] = {row(10, "python web.py", 5, 0.5),
        row(20, "python jobs.py", -1, 90), row(30, "uvicorn app:app", 70, (double)NAN),
        row(40, "python web.py --port 2", 0, 3)};

    *list = (struct processes){.height = 10};
    assert_int_equal(processes_take(list, rows, 4), 0);
    processes_move(list, 1);
    assert_int_equal(processes_selected(list)->pid, 20);
}

/* The pids that are shown, as "10 20". */
static const char *
shown(const struct processes *list)
{
    static char text[256];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < list->shown_count; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n, "%s%d", i ? " " : "", (int)processes_at(list, i)->pid);
    assert_null(processes_at(list, list->shown_count));
    return text;
}

static void
test_a_plain_word_is_a_part_of_the_line(void **state)
{
    (void)state;
    assert_true(match_line("uvicorn", "/usr/bin/python -m uvicorn app:app"));
    assert_true(match_line("", "anything"));
    assert_false(match_line("Uvicorn", "python -m uvicorn"));
    assert_false(match_line("gunicorn", "python -m uvicorn"));
    assert_true(match_line("a.py", "python a.py"));
    assert_false(match_line("a.py", "python aXpy"));
}

static void
test_a_glob_is_the_whole_line(void **state)
{
    (void)state;
    assert_true(match_line("*uvicorn*", "/usr/bin/python -m uvicorn app:app"));
    assert_false(match_line("uvicorn*", "python -m uvicorn app:app"));
    assert_true(match_line("*port=80?0", "python web --port=8010"));
    assert_false(match_line("*port=80?0", "python web --port=8010 -v"));
    assert_true(match_line("*web[12].py", "python web2.py"));
}

static void
test_order(void **state)
{
    (void)state;
    struct processes list;
    take_four(&list);
    assert_string_equal(shown(&list), "10 20 30 40");
    processes_sort(&list, PROCESS_PID, true);
    assert_string_equal(shown(&list), "40 30 20 10");
    processes_sort(&list, PROCESS_TASKS, false); /* what is not known is last, in either order */
    assert_string_equal(shown(&list), "30 10 40 20");
    processes_sort(&list, PROCESS_TASKS, true);
    assert_string_equal(shown(&list), "40 10 30 20");
    processes_sort(&list, PROCESS_CPU, false);
    assert_string_equal(shown(&list), "20 40 10 30");
    processes_sort(&list, PROCESS_COMMAND, false);
    assert_string_equal(shown(&list), "20 10 40 30");
    processes_done(&list);
}

static void
test_the_selection_holds_on_to_the_process(void **state)
{
    (void)state;
    struct processes list;
    struct process_row fewer[] = {row(20, "python jobs.py", -1, 1), row(30, "uvicorn", 70, 50)};
    struct process_row other[] = {row(20, "python jobs.py", -1, 1), row(50, "uvicorn", 1, 1)};
    take_four(&list);
    processes_sort(&list, PROCESS_TASKS, false);
    assert_int_equal(processes_selected(&list)->pid, 20);
    assert_int_equal(list.cursor, 3);
    assert_int_equal(processes_take(&list, fewer, 2), 0);
    assert_int_equal(processes_selected(&list)->pid, 20);
    /* the number belongs to another process now: what stands there is selected */
    other[0].start_ns = 7;
    processes_sort(&list, PROCESS_PID, false);
    assert_int_equal(list.cursor, 0);
    assert_int_equal(processes_take(&list, other, 2), 0);
    assert_int_equal(list.selected_start_ns, 7);
    processes_done(&list);
}

static void
test_what_takes_the_place_of_the_selected_is_selected(void **state)
{
    (void)state;
    struct processes list;
    struct process_row rows[] = {row(10, "a", 1, 1), row(30, "b", 2, 1)};
    take_four(&list);
    processes_move(&list, 100);
    assert_int_equal(processes_selected(&list)->pid, 40);
    assert_int_equal(processes_take(&list, rows, 2), 0);
    assert_int_equal(processes_selected(&list)->pid, 30);
    assert_int_equal(processes_take(&list, rows, 0), 0);
    assert_null(processes_selected(&list));
    for (int step = -1; step <= 1; step++) {
        processes_move(&list, step);
        assert_int_equal(list.cursor, 0);
    }
    assert_int_equal(list.selected, 0);
    assert_int_equal(processes_take(&list, rows, 2), 0);
    assert_int_equal(processes_selected(&list)->pid, 10);
    processes_done(&list);
}

static void
test_filter(void **state)
{
    (void)state;
    struct processes list;
    take_four(&list);
    processes_set_filter(&list, "web.py");
    assert_string_equal(shown(&list), "10 40");
    processes_set_filter(&list, "*web.py");
    assert_string_equal(shown(&list), "10");
    processes_set_filter(&list, "nothing like that");
    assert_string_equal(shown(&list), "");
    assert_int_equal(list.count, 4);
    assert_null(processes_selected(&list));
    processes_set_filter(&list, "");
    assert_string_equal(shown(&list), "10 20 30 40");
    processes_done(&list);
}

static void
test_the_selected_row_stays_in_sight(void **state)
{
    (void)state;
    static struct process_row rows[100];
    struct processes list = {.height = 10};
    for (int i = 0; i < 100; i++)
        rows[i] = row(i + 1, "python", 1, 1);
    assert_int_equal(processes_take(&list, rows, 100), 0);
    processes_move(&list, 25);
    assert_int_equal(list.cursor, 25);
    assert_int_equal(list.top, 16);
    processes_move(&list, -5);
    assert_int_equal(list.top, 16);
    processes_move(&list, -100);
    assert_int_equal(list.cursor + list.top, 0);
    processes_move(&list, 1000);
    assert_int_equal(list.top, 90);
    processes_set_height(&list, 40);
    assert_int_equal(list.top, 60);
    processes_set_height(&list, 0);
    assert_int_equal(list.top, 99);
    processes_done(&list);
}

static void
test_cells(void **state)
{
    (void)state;
    static const char *const texts[PROCESS_COLUMNS] = {[PROCESS_PID] = "10",
        [PROCESS_USER] = "—",
        [PROCESS_PYTHON] = "3.13.0",
        [PROCESS_LOOP] = "—",
        [PROCESS_TASKS] = "100000",
        [PROCESS_LAG] = "—",
        [PROCESS_BUSY] = "≥31.4",
        [PROCESS_CPU] = "12.5",
        [PROCESS_RSS] = "20M",
        [PROCESS_UP] = "1m00s",
        [PROCESS_COMMAND] = "python web.py"};
    struct process_row one = row(10, "python web.py", 100000, 12.5);
    char text[64];
    one.busy_pct = 31.4;
    for (int i = 0; i < PROCESS_COLUMNS; i++)
        assert_string_equal(
            processes_cell(&one, (enum process_column)i, "≥", text, sizeof text), texts[i]);
    one.busy_exact = true;
    assert_string_equal(processes_cell(&one, PROCESS_BUSY, "≥", text, sizeof text), "31.4");
    one.tasks = -1;
    one.state = PROCESS_SILENT;
    assert_string_equal(processes_cell(&one, PROCESS_TASKS, "≥", text, sizeof text), "silent");
    one.state = PROCESS_REFUSED;
    assert_string_equal(processes_cell(&one, PROCESS_TASKS, "≥", text, sizeof text), "refused");
    one.state = PROCESS_NO_AGENT;
    assert_string_equal(processes_cell(&one, PROCESS_TASKS, "≥", text, sizeof text), "—");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plain_word_is_a_part_of_the_line),
        cmocka_unit_test(test_a_glob_is_the_whole_line),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_the_selection_holds_on_to_the_process),
        cmocka_unit_test(test_what_takes_the_place_of_the_selected_is_selected),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_the_selected_row_stays_in_sight),
        cmocka_unit_test(test_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
