// SPDX-License-Identifier: MIT
/*
 * How the agent comes to life where the program did not load it: see looptop/agent_state.h. What
 * runs here may run in a borrowed thread of the application, which holds whatever it holds, perhaps
 * the GIL: it only makes a thread. Nothing here runs Python code.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "agent/thread.h"
#include "looptop/agent_state.h"
#include "platform/own_fd.h"
#include "platform/proc.h"

#define MEMFD_PATH "/proc/self/fd/"

#define MEMFD_NAME "/memfd:" LOOPTOP_AGENT_LOADED
#define TIDY_FDS 1024

/* The memfd that it was loaded from; below 0: none, or closed. */
static int loaded_fd = -1;

/* The program's own wish, as it was when it was started: its environment may be changed by another
 * thread at this moment. */
static bool
wants_readonly(void)
{
    char value[4];
    return proc_environ(NULL, 0, "LOOPTOP_READONLY", value, sizeof value) == 0 &&
           strcmp(value, "1") == 0;
}

static bool
is_brought(int fd)
{
    char path[32], name[sizeof MEMFD_NAME - 1];
    (void)snprintf(path, sizeof path, MEMFD_PATH "%d", fd);
    return readlink(path, name, sizeof name) == sizeof name &&
           memcmp(name, MEMFD_NAME, sizeof name) == 0;
}

/*
 * Closes the memfd that it was loaded from: the linker is done with it. There may be others, of
 * those who were killed before theirs was loaded. Looked for without a descriptor of our own.
 */
static void
tidy(void)
{
    for (int fd = 0; fd < TIDY_FDS || fd <= loaded_fd; fd++)
        if (is_brought(fd))
            (void)close(fd);
    loaded_fd = -1;
}

static void
begin(uintptr_t flags)
{
    struct agent_options options = {
        .readonly = (flags & LOOPTOP_AGENT_READONLY) || wants_readonly(),
        .listen = (flags & LOOPTOP_AGENT_LISTEN) != 0};
    char reason[256] = "";
    own_fd_let_low(true);
    int rc = agent_start(options, reason, sizeof reason);
    if (rc < 0 && rc != -EALREADY)
        agent_refuse(reason);
}

static void *
start_main(void *arg)
{
    uintptr_t flags = (uintptr_t)arg;
    tidy();
    if (flags & LOOPTOP_AGENT_STOP)
        agent_stop();
    else
        begin(flags);
    STORE_RELEASE(looptop_agent_state.attempts, LOAD(looptop_agent_state.attempts) + 1);
    return NULL;
}

static int
start(unsigned flags)
{
    pthread_t thread;
    int rc = thread_start(
        &thread, "looptop-start", THREAD_STACK_BYTES, start_main, (void *)(uintptr_t)flags);
    if (rc == 0) {
        pthread_detach(thread);
    } else {
        agent_refuse("no thread can be started: the limit of processes or memory is reached");
        STORE_RELEASE(looptop_agent_state.attempts, LOAD(looptop_agent_state.attempts) + 1);
    }
    return rc;
}

__attribute__((visibility("default"))) int looptop_agent_start(unsigned flags);

__attribute__((visibility("default"))) int
looptop_agent_start(unsigned flags)
{
    return start(flags);
}

/* "/proc/self/fd/./…/7": the memfd's name says what is wanted. */
static bool
is_memfd(const char *path, char out[64])
{
    if (strncmp(path, MEMFD_PATH, strlen(MEMFD_PATH)) != 0)
        return false;
    ssize_t n = readlink(path, out, 63);
    out[n > 0 ? n : 0] = '\0';
    loaded_fd = atoi(strrchr(path, '/') + 1);
    return n > 0;
}

/*
 * Loaded by the Python package it waits to be started. By whoever attaches, it starts by itself:
 * what dlopen() gave is lost on the way back.
 */
__attribute__((constructor)) static void
at_load(void)
{
    Dl_info info;
    char name[64];
    agent_load();
    if (dladdr(&looptop_agent_state, &info) == 0 || info.dli_fname == NULL)
        return;
    const char *file = strrchr(info.dli_fname, '/');
    bool attached = is_memfd(info.dli_fname, name) ||
                    (file != NULL &&
                        strncmp(file + 1, LOOPTOP_AGENT_LOADED, strlen(LOOPTOP_AGENT_LOADED)) == 0);
    if (!attached)
        return;
    bool listen = strstr(loaded_fd >= 0 ? name : file, LOOPTOP_AGENT_LISTENING) != NULL;
    (void)start(listen ? LOOPTOP_AGENT_LISTEN : 0);
}

/* At exit() without an end of the interpreter the socket would stay. */
__attribute__((destructor)) static void
at_exit(void)
{
    agent_unlink();
}
