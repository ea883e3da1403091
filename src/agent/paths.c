// SPDX-License-Identifier: MIT
/*
 * See paths.h. Caches by pointer or hash, each open-addressed and all of them valid only for the
 * current generation: a new one begins when a code object that they know is freed (its address may
 * be another's soon) or when one of them is nearly full. Nothing of the application is kept alive:
 * codes tell when they go, names of types and coroutines are compared with what they were.
 */
#include "agent/paths.h"

#include "agent/names.h"
#include "agent/table.h"
#include "common/utf8.h"

#define SLOTS 8192u
#define SLOTS_FULL (SLOTS / 4 * 3)
#define RUNNING_MAX 200 /* innermost frames of a running task that are looked at */

/* Whose code it is; the deepest frame of the highest rank is where a task stands. */
enum rank { RANK_STDLIB, RANK_LIBRARY, RANK_USER };

/* an entry never lies across two cache lines */
struct known_code {
    const PyCodeObject *code;
    uint32_t generation;
    uint32_t file, function;
    enum rank rank;
} __attribute__((aligned(32)));
struct known_site {
    const PyCodeObject *code;
    uint32_t generation;
    int lasti;
    uint32_t site;
} __attribute__((aligned(32)));
struct known_object {
    const void *object;
    uint32_t generation;
    uint32_t string;
};
struct known_path {
    uint64_t hash;
    uint32_t generation;
    uint32_t at, waiting_on;
};

static struct known_code codes[SLOTS];
static struct known_site sites[SLOTS];
static struct known_object objects[SLOTS]; /* types, and qualified names of coroutines */
static struct known_path paths[SLOTS];
static unsigned codes_used, sites_used, objects_used, paths_used; /* of this generation */
static HOT_DATA bool crowded;                                     /* one of them is nearly full */
HOT_DATA uint32_t paths_generation = 1;
static bool unwatched; /* a code is known that will not tell when it goes */
static char stdlib[1024];
static size_t stdlib_len;

static uint32_t
slot_of(const void *pointer, uint64_t salt)
{
    uint64_t h =
        ((uint64_t)(uintptr_t)pointer >> 4) * 0x9E3779B97F4A7C15u ^ salt * 0xC2B2AE3D27D4EB4Fu;
    return (uint32_t)(h >> 40);
}

/* Everything known is known no more. Also called when a known code is freed. */
static void
forget(void)
{
    paths_generation++;
    codes_used = sites_used = objects_used = paths_used = 0;
    crowded = false;
    unwatched = false;
}

/* An entry was added to a cache. */
static void
count(unsigned *used)
{
    crowded = crowded || ++*used >= SLOTS_FULL;
}

/* Before a cache is searched: a full one would be searched for ever. */
static inline void
make_room(void)
{
    if (unlikely(crowded))
        forget();
}

