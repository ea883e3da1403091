/* SPDX-License-Identifier: MIT */
/*
 * Reads /proc. Every file is read whole into a buffer of fixed size and parsed with bounds; texts
 * are what the process chose to call itself and may hold any byte. `root` is where procfs is
 * mounted, NULL for /proc; tests point it at a directory of their own. Errors are negative errno:
 * -ESRCH when the process or thread is gone, -EACCES when it is not ours to read, -EBADMSG when the
 * file does not read as expected. No state, any thread.
 */
#ifndef LOOPTOP_PLATFORM_PROC_H
#define LOOPTOP_PLATFORM_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_NAME_MAX 64 /* bytes of a process or thread name, terminator included */

struct proc_status {
    char name[PROC_NAME_MAX];
    char state; /* R S D T t Z X I */
    pid_t pid;
    pid_t parent;
    pid_t inner_pid;  /* as the process itself sees it: the innermost of NSpid */
    uid_t uid;        /* real */
    uid_t euid;       /* effective */
    unsigned threads; /* at least 1 */
    pid_t tracer;     /* who traces it, 0 nobody */
    unsigned seccomp; /* 0 none, 1 strict, 2 a filter */
    uint64_t caught;  /* bit n - 1: signal n has a handler */
    bool has_memory;  /* not a kernel thread, not a zombie */
};

/* /proc/PID/status. */
int proc_status(const char *root, pid_t pid, struct proc_status *ret_status);

/*
 * The command line with its arguments separated by single blanks, control characters replaced by
 * '?', cut to size. A kernel thread's and a zombie's is empty. *ret_len is the length written.
 */
int proc_cmdline(const char *root, pid_t pid, char *out, size_t size, size_t *ret_len);

/* "process 7 (python app.py)", the command line cut; without it where there is none. Returns out.
 */
#define PROC_DESCRIBE_SIZE 128
const char *proc_describe(pid_t pid, char out[PROC_DESCRIBE_SIZE]);

/*
 * The command line as it is, arguments ended by NUL, cut to size and always ended by NUL.
 * *ret_len counts the bytes without the last NUL.
 */
int proc_args(const char *root, pid_t pid, char *out, size_t size, size_t *ret_len);

/*
 * The value of a variable in the environment that the process was started with; what it changed
 * since is not to be seen. -ENOENT: not there, or behind the first 256 KiB; -ENOMEM; cut to size.
 */
int proc_environ(const char *root, pid_t pid, const char *name, char *out, size_t size);

/* Where the executable is, without " (deleted)". -ENAMETOOLONG where it does not fit. */
int proc_exe(const char *root, pid_t pid, char *out, size_t size);

/* When the process started, in nanoseconds since boot. With the pid it names a process for good. */
int proc_start_ns(const char *root, pid_t pid, uint64_t *ret_ns);

/* How long the process has been there. */
int proc_uptime_ns(const char *root, pid_t pid, uint64_t *ret_ns);

/* The name of a thread (its comm), PROC_NAME_MAX bytes at most; pid == tid gives the main thread's.
 */
int proc_thread_name(const char *root, pid_t pid, pid_t tid, char *out, size_t size);

/* Resident memory in bytes, from statm. pid 0 is the calling process. */
int proc_rss(const char *root, pid_t pid, uint64_t *ret_bytes);

/*
 * The processes there are, in no order; at most max of them go to pids. *ret_count is how many
 * there are, so that a caller can tell that its array was too small.
 */
int proc_list(const char *root, pid_t *pids, size_t max, size_t *ret_count);

#endif
