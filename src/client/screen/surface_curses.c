/* SPDX-License-Identifier: MIT */
/*
 * The curses backend. It keeps a copy of the cells shown last and hands only changed ones to
 * curses, which sends only changed characters: an idle screen costs a comparison. Colour pairs are
 * allocated when first met and only through the extended calls, since the short ones truncate
 * silently.
 */
#include "client/screen/surface_curses.h"

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "client/screen/keys.h"
#include "client/screen/tty_guard.h"
#include "client/theme/resolve.h"
#include "common/utf8.h"

#define PAIRS_MAX 256
#define ESCAPE_DELAY_MS 25

struct pair {
    int fg, bg;
};

struct look {
    bool known;
    attr_t attrs;
    int pair;
};

struct surface_curses {
    SCREEN *screen;
    FILE *out;
    const struct theme *theme;
    enum color_mode color;
    bool own_default;             /* the terminal has default colours */
    struct pair pairs[PAIRS_MAX]; /* from 1 */
    int pairs_count;
    struct look looks[ROLES][ROLES];
    struct surface shown;
    bool all; /* nothing of `shown` is on the terminal */
    int cursor_x, cursor_y;
};

/* Appends a terminfo string without its padding marks `$<5/>`. */
static void
append_capability(char *out, size_t size, const char *name)
{
    char id[16];
    size_t n = strlen(out);

    snprintf(id, sizeof id, "%s", name);
    const char *text = tigetstr(id);
    if (!text || text == (const char *)-1)
        return;
    while (*text && n + 1 < size) {
        const char *end = text[0] == '$' && text[1] == '<' ? strchr(text, '>') : NULL;
        if (end)
            text = end + 1;
        else
            out[n++] = *text++;
    }
    out[n] = '\0';
}

