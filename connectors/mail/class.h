/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The message class (MS-ASEMAIL section 2.2.2.49): what kind of mail a phone shows. */
#ifndef BELFRY_CONNECTORS_MAIL_CLASS_H
#define BELFRY_CONNECTORS_MAIL_CLASS_H

#include "connectors/mail/mime.h"
#include "lib/core/arena.h"

/* "IPM.Note", "IPM.Note.SMIME", "REPORT.IPM.Note.NDR" …; a constant. Reports are told apart by what their status part
 * says; while it is not loaded a delivery report counts as one of failure, which it mostly is. */
const char *class_of(struct arena *, const struct mime_part *root);

#endif
