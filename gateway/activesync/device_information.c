/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DeviceInformation into the device's record. */
#include "gateway/activesync/device_information.h"

#include <string.h>

#include "lib/core/utf8.h"

static void keep(struct request *request, const struct wbxml_node *set, uint16_t tag, char **kept)
{
	const char *text = wbxml_node_text(set, tag);

	if (text == NULL)
		return;
	size_t length = strlen(text);
	if (length > DEVICE_INFORMATION_MAX)
		length = DEVICE_INFORMATION_MAX - utf8_incomplete_tail(text, DEVICE_INFORMATION_MAX);
	if (strlen(*kept) == length && memcmp(*kept, text, length) == 0)
		return;
	*kept = arena_strndup(request->arena, text, length);
	request->device_changed = true;
}

bool device_information_take(struct request *request, const struct wbxml_node *information)
{
	const struct wbxml_node *set = wbxml_node_child(information, AS_SETTINGS_SET);
	Belfry__Role__DeviceRecord *device = request->device_record;

	if (set == NULL)
		return false;
	keep(request, set, AS_SETTINGS_MODEL, &device->model);
	keep(request, set, AS_SETTINGS_FRIENDLYNAME, &device->friendly_name);
	keep(request, set, AS_SETTINGS_OS, &device->os);
	keep(request, set, AS_SETTINGS_PHONENUMBER, &device->phone_number);
	keep(request, set, AS_SETTINGS_USERAGENT, &device->user_agent);
	return true;
}
