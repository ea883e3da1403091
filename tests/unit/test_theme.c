/* SPDX-License-Identifier: MIT */
/* Themes: parsing with line numbers, falling back, resolving to what a terminal can show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/theme/load.h"
#include "client/theme/parse.h"
#include "client/theme/resolve.h"

struct reports {
    unsigned count, lines[16];
    char text[16][160];
};

static void
on_report(void *arg, unsigned line, const char *text)
{
    struct reports *reports = arg;

    assert_true(reports->count < 16);
    reports->lines[reports->count] = line;
    snprintf(reports->text[reports->count++], 160, "%s", text);
}

static int
on_inherit(void *arg, const char *name, struct theme *theme)
{
    (void)arg;
    if (strcmp(name, "parent") != 0)
        return -1;
    theme->styles[ROLE_ERROR] = (struct theme_style){.set = true, .attrs = THEME_ITALIC};
    return 0;
}

static struct reports reports;
static struct theme theme;

static unsigned
parse(const char *text)
{
    struct theme_source source = {on_report, on_inherit, &reports};

    memset(&reports, 0, sizeof reports);
    memset(&theme, 0, sizeof theme);
    return theme_parse(text, strlen(text), &source, &theme);
}

static void
all_statements(void **state)
{
    (void)state;
    assert_int_equal(parse("# a comment\n\n"
                           "inherit parent\n"
                           "palette red #f7768e 204 9   # rgb, 256, 16\n"
                           "style task.failed red default bold,underline\r\n"
                           "style alarm #ffffff 17\n"
                           "gradient graph red default 3"),
        0);
    assert_int_equal(theme.styles[ROLE_ERROR].attrs, THEME_ITALIC);
    const struct theme_style *failed = &theme.styles[ROLE_TASK_FAILED];
    assert_true(failed->set && failed->fg.set && !failed->bg.set);
    assert_int_equal(failed->fg.rgb, 0xF7768E);
    assert_int_equal(failed->fg.index256, 204);
    assert_int_equal(failed->fg.index16, 9);
    assert_int_equal(failed->attrs, THEME_BOLD | THEME_UNDERLINE);
    assert_int_equal(theme.styles[ROLE_ALARM].fg.index256, 231); /* the nearest */
    assert_int_equal(theme.styles[ROLE_ALARM].bg.index256, 17);
    assert_true(theme.styles[ROLE_GRAPH_LOW].fg.set);
    assert_false(theme.styles[ROLE_GRAPH_MID].fg.set);
    assert_int_equal(theme.styles[ROLE_GRAPH_HIGH].fg.index256, 3);
}

static void
each_wrong_line_is_told(void **state)
{
    (void)state;
    assert_int_equal(parse("style task.failed red default\n" /* no such colour */
                           "colour x\n"                      /* unknown word */
                           "style nothing 1 2\n"             /* no such role */
                           "style error default\n"           /* too few */
                           "palette x f7768e\n"              /* no # */
                           "palette y #f7768e 256\n"         /* out of range, the colour counts */
                           "style error y default loud\n"    /* attribute; the rest counts */
                           "gradient error 1\n"              /* no such gradient */
                           "inherit other\n"
                           "style good 2 default\n"),
        9);
    assert_int_equal(reports.count, 9);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(reports.lines[i], i + 1);
    assert_string_equal(reports.text[0], "no such colour: red");
    assert_string_equal(reports.text[1], "unknown word: colour");
    assert_true(theme.styles[ROLE_ERROR].set);
    assert_int_equal(theme.styles[ROLE_ERROR].fg.rgb, 0xF7768E);
    assert_true(theme.styles[ROLE_GOOD].set);
}

static void
rubbish_is_survived(void **state)
{
    static char text[4096];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(parse(text), 1); /* one very long line */
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = (char)(i % 3 ? i * 7 % 96 + 32 : '\n');
    struct theme_source silent = {0};
    assert_true(theme_parse(text, sizeof text - 1, &silent, &theme) > 0);
    assert_int_equal(theme_parse("a\0b", 3, &silent, &theme), 1);
}

