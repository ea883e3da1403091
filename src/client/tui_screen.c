/* SPDX-License-Identifier: MIT */
/* See tui_screen.h. */
#include "client/tui_screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/model.h"
#include "client/screen/tty_guard.h"
#include "client/top.h"

/* In one line, without directories; all is said on stderr. */
static void
note_faults(struct model *model, const struct theme_faults *faults)
{
    const char *text = faults->text[0], *slash = memrchr(text, '/', strcspn(text, ":"));
    char more[32] = "";

    if (faults->count == 0)
        return;
    if (faults->count > 1)
        snprintf(more, sizeof more, " (and %u more)", faults->count - 1);
    model_note(model, NOTE_WARNING, "theme %s%s", slash ? slash + 1 : text, more);
}

/* NO_COLOR counts where no option says otherwise. */
static enum color_mode
wanted_color(const struct tui_options *options)
{
    const char *no_color = getenv("NO_COLOR");

    if (options->color == COLOR_AUTO && no_color && *no_color)
        return COLOR_MONO;
    return options->color;
}

static int
load_themes(struct tui_screen *screen, const struct tui_options *options, struct model *model)
{
    struct theme_faults faults, unused;

    int error = top_theme(options->theme ? options->theme : "default", &screen->theme, &faults);
    if (error < 0)
        return error;
    note_faults(model, &faults);
    return theme_load("mono", &screen->mono, &unused);
}

static int
open_terminal(struct tui_screen *screen, const struct tui_options *options)
{
    struct surface_curses_options terminal = {.in = stdin,
        .out = stdout,
        .color = wanted_color(options),
        .theme = &screen->theme,
        .mono = &screen->mono};
    char why[256];

    (void)setlocale(LC_CTYPE, "");
    bool ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (surface_init(&screen->surface, 0, 0, ascii) < 0)
        return -ENOMEM;
    screen->signals = tty_guard_signals();
    if (screen->signals < 0)
        return screen->signals;
    int error = surface_curses_open(&terminal, &screen->terminal, why, sizeof why);
    if (error < 0)
        fprintf(stderr, "looptop: %s\n", why);
    return error;
}

int
tui_screen_open(struct tui_screen *screen, const struct tui_options *options, struct model *model)
{
    screen->signals = -1;
    int error = load_themes(screen, options, model);
    return error ? error : open_terminal(screen, options);
}

void
tui_screen_close(struct tui_screen *screen)
{
    screen->terminal = surface_curses_close(screen->terminal);
    tty_guard_signals_end(screen->signals);
    screen->signals = -1;
    surface_done(&screen->surface);
}

bool
tui_screen_follow(struct tui_screen *screen)
{
    int cols, rows;

    surface_curses_size(screen->terminal, &cols, &rows);
    if (cols == screen->surface.cols && rows == screen->surface.rows)
        return false;
    return surface_resize(&screen->surface, cols, rows) == 0;
}

void
tui_screen_show(struct tui_screen *screen, int x, int y)
{
    surface_curses_cursor(screen->terminal, x, y);
    (void)surface_curses_show(screen->terminal, &screen->surface);
}

bool
tui_screen_signals(struct tui_screen *screen)
{
    bool go_on = true;
    int signal;

    while ((signal = tty_guard_next_signal(screen->signals)) != 0) {
        switch (signal) {
        case SIGWINCH:
            break;
        case SIGTSTP:
            surface_curses_suspend(screen->terminal);
            tty_guard_stop();
            surface_curses_resume(screen->terminal);
            break;
        case SIGCONT:
            surface_curses_redraw(screen->terminal);
            break;
        default:
            go_on = false;
        }
    }
    return go_on;
}