static void
restore_bytes(char *out, size_t size)
{
    static const char *const names[] = {"sgr0", "op", "rmkx", "cnorm", "rmcup"};

    out[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        append_capability(out, size, names[i]);
}

static bool
has_capability(const char *name)
{
    char text[64] = "";

    append_capability(text, sizeof text, name);
    return text[0] != '\0';
}

static enum color_mode
choose_color(enum color_mode wanted)
{
    char rgb[] = "RGB";
    enum color_mode most = COLOR_16;

    if (!has_colors() || wanted == COLOR_MONO)
        return COLOR_MONO;
    if (tigetflag(rgb) == 1 && COLORS >= 1 << 24)
        most = COLOR_TRUE;
    else if (COLORS >= 256)
        most = COLOR_256;
    if (wanted == COLOR_AUTO || wanted > most)
        return most;
    /* a terminal of RGB alone takes no index but the first eight */
    return most == COLOR_TRUE && wanted == COLOR_256 ? COLOR_TRUE : wanted;
}

/* What many terminals send for Home and End, whatever terminfo says of the name they go by. */
static void
define_keys(void)
{
    static const struct {
        const char *bytes;
        int key;
    } keys[] = {{"\033[1~", KEY_HOME}, {"\033[7~", KEY_HOME}, {"\033[H", KEY_HOME},
        {"\033OH", KEY_HOME}, {"\033[4~", KEY_END}, {"\033[8~", KEY_END}, {"\033[F", KEY_END},
        {"\033OF", KEY_END}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (key_defined(keys[i].bytes) == 0)
            (void)define_key(keys[i].bytes, keys[i].key);
}

static void
start_curses(struct surface_curses *screen, const struct surface_curses_options *options)
{
    char restore[256];

    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)intrflush(stdscr, FALSE);
    (void)keypad(stdscr, TRUE);
    define_keys();
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(ESCAPE_DELAY_MS);
    (void)curs_set(0);
    if (has_colors() && start_color() == OK)
        screen->own_default = use_default_colors() == OK;
    screen->color = choose_color(options->color);
    screen->theme = screen->color == COLOR_MONO ? options->mono : options->theme;
    restore_bytes(restore, sizeof restore);
    tty_guard_restore(restore);
}

/* newterm with the type asked for or, where terminfo does not know it, a plain one. */
static SCREEN *
open_terminal(const struct surface_curses_options *options)
{
    const char *term = options->term ? options->term : getenv("TERM");
    SCREEN *screen = NULL;

    if (!term || !*term)
        return NULL;
    screen = newterm(term, options->out, options->in);
    if (!screen && strstr(term, "256color"))
        screen = newterm("xterm-256color", options->out, options->in);
    if (!screen && strncmp(term, "xterm", 5) == 0)
        screen = newterm("xterm", options->out, options->in);
    return screen;
}

int
surface_curses_open(const struct surface_curses_options *options,
    struct surface_curses **ret_screen, char *why, size_t why_size)
{
    const char *term = options->term ? options->term : getenv("TERM");
    struct surface_curses *screen = calloc(1, sizeof *screen);

    if (!screen || surface_init(&screen->shown, 0, 0, false) < 0) {
        free(screen);
        snprintf(why, why_size, "out of memory");
        return -ENOMEM;
    }
    screen->out = options->out;
    screen->cursor_x = -1;
    screen->all = true;
    (void)tty_guard_begin(fileno(options->out));
    screen->screen = open_terminal(options);
    if (!screen->screen) {
        tty_guard_end();
        snprintf(why, why_size, "terminal type \"%.60s\" is not known: set TERM, or use --batch",
            term ? term : "");
        surface_done(&screen->shown);
        free(screen);
        return -ENODEV;
    }
    start_curses(screen, options);
    if (!has_capability("cup")) {
        surface_curses_close(screen);
        snprintf(why, why_size,
            "terminal type \"%.60s\" cannot move the cursor: set TERM, or use --batch",
            term ? term : "");
        return -ENOTTY;
    }
    *ret_screen = screen;
    return 0;
}

struct surface_curses *
surface_curses_close(struct surface_curses *screen)
{
    if (!screen)
        return NULL;
    (void)curs_set(1);
    (void)endwin();
    tty_guard_end();
    delscreen(screen->screen);
    surface_done(&screen->shown);
    free(screen);
    return NULL;
}

enum color_mode
surface_curses_color(const struct surface_curses *screen)
{
    return screen->color;
}

void
surface_curses_size(struct surface_curses *screen, int *ret_cols, int *ret_rows)
{
    struct winsize size;

    if (ioctl(fileno(screen->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0 &&
        (size.ws_col != COLS || size.ws_row != LINES)) {
        (void)resizeterm(size.ws_row, size.ws_col);
        screen->all = true;
    }
    *ret_cols = COLS;
    *ret_rows = LINES;
}

/* The pair of two colours, 0 (the terminal's own) where no more can be had. */
static int
pair_of(struct surface_curses *screen, int fg, int bg)
{
    if (fg < 0 && bg < 0 && screen->own_default)
        return 0;
    for (int i = 1; i <= screen->pairs_count; i++)
        if (screen->pairs[i].fg == fg && screen->pairs[i].bg == bg)
            return i;
    int next = screen->pairs_count + 1;
    if (next >= PAIRS_MAX || next >= COLOR_PAIRS)
        return 0;
    int real_fg = fg < 0 && !screen->own_default ? COLOR_WHITE : fg;
    int real_bg = bg < 0 && !screen->own_default ? COLOR_BLACK : bg;
    if (init_extended_pair(next, real_fg, real_bg) == ERR)
        return 0;
    screen->pairs[next] = (struct pair){fg, bg};
    return screen->pairs_count = next;
}

static attr_t
curses_attrs(unsigned attrs)
{
    return (attrs & THEME_BOLD ? WA_BOLD : 0) | (attrs & THEME_DIM ? WA_DIM : 0) |
           (attrs & THEME_UNDERLINE ? WA_UNDERLINE : 0) | (attrs & THEME_REVERSE ? WA_REVERSE : 0) |
           (attrs & THEME_ITALIC ? WA_ITALIC : 0);
}

/* With eight colours the bright ones are bold, and bright black, often unreadable, is dim. */
static void
eight_colors(struct theme_look *look)
{
    if (look->fg == 8) {
        look->fg = -1;
        look->attrs |= THEME_DIM;
    } else if (look->fg > 8) {
        look->fg -= 8;
        look->attrs |= THEME_BOLD;
    }
    if (look->bg >= 8)
        look->bg -= 8;
}

static const struct look *
look_of(struct surface_curses *screen, const struct cell *cell)
{
    struct look *look = &screen->looks[cell->role][cell->overlay];

    if (look->known)
        return look;
    struct theme_look plain = theme_resolve(
        screen->theme, screen->color, (enum role)cell->role, (enum role)cell->overlay);
    if (screen->color == COLOR_16 && COLORS < 16)
        eight_colors(&plain);
    look->attrs = curses_attrs(plain.attrs);
    look->pair = screen->color == COLOR_MONO ? 0 : pair_of(screen, plain.fg, plain.bg);
    look->known = true;
    return look;
}

static void
draw_cell(struct surface_curses *screen, int x, int y, const struct cell *cell)
{
    const struct look *look = look_of(screen, cell);
    wchar_t wide[CCHARW_MAX + 1];
    size_t n = strlen(cell->text), count = 0;
    cchar_t drawn;

    for (size_t i = 0; i < n && count < CCHARW_MAX;) {
        uint32_t c;
        i += utf8_decode(cell->text + i, n - i, &c);
        wide[count++] = (wchar_t)c;
    }
    wide[count] = L'\0';
    int pair = look->pair;
    if (setcchar(&drawn, wide, look->attrs, 0, &pair) == ERR)
        (void)setcchar(&drawn, L"?", look->attrs, 0, &pair);
    (void)mvadd_wch(y, x, &drawn);
}

/* The backend's copy is kept in step with the surface's size. */
static int
follow_size(struct surface_curses *screen, const struct surface *surface)
{
    if (screen->shown.cols == surface->cols && screen->shown.rows == surface->rows && !screen->all)
        return 0;
    if (surface_resize(&screen->shown, surface->cols, surface->rows) < 0)
        return -ENOMEM;
    (void)erase();
    (void)clearok(stdscr, screen->all ? TRUE : FALSE);
    screen->all = true;
    return 0;
}

int
surface_curses_show(struct surface_curses *screen, const struct surface *surface)
{
    if (follow_size(screen, surface) < 0)
        return -ENOMEM;
    size_t count = (size_t)surface->cols * (size_t)surface->rows;
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = &surface->cells[i];
        struct cell *old = &screen->shown.cells[i];
        if (!screen->all && memcmp(cell, old, sizeof *cell) == 0)
            continue;
        *old = *cell;
        if (cell->width > 0)
            draw_cell(screen, (int)i % surface->cols, (int)i / surface->cols, cell);
    }
    screen->all = false;
    if (screen->cursor_x >= 0)
        (void)move(screen->cursor_y, screen->cursor_x);
    (void)curs_set(screen->cursor_x >= 0);
    (void)refresh();
    return 0;
}

void
surface_curses_redraw(struct surface_curses *screen)
{
    screen->all = true;
}

void
surface_curses_cursor(struct surface_curses *screen, int x, int y)
{
    screen->cursor_x = x;
    screen->cursor_y = y;
}

static int
special_key(wint_t code)
{
    static const struct {
        int curses, ours;
    } keys[] = {{KEY_UP, KEYS_UP}, {KEY_DOWN, KEYS_DOWN}, {KEY_LEFT, KEYS_LEFT},
        {KEY_RIGHT, KEYS_RIGHT}, {KEY_PPAGE, KEYS_PAGE_UP}, {KEY_NPAGE, KEYS_PAGE_DOWN},
        {KEY_HOME, KEYS_HOME}, {KEY_FIND, KEYS_HOME}, {KEY_END, KEYS_END}, {KEY_SELECT, KEYS_END},
        {KEY_IC, KEYS_INSERT}, {KEY_DC, KEYS_DELETE}, {KEY_BTAB, KEYS_BACKTAB},
        {KEY_BACKSPACE, KEYS_BACKSPACE}, {KEY_ENTER, KEYS_ENTER}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if ((wint_t)keys[i].curses == code)
            return keys[i].ours;
    if (code >= (wint_t)KEY_F(1) && code <= (wint_t)KEY_F(12))
        return KEYS_F1 + (int)(code - (wint_t)KEY_F(1));
    return KEYS_NONE;
}

int
surface_curses_key(struct surface_curses *screen)
{
    wint_t code;

    (void)screen;
    for (;;) {
        int kind = get_wch(&code);
        if (kind == ERR)
            return KEYS_NONE;
        if (kind != KEY_CODE_YES) {
            if (code == '\n')
                return KEYS_ENTER;
            return code == 8 ? KEYS_BACKSPACE : (int)code;
        }
        int key = special_key(code);
        if (key != KEYS_NONE)
            return key;
    }
}

void
surface_curses_suspend(struct surface_curses *screen)
{
    (void)screen;
    (void)def_prog_mode();
    (void)curs_set(1);
    (void)endwin();
}

void
surface_curses_resume(struct surface_curses *screen)
{
    (void)reset_prog_mode();
    (void)curs_set(0);
    (void)refresh();
    screen->all = true;
}

void
surface_curses_raw(struct surface_curses *screen, const char *bytes, size_t n)
{
    (void)fwrite(bytes, 1, n, screen->out);
    (void)fflush(screen->out);
}
