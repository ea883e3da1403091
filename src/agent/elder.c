// SPDX-License-Identifier: MIT
/* See elder.h. */
#include "agent/elder.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/atomic.h"

#define MEMFDS "/proc/self/fd/"
#define NAMES_MAX 8
#define LOOKS 2000
#define LOOK_NS 1000000

static const struct looptop_agent_state *state;
static int (*start)(unsigned flags);

/* What has our symbols, and is not us. */
static bool
take(const char *name)
{
    void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        return false;
    const struct looptop_agent_state *found = dlsym(handle, "looptop_agent_state");
    if (found != NULL && found != &looptop_agent_state) {
        state = found;
        *(void **)&start = dlsym(handle, "looptop_agent_start");
    }
    (void)dlclose(handle);
    return state != NULL;
}

/* Objects that an agent may be; dlopen() within the walk would wait for itself. */
struct names {
    uintptr_t own;
    size_t count;
    char text[NAMES_MAX][256];
};

static int
look(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct names *names = data;
    const char *name = info->dlpi_name;
    if (name == NULL || info->dlpi_addr == names->own || names->count == NAMES_MAX)
        return 0;
    if (strstr(name, "/looptop_agent.") != NULL || strstr(name, "/" LOOPTOP_AGENT_LOADED) != NULL ||
        strncmp(name, MEMFDS, strlen(MEMFDS)) == 0)
        (void)snprintf(names->text[names->count++], sizeof names->text[0], "%s", name);
    return 0;
}

void
elder_look(void)
{
    struct names names = {0};
    Dl_info own;
    if (state != NULL || dladdr(&looptop_agent_state, &own) == 0)
        return;
    names.own = (uintptr_t)own.dli_fbase;
    (void)dl_iterate_phdr(look, &names);
    for (size_t i = 0; i < names.count && !take(names.text[i]); i++)
        ;
}

bool
elder_is_there(void)
{
    return state != NULL && start != NULL;
}

int
elder_start(unsigned flags, char *reason, size_t size)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    if (state->abi != LOOPTOP_AGENT_ABI) {
        (void)snprintf(reason, size,
            "another looptop, version %.*s, is attached to this process from outside",
            (int)sizeof state->version, state->version);
        return -EPROTO;
    }
    uint32_t before = LOAD_ACQUIRE(state->attempts);
    int rc = start(flags);
    for (int i = 0; i < LOOKS && rc == 0 && LOAD_ACQUIRE(state->attempts) == before; i++)
        (void)nanosleep(&pause, NULL);
    if (rc == 0 && LOAD_ACQUIRE(state->attempts) == before)
        rc = -ETIMEDOUT;
    char path[LOOPTOP_AGENT_TEXT];
    if (rc == 0 && !(flags & LOOPTOP_AGENT_STOP) && !elder_socket(path))
        rc = -ECANCELED;
    if (rc < 0)
        (void)snprintf(reason, size,
            "looptop was attached to this process from outside, and its agent does not listen: %s",
            rc == -ECANCELED && state->message[0] ? state->message : strerror(-rc));
    return rc;
}

bool
elder_socket(char ret_path[LOOPTOP_AGENT_TEXT])
{
    if (state == NULL)
        return false;
    atomic_text_get(ret_path, LOOPTOP_AGENT_TEXT, state->socket);
    return ret_path[0] != '\0';
}
