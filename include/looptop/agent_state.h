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
#define LOOPTOP_AGENT_ABI 2

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
    int32_t channel;                  /* descriptor held out to whoever may trace, below 0 none */
    uint32_t attempts;                /* of looptop_agent_start that are over, well or not */
    uint64_t channel_inode;           /* … the socket's: its number may be another's by now */
};

/*
 * Brings the agent into service, or takes it to be there already, in a thread of its own: returns
 * at once, and takes no lock that the caller's thread could hold. How it went stands in the state
 * afterwards: `attempts` is one more, and `socket` or `channel` say where it listens, or `message`
 * why not.
 *
 * What attaching brings in does so by itself when it is loaded. Its file is called
 * LOOPTOP_AGENT_LOADED, and something behind that; with LOOPTOP_AGENT_LISTENING in it, it listens
 * at a path, else it holds out a channel: one end of a socket pair, with one byte in it for whoever
 * comes first, to be had by pidfd_getfd(2).
 */
#define LOOPTOP_AGENT_LOADED "looptop-agent"
#define LOOPTOP_AGENT_LISTENING "-listening"
enum looptop_agent_start_flag {
    LOOPTOP_AGENT_LISTEN = 1,
    LOOPTOP_AGENT_READONLY = 2, /* refuses cancellation */
    LOOPTOP_AGENT_STOP = 4,     /* takes it out of service instead */
};

#endif