static void
colours_degrade(void **state)
{
    struct theme_look look;

    (void)state;
    parse("palette red #f7768e 204 9\n"
          "style task red default bold\n"
          "style table.selected default #00005f\n"
          "style table.tagged 3 4 underline\n");
    look = theme_resolve(&theme, COLOR_TRUE, ROLE_TASK_FAILED, ROLE_DEFAULT); /* of its parent */
    assert_int_equal(look.fg, 0xF7768E);
    assert_int_equal(look.bg, -1);
    assert_int_equal(look.attrs, THEME_BOLD);
    look = theme_resolve(&theme, COLOR_256, ROLE_TASK, ROLE_SELECTED);
    assert_int_equal(look.fg, 204);
    assert_int_equal(look.bg, 17);
    look = theme_resolve(&theme, COLOR_16, ROLE_TASK, ROLE_DEFAULT);
    assert_int_equal(look.fg, 9);
    look = theme_resolve(&theme, COLOR_16, ROLE_TASK, ROLE_SELECTED);
    assert_int_equal(look.fg, -1);
    assert_true(look.attrs & THEME_REVERSE);
    look = theme_resolve(&theme, COLOR_MONO, ROLE_TASK, ROLE_DEFAULT);
    assert_int_equal(look.fg, -1);
    assert_int_equal(look.attrs, THEME_BOLD);
    look = theme_resolve(&theme, COLOR_256, ROLE_ERROR, ROLE_TAGGED);
    assert_int_equal(look.fg, 3);
    assert_int_equal(look.bg, 4);
}

static void
nearest(void **state)
{
    (void)state;
    assert_int_equal(theme_nearest_256(0xFFFFFF), 231);
    assert_int_equal(theme_nearest_256(0x080808), 232);
    assert_int_equal(theme_nearest_16(0xFE0101), 9);
    for (int i = 16; i < 256; i++)
        assert_int_equal(
            theme_rgb_of_256(theme_nearest_256(theme_rgb_of_256(i))), theme_rgb_of_256(i));
}

static void
built_in_is_as_the_file(const char *name)
{
    struct theme_source source = {on_report, on_inherit, &reports};
    struct theme built = {0}, filed;
    struct theme_faults faults;
    char path[64];
    const char *text = theme_builtin(name);

    memset(&reports, 0, sizeof reports);
    assert_non_null(text);
    assert_int_equal(theme_parse(text, strlen(text), &source, &built), 0);
    snprintf(path, sizeof path, "themes/%s.theme", name);
    assert_int_equal(theme_load(path, &filed, &faults), 0);
    assert_int_equal(faults.count, 0);
    assert_memory_equal(&built, &filed, sizeof built);
}

static void
themes_that_come_along(void **state)
{
    static const char *const names[] = {"default", "light", "high-contrast", "mono"};
    struct theme loaded;
    struct theme_faults faults;
    char path[64];

    (void)state;
    built_in_is_as_the_file("default");
    built_in_is_as_the_file("mono");
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "themes/%s.theme", names[i]);
        assert_int_equal(theme_load(path, &loaded, &faults), 0);
        assert_int_equal(faults.count, 0);
        /* a state is told apart by more than its colour, but also by that */
        assert_true(loaded.styles[ROLE_SELECTED].set && loaded.styles[ROLE_ALARM].set);
    }
}

static void
loading_fails_cleanly(void **state)
{
    struct theme loaded = {.styles[ROLE_GOOD].set = true};
    struct theme_faults faults;

    (void)state;
    assert_true(theme_load("no-such-theme", &loaded, &faults) < 0);
    assert_true(theme_load(".hidden", &loaded, &faults) < 0);
    assert_true(theme_load("/dev/zero", &loaded, &faults) < 0);
    assert_true(theme_load("/tmp/", &loaded, &faults) < 0);
    assert_true(loaded.styles[ROLE_GOOD].set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_statements),
        cmocka_unit_test(each_wrong_line_is_told),
        cmocka_unit_test(rubbish_is_survived),
        cmocka_unit_test(colours_degrade),
        cmocka_unit_test(nearest),
        cmocka_unit_test(themes_that_come_along),
        cmocka_unit_test(loading_fails_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
