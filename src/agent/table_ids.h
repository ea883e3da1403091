/* SPDX-License-Identifier: MIT */
/*
 * Where the record of an id is. Nothing is noted at a birth: who asks goes through the table, and
 * who asks for many goes through it once. No GIL; who holds it does not ask.
 */
#ifndef LOOPTOP_AGENT_TABLE_IDS_H
#define LOOPTOP_AGENT_TABLE_IDS_H

#include <stdint.h>

/* The index of the record with an id, 0 where there is none. io thread: the next ones are cheap. */
uint32_t table_ids_find(uint64_t id);

/* The same for one alone. Any thread. */
uint32_t table_ids_search(uint64_t id);

/* Gives back the memory kept from one to the next. io thread. */
void table_ids_trim(void);

#endif
