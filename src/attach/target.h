/* SPDX-License-Identifier: MIT */
/*
 * What has to be known of a process before anything is done to it: that it is CPython of a version
 * there is an agent for, where its C library has what a call needs, and whether an agent is inside
 * already. All of it is read from its memory; nothing is stopped or changed.
 */
#ifndef LOOPTOP_ATTACH_TARGET_H
#define LOOPTOP_ATTACH_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/image.h"
#include "attach/memory.h"
#include "attach/refusal.h"
#include "looptop/agent_state.h"
#include "platform/maps_client.h"
#include "platform/proc.h"

struct target {
    pid_t pid;
    struct proc_status status;
    struct maps maps;
    struct memory memory;
    struct image python; /* the program, or libpython */
    char libpython[64];  /* the latter's file name; "" it is in the program */
    unsigned version;    /* 0x030d01f0 is 3.13.1 */
    bool musl;
    uint64_t dlopen, syscall, restorer;
    uint64_t errno_location;           /* 0: of a kind that is not known to us */
    uint64_t linker_start, linker_end; /* of its code; 0 with musl */
    /* of the agent inside; 0: there is none */
    uint64_t agent, agent_start;
    struct looptop_agent_state agent_state;
};

/*
 * Looks at a process. 0, or why not is said in refusal: -ESRCH, -EACCES, -EPERM, -ENOEXEC no
 * program we know, -ENOTSUP one that we know and do not serve, -EBUSY traced, -EAGAIN stopped.
 * target_done in the end in any case.
 */
int target_open(pid_t pid, struct target *target, struct refusal *refusal);

/* The agent in it alone, with nothing said of why not. 0, -ENOENT none, other -errno. */
int target_open_agent(pid_t pid, struct target *target);

/* For CLEANUP. */
void target_done(struct target *target);

/* Reads the map anew, and looks for the agent again. */
int target_refresh(struct target *target);

/* Reads the agent's state again. 0, -ENOENT no agent, -errno of the memory. */
int target_read_agent(struct target *target);

/* The first mapping of the file that a mapping is of, where its ELF header is; or NULL. */
const struct map *target_object(const struct target *target, const struct map *map);

/* Whether an instruction is in the C library, the dynamic linker, the kernel's own page or the
 * agent. */
bool target_is_critical(const struct target *target, uint64_t ip);

/* "3.13.1" of a version. */
#define TARGET_VERSION 24
const char *target_version(unsigned version, char out[TARGET_VERSION]);

/* The agent's file for this interpreter, in the directory dir; whether it is there is not looked
 * at. */
void target_agent_file(const struct target *target, const char *dir, char out[PATH_MAX]);

#endif
