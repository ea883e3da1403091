/* SPDX-License-Identifier: MIT */
/*
 * The themes that are always there, whatever is installed: themes/default.theme and mono.theme
 * without their comments. A test compares them with the files.
 */
#include "client/theme/load.h"

#include <string.h>

static const char default_text[] = "palette text #d0d0d0 252 7\n"
                                   "palette bright #ffffff 231 15\n"
                                   "palette dim #808080 244 8\n"
                                   "palette accent #5fafff 75 14\n"
                                   "palette good #87d787 114 2\n"
                                   "palette warning #ffaf00 214 3\n"
                                   "palette error #ff5f5f 203 9\n"
                                   "palette alarm #af0000 124 1\n"
                                   "palette bar #303030 236 0\n"
                                   "palette select #264f78 24 4\n"
                                   "palette quiet #5f87af 67 6\n"
                                   "style default default default\n"
                                   "style dim dim default\n"
                                   "style strong bright default bold\n"
                                   "style accent accent default\n"
                                   "style good good default\n"
                                   "style warning warning default\n"
                                   "style error error default bold\n"
                                   "style alarm bright alarm bold\n"
                                   "style notice bar warning bold\n"
                                   "style header.name bright default bold\n"
                                   "style header.label quiet default\n"
                                   "style tab text bar\n"
                                   "style tab.active bar accent bold\n"
                                   "style table.head dim default bold\n"
                                   "style table.head.sort accent default bold\n"
                                   "style table.selected default select\n"
                                   "style table.tagged warning default bold\n"
                                   "style task default default\n"
                                   "style task.new accent default\n"
                                   "style task.ready warning default\n"
                                   "style task.run good default bold\n"
                                   "style task.wait dim default\n"
                                   "style task.cancelling warning default bold\n"
                                   "style task.done dim default\n"
                                   "style task.failed error default\n"
                                   "style task.cancelled dim default\n"
                                   "gradient graph good warning error\n"
                                   "style source quiet default\n"
                                   "style box dim default\n"
                                   "style box.title accent default bold\n"
                                   "style key accent bar bold\n"
                                   "style key.label text bar\n"
                                   "style prompt accent default bold\n"
                                   "style button text bar\n"
                                   "style button.active bar accent bold\n";

static const char mono_text[] = "style default default default\n"
                                "style dim default default dim\n"
                                "style strong default default bold\n"
                                "style accent default default bold\n"
                                "style good default default\n"
                                "style warning default default bold\n"
                                "style error default default bold underline\n"
                                "style alarm default default bold reverse\n"
                                "style notice default default reverse\n"
                                "style header.name default default bold\n"
                                "style header.label default default dim\n"
                                "style tab default default\n"
                                "style tab.active default default reverse bold\n"
                                "style table.head default default underline\n"
                                "style table.head.sort default default bold underline\n"
                                "style table.selected default default reverse\n"
                                "style table.tagged default default bold\n"
                                "style task default default\n"
                                "style task.run default default bold\n"
                                "style task.wait default default dim\n"
                                "style task.cancelling default default bold\n"
                                "style task.done default default dim\n"
                                "style task.failed default default bold underline\n"
                                "style task.cancelled default default dim\n"
                                "style graph.low default default\n"
                                "style graph.mid default default bold\n"
                                "style graph.high default default bold\n"
                                "style source default default dim\n"
                                "style box default default dim\n"
                                "style box.title default default bold\n"
                                "style key default default bold\n"
                                "style key.label default default\n"
                                "style prompt default default bold\n"
                                "style button default default\n"
                                "style button.active default default reverse bold\n";

const char *
theme_builtin(const char *name)
{
    if (strcmp(name, "default") == 0)
        return default_text;
    if (strcmp(name, "mono") == 0)
        return mono_text;
    return NULL;
}
