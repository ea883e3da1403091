// SPDX-License-Identifier: MIT
/*
 * Where tasks are made, and of what: a program has a few such places and runs them again and again,
 * so that both are found at one look. What is found in no entry is looked up as ever, and takes the
 * entry of what it meets there.
 */
#include "agent/paths.h"

#include "agent/table.h"

#define BITS 9

struct known_birth {
    const PyCodeObject *by; /* the code that made the task */
    const PyCodeObject *of; /* the coroutine's */
    uint32_t generation;
    int lasti;
    uint32_t site, coroutine;
} __attribute__((aligned(32)));

static struct known_birth births[1 << BITS];

static COLD void
look_up(struct known_birth *birth, const struct cpy_place *place, PyObject *coro)
{
    /* either may begin a new one, and with it nobody tells when the other's code is freed */
    birth->generation = paths_generation;
    birth->site = paths_site(place);
    birth->coroutine = paths_coroutine(coro);
}

HOT_TEXT void
paths_birth(struct record *record, const struct cpy_place *place, PyObject *coro)
{
    const PyCodeObject *of = cpy_named_code(coro);
    uint64_t hash = (uint64_t)(uintptr_t)place->code + 3 * (uint64_t)(uintptr_t)of +
                    32 * (uint64_t)(unsigned)place->lasti;
    struct known_birth *birth = &births[hash * 0x9E3779B97F4A7C15u >> (64 - BITS)];
    if (unlikely(birth->by != place->code || birth->of != of || of == NULL ||
                 birth->lasti != place->lasti || birth->generation != paths_generation)) {
        *birth = (struct known_birth){.by = place->code, .of = of, .lasti = place->lasti};
        look_up(birth, place, coro);
    }
    STORE(record->created_at, birth->site);
    STORE(record->coroutine, birth->coroutine);
}
