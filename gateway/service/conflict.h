/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device and the backend have both changed an object since they last agreed on it: whose change stays? For every
 * engine and every class of objects; pure.
 *
 * What of an object can change is a set of bits that the caller names: the flags of a mail, the properties of a contact.
 * Changes of different properties, or to the same value, are no conflict: both stay. A removal wins over any change
 * (MS-ASCMD 2.2.3.34), on whichever side: there is nothing to ask here.
 */
#ifndef BELFRY_GATEWAY_SERVICE_CONFLICT_H
#define BELFRY_GATEWAY_SERVICE_CONFLICT_H

#include <stdbool.h>
#include <stdint.h>

/* Conflict of MS-ASCMD 2.2.3.34, in its numbers. */
enum conflict_winner { CONFLICT_DEVICE_WINS = 0, CONFLICT_BACKEND_WINS = 1 };

/* Since the device's last state. */
struct conflict_sides {
	uint64_t device, backend; /* what each has changed */
	uint64_t same;            /* what is the same after both; of what only one has changed it does not matter */
};

/* Is the device's change to be dropped, as a whole? Else it is carried out. */
bool conflict_drops_device(enum conflict_winner, const struct conflict_sides *);

#endif
