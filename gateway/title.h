/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ps shows of a role. */
#ifndef BELFRY_GATEWAY_TITLE_H
#define BELFRY_GATEWAY_TITLE_H

/* First thing in main(): finds out how much room the arguments and the environment take, and moves both away. */
void title_init(int argc, char **argv);
void title_set(const char *title);

#endif
