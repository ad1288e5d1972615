/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling signed and encrypted mails and reports from plain ones. */
#include "connectors/mail/class.h"

#include "connectors/mail/header.h"

/* The report's machine-readable part (RFC 3464, RFC 8098; RFC 6533 when it is in UTF-8): the second one. */
static struct slice status_of(const struct mime_part *root)
{
	static const char *const types[] = {"delivery-status", "disposition-notification", "global-delivery-status",
		"global-disposition-notification"};

	for (const struct mime_part *part = root->first; part != NULL; part = part->next)
		for (size_t i = 0; part->is_loaded && i < sizeof types / sizeof *types; i++)
			if (mime_is(part, "message", types[i]))
				return part->body;
	return slice_of(NULL, 0);
}

/* The first field of this name in any of the status part's groups. */
static struct slice find_field(struct slice status, const char *name)
{
	struct header_field field;

	while (status.length > 0)
		while (header_next(&status, &field))
			if (slice_is(field.name, name))
				return field.value;
	return slice_of(NULL, 0);
}

/* The type of a disposition (RFC 8098 section 3.2.6.2): behind the mode, before modifiers. */
static bool is_deleted(struct slice disposition)
{
	const char *mode = disposition.length > 0 ? memchr(disposition.at, ';', disposition.length) : NULL;
	struct slice type = mode == NULL ? disposition
		: slice_trim(slice_of(mode + 1, disposition.length - (size_t)(mode + 1 - disposition.at)));

	return slice_begins(type, "deleted");
}

static const char *class_of_report(const char *type, const struct mime_part *root)
{
	struct slice status = status_of(root), action;

	if (strcmp(type, "disposition-notification") == 0) {
		return is_deleted(find_field(status, "disposition")) ? "REPORT.IPM.Note.IPNNRN" : "REPORT.IPM.Note.IPNRN";
	}
	action = find_field(status, "action");
	if (slice_begins(action, "delivered") || slice_begins(action, "relayed") || slice_begins(action, "expanded"))
		return "REPORT.IPM.Note.DR";
	return slice_begins(action, "delayed") ? "REPORT.IPM.Note.DELAYED" : "REPORT.IPM.Note.NDR";
}

const char *class_of(struct arena *arena, const struct mime_part *root)
{
	struct slice value;

	if (mime_is(root, "application", "pkcs7-mime") || mime_is(root, "application", "x-pkcs7-mime"))
		return "IPM.Note.SMIME";
	if (mime_is(root, "multipart", "signed")) {
		value = param_raw(arena, root->type_params, "protocol");
		if (slice_is(value, "application/pkcs7-signature") || slice_is(value, "application/x-pkcs7-signature"))
			return "IPM.Note.SMIME.MultipartSigned";
	}
	if (mime_is(root, "multipart", "report")) {
		value = param_raw(arena, root->type_params, "report-type");
		if (slice_is(value, "delivery-status") || slice_is(value, "disposition-notification"))
			return class_of_report(slice_is(value, "delivery-status") ? "delivery-status" : "disposition-notification", root);
	}
	return "IPM.Note";
}
