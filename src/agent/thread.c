// SPDX-License-Identifier: MIT
/* See thread.h. */
#include "agent/thread.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define GONE_TRIES 1000

int
thread_start(
    pthread_t *ret_thread, const char *name, size_t stack_bytes, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return -ENOMEM;
    if (stack_bytes != 0)
        (void)pthread_attr_setstacksize(&attr, stack_bytes);
    /* the application's signals are for the application's threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(ret_thread, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        (void)pthread_setname_np(*ret_thread, name);
    return -rc;
}

void
thread_join(pthread_t thread, pid_t tid)
{
    pthread_join(thread, NULL);
    for (int i = 0; i < GONE_TRIES && tid != 0 && tgkill(getpid(), tid, 0) == 0; i++)
        usleep(20);
}
