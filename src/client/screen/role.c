/* SPDX-License-Identifier: MIT */
/* Names of the style roles, all from the one list in the header. */
#include "client/screen/role.h"

#include <string.h>

static const struct {
    const char *name;
    char letter;
} roles[ROLES] = {
#define ROLE_ENTRY(constant, text, mark) [constant] = {text, mark},
    ROLE_LIST(ROLE_ENTRY)
#undef ROLE_ENTRY
};

const char *
role_name(enum role role)
{
    return roles[role].name;
}

char
role_letter(enum role role)
{
    return roles[role].letter;
}

int
role_find(const char *name)
{
    for (int i = 0; i < ROLES; i++)
        if (strcmp(roles[i].name, name) == 0)
            return i;
    return -1;
}

enum role
role_parent(enum role role)
{
    char name[32];
    size_t n = strlen(roles[role].name);

    while (n > 0) {
        while (n > 0 && roles[role].name[n - 1] != '.')
            n--;
        if (n == 0)
            break;
        n--;
        memcpy(name, roles[role].name, n);
        name[n] = '\0';
        int parent = role_find(name);
        if (parent >= 0)
            return (enum role)parent;
    }
    return ROLE_DEFAULT;
}
