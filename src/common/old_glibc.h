/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else (gcc -include): what goes into the agent shall load in a
 * container whose C library is older than the one it was built with. A function that glibc has
 * given a new version, without a change that matters here, is linked by its first one; one that
 * came later is replaced by its syscall. What is left needs glibc 2.17. A test reads the agent's
 * list of versions.
 */
#ifndef LOOPTOP_COMMON_OLD_GLIBC_H
#define LOOPTOP_COMMON_OLD_GLIBC_H

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__

#if defined(__x86_64__)
#define LOOPTOP_SYMVER(name, version) __asm__(".symver " #name "," #name "@GLIBC_" version)
/* moved from libdl and libpthread into libc by 2.34; pthread_sigmask by 2.32 */
LOOPTOP_SYMVER(dladdr, "2.2.5");
LOOPTOP_SYMVER(dlclose, "2.2.5");
LOOPTOP_SYMVER(dlopen, "2.2.5");
LOOPTOP_SYMVER(dlsym, "2.2.5");
LOOPTOP_SYMVER(pthread_attr_setstacksize, "2.2.5");
LOOPTOP_SYMVER(pthread_condattr_setclock, "2.3.3");
LOOPTOP_SYMVER(pthread_create, "2.2.5");
LOOPTOP_SYMVER(pthread_detach, "2.2.5");
LOOPTOP_SYMVER(pthread_getname_np, "2.12");
LOOPTOP_SYMVER(pthread_join, "2.2.5");
LOOPTOP_SYMVER(pthread_mutex_trylock, "2.2.5");
LOOPTOP_SYMVER(pthread_setname_np, "2.12");
LOOPTOP_SYMVER(pthread_sigmask, "2.2.5");
#elif defined(__aarch64__)
#define LOOPTOP_SYMVER(name) __asm__(".symver " #name "," #name "@GLIBC_2.17")
LOOPTOP_SYMVER(dladdr);
LOOPTOP_SYMVER(dlclose);
LOOPTOP_SYMVER(dlopen);
LOOPTOP_SYMVER(dlsym);
LOOPTOP_SYMVER(pthread_attr_setstacksize);
LOOPTOP_SYMVER(pthread_condattr_setclock);
LOOPTOP_SYMVER(pthread_create);
LOOPTOP_SYMVER(pthread_detach);
LOOPTOP_SYMVER(pthread_getname_np);
LOOPTOP_SYMVER(pthread_join);
LOOPTOP_SYMVER(pthread_mutex_trylock);
LOOPTOP_SYMVER(pthread_setname_np);
LOOPTOP_SYMVER(pthread_sigmask);
#endif

/* functions since 2.33, before in every program: the kernel fills the same struct */
#define fstatat(dir, path, st, flags) ((int)syscall(SYS_newfstatat, dir, path, st, flags))
#define stat(path, st) fstatat(AT_FDCWD, path, st, 0)
#define lstat(path, st) fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW)
#define fstat(fd, st) fstatat(fd, "", st, AT_EMPTY_PATH)
/* since 2.30 */
#define gettid() ((pid_t)syscall(SYS_gettid))
#define tgkill(pid, tid, signal) ((int)syscall(SYS_tgkill, pid, tid, signal))

#endif
#endif
