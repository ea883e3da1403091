/* SPDX-License-Identifier: MIT */
/* What a person calls a Python process, out of its command line or of who it works for. */
#ifndef LOOPTOP_CLIENT_MODEL_PROCESS_H
#define LOOPTOP_CLIENT_MODEL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Out of arguments that each end with NUL (n bytes): the module after -m, else the script's file
 * name, else the program's. Control characters are replaced.
 */
void process_name_of(const char *args, size_t n, char *out, size_t size);

/*
 * The command line of a process without the directories of its program, "" where it cannot be read.
 * Of one that multiprocessing started it says nothing: there it is "worker of PID: " and the
 * command line of that process.
 */
void process_command(pid_t pid, char *out, size_t size);

/* The name and the command of a process, as far as /proc tells; else "" and "". */
void process_describe(pid_t pid, char *name, size_t name_size, char *command, size_t command_size);

/* Whether it is stopped by a signal or a tracer, at this moment. */
bool process_stopped(pid_t pid);

/*
 * Whether the process of this number that started at start_ns (proc_start_ns; 0: not known) is
 * over, be it that another one has the number now.
 */
bool process_ended(pid_t pid, uint64_t start_ns);

#endif
