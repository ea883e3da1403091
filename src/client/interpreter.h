/* SPDX-License-Identifier: MIT */
/* Finds a Python interpreter that there is an agent for. */
#ifndef LOOPTOP_CLIENT_INTERPRETER_H
#define LOOPTOP_CLIENT_INTERPRETER_H

/*
 * The first of python3, python3.15 … python3.11 on PATH whose agent is in libdir/agent; with
 * wanted, only that one. 0 and its name, borrowed; -ENODATA: there is no agent for it. Of wanted
 * alone: -ENOENT, there is no such program; -ENOTSUP, it is Python 3.*ret_minor, which is too old.
 */
int interpreter_find(
    const char *libdir, const char *wanted, const char **ret_python, unsigned *ret_minor);

#endif
