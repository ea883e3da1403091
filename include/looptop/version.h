/* SPDX-License-Identifier: MIT */
#ifndef LOOPTOP_VERSION_H
#define LOOPTOP_VERSION_H

#define LOOPTOP_VERSION "0.1.0"

/*
 * The protocol's version. Raise it when a field changes its meaning or goes away; a new field or a
 * new method needs no raise. Client and agent of different protocol versions refuse each other.
 */
#define LOOPTOP_PROTOCOL 1

#endif
