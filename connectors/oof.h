/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What connectors share about answers while a user is out of office. */
#ifndef BELFRY_CONNECTORS_OOF_H
#define BELFRY_CONNECTORS_OOF_H

#include "lib/ipc/connector.pb-c.h"

/* Puts what is set into what was kept; nothing is copied. */
void oof_merge(Belfry__Connector__Oof *kept, const Belfry__Connector__SetOof *);

#endif