size_t
paths_unicode(PyObject *text, char *out, size_t size)
{
    size_t used = 0;
    Py_ssize_t n = PyUnicode_Check(text) ? PyUnicode_GET_LENGTH(text) : 0;
    if (n > 0 && PyUnicode_IS_COMPACT_ASCII(text))
        return utf8_copy(out, size, (const char *)PyUnicode_DATA(text), (size_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        char bytes[4];
        size_t len = utf8_encode(PyUnicode_READ_CHAR(text, i), bytes);
        if (used + len + (i + 1 < n ? 3 : 0) >= size) {
            /* U+2026: cut here */
            if (used + 3 < size) {
                memcpy(out + used, "\xE2\x80\xA6", 3);
                used += 3;
            }
            break;
        }
        memcpy(out + used, bytes, len);
        used += len;
    }
    out[used] = '\0';
    return used;
}

static uint32_t
string_of(PyObject *text)
{
    char bytes[NAMES_STRING_MAX];
    size_t n = paths_unicode(text, bytes, sizeof bytes);
    return names_string(bytes, n);
}

static enum rank
rank_of(const char *file)
{
    if (file == NULL || strncmp(file, "<frozen ", 8) == 0)
        return RANK_STDLIB;
    if (strstr(file, "/site-packages/") != NULL || strstr(file, "/dist-packages/") != NULL)
        return RANK_LIBRARY;
    if (stdlib_len > 0 && strncmp(file, stdlib, stdlib_len) == 0)
        return RANK_STDLIB;
    return RANK_USER;
}

/* A code met for the first time, in its free entry. */
static COLD const struct known_code *
add_code(struct known_code *known, PyCodeObject *code)
{
    *known = (struct known_code){.code = code, .generation = paths_generation};
    known->file = string_of(code->co_filename);
    known->function = string_of(code->co_qualname);
    known->rank = rank_of(names_text(known->file));
    count(&codes_used);
    if (!cpy_watch_code(code))
        unwatched = true;
    return known;
}

/* What is known of a code; valid until the next call. */
static HOT_TEXT const struct known_code *
code_of(PyCodeObject *code)
{
    make_room();
    for (uint32_t i = slot_of(code, 0);; i++) {
        struct known_code *known = &codes[i % SLOTS];
        if (unlikely(known->generation != paths_generation))
            return add_code(known, code);
        if (likely(known->code == code))
            return known;
    }
}

static COLD uint32_t
add_site(struct known_site *known, const struct cpy_place *place)
{
    const struct known_code *code = code_of(place->code);
    uint32_t site = names_site(code->file, code->function, cpy_line(place));
    *known = (struct known_site){
        .code = place->code, .generation = paths_generation, .lasti = place->lasti, .site = site};
    count(&sites_used);
    return site;
}

HOT_TEXT uint32_t
paths_site(const struct cpy_place *place)
{
    make_room();
    for (uint32_t i = slot_of(place->code, (uint64_t)place->lasti);; i++) {
        struct known_site *known = &sites[i % SLOTS];
        if (unlikely(known->generation != paths_generation))
            return add_site(known, place);
        if (likely(known->code == place->code && known->lasti == place->lasti))
            return known->site;
    }
}

/* The entry for an object's address, to be checked or filled by the caller. */
static struct known_object *
object_entry(const void *object)
{
    make_room();
    for (uint32_t i = slot_of(object, 0);; i++) {
        struct known_object *known = &objects[i % SLOTS];
        if (known->generation == paths_generation && known->object != object)
            continue;
        if (known->generation != paths_generation) {
            *known = (struct known_object){.object = object, .generation = paths_generation};
            count(&objects_used);
        }
        return known;
    }
}

uint32_t
paths_type(PyTypeObject *type)
{
    const char *dot = strrchr(type->tp_name, '.');
    const char *name = dot != NULL ? dot + 1 : type->tp_name;
    struct known_object *known = object_entry(type);
    const char *text = names_text(known->string);
    if (text == NULL || strcmp(text, name) != 0)
        known->string = names_string(name, strlen(name));
    return known->string;
}

/* Whether a text is still what a number stands for; texts beyond ASCII are made anew. */
static bool
same_text(PyObject *text, const char *known)
{
    size_t n = (size_t)PyUnicode_GET_LENGTH(text);
    return known != NULL && PyUnicode_IS_COMPACT_ASCII(text) &&
           strncmp(known, (const char *)PyUnicode_DATA(text), n) == 0 && known[n] == '\0';
}

uint32_t
paths_coroutine(PyObject *coro)
{
    PyCodeObject *code = cpy_named_code(coro); /* almost always there is one */
    if (likely(code != NULL))
        return code_of(code)->function;
    if (coro == NULL)
        return 0;
    PyObject *name = cpy_is_gen(coro) ? ((PyGenObject *)coro)->gi_qualname : NULL;
    if (name == NULL || !PyUnicode_Check(name))
        return paths_type(Py_TYPE(coro));
    struct known_object *known = object_entry(name);
    if (!same_text(name, names_text(known->string)))
        known->string = string_of(name);
    return known->string;
}

int
paths_init(void)
{
    PyObject *file = cpy_lookup("asyncio", "__file__");
    stdlib_len = 0;
    if (file != NULL && PyUnicode_Check(file)) {
        /* …/lib/python3.x/asyncio/__init__.py: the directory above asyncio */
        size_t n = paths_unicode(file, stdlib, sizeof stdlib);
        for (int up = 0; up < 2 && n > 0; up++)
            while (n > 0 && stdlib[--n] != '/') {
            }
        stdlib_len = n > 0 ? n + 1 : 0;
    }
    Py_XDECREF(file);
    cpy_watch_codes(forget);
    return 0;
}

/* The chain's frames, outermost first, and what the last one awaits when that has no frame. */
static size_t
chain_of(PyObject *task, PyObject **frames, size_t max)
{
    size_t count = 0;
    PyObject *at = cpy_task_field(task, cpy_layout.coro);
    while (at != NULL && count < max && cpy_is_gen(at)) {
        frames[count++] = at;
        at = cpy_awaited(at);
    }
    return count;
}

static uint64_t
mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 32);
}

