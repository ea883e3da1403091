/* SPDX-License-Identifier: MIT */
/*
 * What an agent shows to whoever looks at the process's memory: exported as looptop_agent_state,
 * found by its magic. Written by the agent, read by anybody; the layout changes only with the abi
 * number.
 */
#ifndef LOOPTOP_AGENT_STATE_H
#define LOOPTOP_AGENT_STATE_H

#include <stdint.h>

#define LOOPTOP_AGENT_MAGIC "LOOPTOP-AGENT\0\0"
#define LOOPTOP_AGENT_ABI 1

enum looptop_agent_hooks {
    LOOPTOP_HOOKS_DORMANT, /* not started, or detached */
    LOOPTOP_HOOKS_WAITING, /* asyncio is not imported yet */
    LOOPTOP_HOOKS_ACTIVE,
    LOOPTOP_HOOKS_REFUSED, /* this interpreter is not one of ours; message says why */
};

#define LOOPTOP_AGENT_TEXT 256

struct looptop_agent_state {
    char magic[16];
    uint32_t abi;
    uint32_t size;  /* of this struct */
    int32_t pid;    /* of the process that started it; another one's after fork */
    uint32_t hooks; /* enum looptop_agent_hooks */
    char version[16];
    char message[LOOPTOP_AGENT_TEXT]; /* one line, "" none */
    char socket[LOOPTOP_AGENT_TEXT];  /* where it listens, "" nowhere */
};

#endif
