/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Special-use attributes, and the names that stand in for them. */
#include "connectors/imap/folder_role.h"

#include <string.h>
#include <strings.h>

Belfry__Connector__Role folder_role_of_attribute(struct imap_text attribute)
{
	static const struct { const char *attribute; Belfry__Connector__Role role; } roles[] = {
		{"\\Drafts", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"\\Trash", BELFRY__CONNECTOR__ROLE__TRASH},
		{"\\Sent", BELFRY__CONNECTOR__ROLE__SENT},
		{"\\Junk", BELFRY__CONNECTOR__ROLE__JUNK},
		{"\\Archive", BELFRY__CONNECTOR__ROLE__ARCHIVE},
	};

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (imap_text_is(attribute, roles[i].attribute))
			return roles[i].role;
	return BELFRY__CONNECTOR__ROLE__NONE;
}

/* English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish, Danish and Norwegian, Czech, Russian.
 * Compared without regard to the case of ASCII letters. */
Belfry__Connector__Role folder_role_of_name(const char *name)
{
	static const struct { const char *name; Belfry__Connector__Role role; } names[] = {
		{"Drafts", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Draft", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Entw\xc3\xbcrfe", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Brouillons", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Borradores", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Bozze", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Concepten", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Rascunhos", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Szkice", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Utkast", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Kladder", BELFRY__CONNECTOR__ROLE__DRAFTS}, {"Koncepty", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"\xd0\xa7\xd0\xb5\xd1\x80\xd0\xbd\xd0\xbe\xd0\xb2\xd0\xb8\xd0\xba\xd0\xb8", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Sent", BELFRY__CONNECTOR__ROLE__SENT}, {"Sent Items", BELFRY__CONNECTOR__ROLE__SENT},
		{"Sent Messages", BELFRY__CONNECTOR__ROLE__SENT}, {"Sent Mail", BELFRY__CONNECTOR__ROLE__SENT},
		{"Gesendet", BELFRY__CONNECTOR__ROLE__SENT}, {"Gesendete Elemente", BELFRY__CONNECTOR__ROLE__SENT},
		{"Gesendete Objekte", BELFRY__CONNECTOR__ROLE__SENT}, {"Envoy\xc3\xa9s", BELFRY__CONNECTOR__ROLE__SENT},
		{"\xc3\x89l\xc3\xa9ments envoy\xc3\xa9s", BELFRY__CONNECTOR__ROLE__SENT}, {"Enviados", BELFRY__CONNECTOR__ROLE__SENT},
		{"Elementos enviados", BELFRY__CONNECTOR__ROLE__SENT}, {"Posta inviata", BELFRY__CONNECTOR__ROLE__SENT},
		{"Inviata", BELFRY__CONNECTOR__ROLE__SENT}, {"Verzonden", BELFRY__CONNECTOR__ROLE__SENT},
		{"Verzonden items", BELFRY__CONNECTOR__ROLE__SENT}, {"Itens enviados", BELFRY__CONNECTOR__ROLE__SENT},
		{"Wys\xc5\x82""ane", BELFRY__CONNECTOR__ROLE__SENT}, {"Skickat", BELFRY__CONNECTOR__ROLE__SENT},
		{"Sendt", BELFRY__CONNECTOR__ROLE__SENT}, {"Odeslan\xc3\xa9", BELFRY__CONNECTOR__ROLE__SENT},
		{"\xd0\x9e\xd1\x82\xd0\xbf\xd1\x80\xd0\xb0\xd0\xb2\xd0\xbb\xd0\xb5\xd0\xbd\xd0\xbd\xd1\x8b\xd0\xb5",
			BELFRY__CONNECTOR__ROLE__SENT},
		{"Trash", BELFRY__CONNECTOR__ROLE__TRASH}, {"Deleted Items", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Deleted Messages", BELFRY__CONNECTOR__ROLE__TRASH}, {"Deleted", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Bin", BELFRY__CONNECTOR__ROLE__TRASH}, {"Papierkorb", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Gel\xc3\xb6schte Elemente", BELFRY__CONNECTOR__ROLE__TRASH}, {"Corbeille", BELFRY__CONNECTOR__ROLE__TRASH},
		{"\xc3\x89l\xc3\xa9ments supprim\xc3\xa9s", BELFRY__CONNECTOR__ROLE__TRASH}, {"Papelera", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Elementos eliminados", BELFRY__CONNECTOR__ROLE__TRASH}, {"Cestino", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Prullenbak", BELFRY__CONNECTOR__ROLE__TRASH}, {"Verwijderde items", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Lixeira", BELFRY__CONNECTOR__ROLE__TRASH}, {"Kosz", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Papperskorgen", BELFRY__CONNECTOR__ROLE__TRASH}, {"Papirkurv", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Ko\xc5\xa1", BELFRY__CONNECTOR__ROLE__TRASH},
		{"\xd0\x9a\xd0\xbe\xd1\x80\xd0\xb7\xd0\xb8\xd0\xbd\xd0\xb0", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Junk", BELFRY__CONNECTOR__ROLE__JUNK}, {"Junk E-mail", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Junk Email", BELFRY__CONNECTOR__ROLE__JUNK}, {"Spam", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Bulk Mail", BELFRY__CONNECTOR__ROLE__JUNK}, {"Spamverdacht", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Unerw\xc3\xbcnscht", BELFRY__CONNECTOR__ROLE__JUNK}, {"Ind\xc3\xa9sirables", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Posta indesiderata", BELFRY__CONNECTOR__ROLE__JUNK}, {"Ongewenste e-mail", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Skr\xc3\xa4ppost", BELFRY__CONNECTOR__ROLE__JUNK},
		{"Archive", BELFRY__CONNECTOR__ROLE__ARCHIVE}, {"Archives", BELFRY__CONNECTOR__ROLE__ARCHIVE},
		{"Archiv", BELFRY__CONNECTOR__ROLE__ARCHIVE},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].role;
	return BELFRY__CONNECTOR__ROLE__NONE;
}