static PyTypeObject *
waiter_type(PyObject *task)
{
    PyObject *waiter = cpy_task_field(task, cpy_layout.waiter);
    return waiter != NULL ? Py_TYPE(waiter) : NULL;
}

/* The step's hot path: one load a frame. */
static uint64_t
path_hash(PyObject *task)
{
    uint64_t hash = mix(paths_generation, (uint64_t)(uintptr_t)waiter_type(task));
    PyObject *at = cpy_task_field(task, cpy_layout.coro);
    for (int depth = 0; at != NULL && depth < CPY_CHAIN_MAX && cpy_is_gen(at); depth++) {
        hash = mix(hash, (uint64_t)cpyv_frame_ip(cpyv_gen_frame((PyGenObject *)at)));
        at = cpy_awaited(at);
    }
    return hash | 1;
}

/* `async with lock`: what is awaited is not the mixin that all locks share, but what it calls. */
static bool
is_mixin(PyObject *gen)
{
    const char *name = names_text(paths_coroutine(gen));
    return name != NULL && strcmp(name, "_ContextManagerMixin.__aenter__") == 0;
}

/* Looks at each frame of a path seen for the first time. */
static void
classify(PyObject *task, struct known_path *path)
{
    PyObject *chain[CPY_CHAIN_MAX];
    size_t count = chain_of(task, chain, CPY_CHAIN_MAX), at = 0;
    enum rank best = RANK_STDLIB;

    path->at = path->waiting_on = 0;
    for (size_t i = 0; i < count; i++) {
        PyCodeObject *code = cpyv_frame_code(cpyv_gen_frame((PyGenObject *)chain[i]));
        if (code == NULL)
            continue;
        enum rank rank = code_of(code)->rank;
        if (rank >= best && (rank > RANK_STDLIB || i == 0)) {
            best = rank;
            at = i;
        }
    }
    if (count > 0) {
        _PyInterpreterFrame *frame = cpyv_gen_frame((PyGenObject *)chain[at]);
        struct cpy_place place = {cpyv_frame_code(frame), cpyv_frame_lasti(frame)};
        if (place.code != NULL)
            path->at = paths_site(&place);
    }
    PyTypeObject *type = waiter_type(task);
    if (at + 2 < count && is_mixin(chain[at + 1]))
        at++;
    if (at + 1 < count)
        path->waiting_on = paths_coroutine(chain[at + 1]);
    else if (type != NULL)
        path->waiting_on = paths_type(type);
}

static const struct known_path *
path_of(PyObject *task, uint64_t hash)
{
    make_room();
    for (uint32_t i = (uint32_t)(hash >> 40);; i++) {
        struct known_path *known = &paths[i % SLOTS];
        if (known->generation == paths_generation) {
            if (known->hash == hash)
                return known;
            continue;
        }
        *known = (struct known_path){.hash = hash, .generation = paths_generation};
        classify(task, known);
        count(&paths_used);
        return known;
    }
}

void
paths_update(struct record *record, PyObject *task)
{
    if (unlikely(unwatched))
        forget();
    uint64_t hash = path_hash(task);
    if (hash != record->path) {
        const struct known_path *path = path_of(task, hash);
        STORE(record->at, path->at);
        STORE(record->waiting_on, path->waiting_on);
        STORE(record->path, hash);
    }
    STORE(record->at_step, (uint32_t)record->steps);
}

void
paths_update_running(struct record *record, _PyInterpreterFrame *const *frames, size_t count)
{
    struct cpy_place at = {0};
    enum rank best = RANK_STDLIB;

    /* the first frame of the user's own is the one */
    for (size_t i = 0; i < count && i < RUNNING_MAX && best < RANK_USER; i++) {
        PyCodeObject *code = cpyv_frame_code(frames[i]);
        enum rank rank = code != NULL ? code_of(code)->rank : RANK_STDLIB;
        if (code == NULL || (at.code != NULL && rank <= best))
            continue;
        best = rank;
        at = (struct cpy_place){code, cpyv_frame_lasti(frames[i])};
    }
    if (at.code == NULL)
        return;
    STORE(record->at, paths_site(&at));
    STORE(record->waiting_on, 0);
    STORE(record->path, 0);
    STORE(record->at_step, (uint32_t)record->steps + 1);
}
