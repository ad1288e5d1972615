/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The contract of a connector daemon, in words. lib/ipc/connector.proto is its grammar, lib/ipc/link.h its framing;
 * this file says what a connector MUST and MAY do, so that one can be written in any language. belfry-null
 * (connectors/null) is the smallest that keeps all of it.
 *
 * --- start and end ---
 * main starts the daemon as the user `user_connector`, with
 *   descriptor CONNECTOR_LISTEN_FD    an AF_UNIX stream socket that already listens: clients may be waiting in it;
 *   descriptor CONNECTOR_SETTINGS_FD  a memfd with the settings, read from offset 0: lines `key=value`, the value goes
 *                                     to the end of the line (no quoting); unknown keys MUST be ignored;
 *   standard error                    its log: one key=value line an outcome.
 * Nothing secret comes in arguments or environment, and the daemon MUST NOT write a secret anywhere.
 * Keys that every connector gets: name (the instance, for logs), login (user|full), timeout_s, workers, recheck_s,
 * watch_as (master|session|none), hook (auto|yes|no). belfry-imap also: host, port, tls (starttls|tls|none),
 * tls_name, ca_file, master_user, master_password, smtp_host, smtp_port, smtp_tls, smtp_tls_name, smtp_auth, sieve_host,
 * sieve_port, sieve_tls, sieve_tls_name. `option = {"key=value"}` of the configuration arrives as key=value.
 * The daemon MUST be able to answer within a second of its start, MUST NOT die because its backend is away, and on
 * SIGTERM or when main is gone ends with status 0. With settings that cannot work it ends with status
 * CONNECTOR_EXIT_CONFIG after one line that says which and why: starting it again would not help.
 *
 * --- talking ---
 * Each client (hub, fronts) says Hello first; it gets no answer. A Request with an id MUST be answered, in any order:
 * by one Response of the same id, or for Fetch by one an item, of which the last carries `last` (as the last of a Send
 * does; a descriptor may come with the request); a Fetch that fails
 * as a whole by one Response with a status and no body. Id 0 asks for no answer. What the connector does not know it
 * MUST answer with UNSUPPORTED. One slow request MUST NOT hold up those of other users. Queues are bounded: over the
 * bound LIMIT or UNAVAILABLE, at once. A request that takes longer than timeout_s is answered UNAVAILABLE.
 * When a client's connection ends its requests are void; handles and watches outlive it.
 * main is a client, too. It sends Requests with an id and no body, each alive_s of belfry.conf(5), and kills a daemon
 * that leaves several in a row without any answer: the answer (UNSUPPORTED) MUST NOT wait for the backend.
 * Trace asks for more in the log: it SHOULD show what is said to the backend, and MUST NOT show a secret: no password,
 * and no line that could hold one. A connector MAY do nothing about it. It gets no answer.
 *
 * --- login ---
 * Login MUST ask the backend, or a memory of an earlier answer no older than CONNECTOR_LOGIN_TTL_S. A refusal of the
 * remembered password by the backend, whenever it is seen, MUST void that memory and its handles at once.
 * REFUSED only when the backend said no; when it cannot be asked, UNAVAILABLE: phones show the first as a wrong
 * password. Wrong passwords MUST be slowed down by user and address, so that the user's own devices stay served.
 * A handle is random, belongs to one user, and MUST NOT serve another; any unknown one is answered LOGIN_NEEDED, and
 * the asker logs in again with the password that its client sends with each request. Handles MAY be given twice.
 *
 * --- collections and items ---
 * A collection's name is the connector's own; it comes back unchanged. validity says whether item ids still mean the
 * same: a request with another one (but 0) is answered STALE. Item ids are not 0 and grow: a new item has a higher id
 * than all before it. A position is {validity, next, token}: equal states MUST give equal positions, a visible change
 * (item come, gone, flags) MUST give another one, next is above all ids there; all zero is never told.
 * Survey reads its position before it lists, so that a change in between shows again the next time. present is
 * everything there within the filter; flags that have not changed since since_token MAY be left out. With conversations
 * present SHOULD have the rest of each conversation (those with one Mail.conversation_id), where the backend can say so
 * without every mail being read.
 * Fetch answers in the order asked; an item that is gone is NOT_FOUND, one that cannot be read BAD_ITEM: neither
 * spoils the others. Bodies over CONNECTOR_INLINE_MAX travel as the frame's descriptor: an unlinked file or memfd. It
 * goes to the device as it is, so it MUST be UTF-8 without characters that XML 1.0 forbids, whatever the mail has. In
 * MIME parts of the mail that are no such text SHOULD be encoded (base64, quoted-printable), so that nothing is lost;
 * what is signed or encrypted is not.
 * Of several wishes that which is natively there counts; one for all or nothing that would get nothing is passed over.
 * What an item adds to its conversation SHOULD be given when Fetch.part asks for it: without what it repeats of others.
 * It travels in the frame; over CONNECTOR_INLINE_MAX it is too_large. Without a part the device is told so, too.
 * FetchPart hands out the octets as a descriptor, however many there are: nobody holds an attachment in memory. They are
 * what the sender encoded, unchanged.
 * Apply gives one status an operation; an item that is gone already is NOT_FOUND. What may work later, or may have been
 * done without anybody knowing, makes the whole request UNAVAILABLE: it is asked again, and MUST then do nothing twice,
 * also while the first is still at work. Any other status is the backend's no, and the device is told how things are.
 * What goes to_trash MUST NOT be destroyed for want of a trash. A move_to that has been done before is OK again, with the
 * id that the item got then, as far as its message_id leads to it; a collection that is not there is UNSUPPORTED.
 * Search SHOULD find texts in the decoded header and body. They are what a person typed: no byte of them MUST ever be
 * taken for a part of a command to the backend. What the backend cannot search for is LIMIT.
 * Alter on a collection that is not there is NOT_FOUND; one whose new name is taken is EXISTS, with that name: so an Alter
 * that comes a second time tells what the first one did. What is below a collection goes with it, wherever it goes.
 *
 * Send hands a mail in for its recipients, all or none, and MUST NOT do so twice for one message_id of a user as far as
 * that can be known: with `again` the connector looks first whether it was sent. Any status but OK and UNAVAILABLE says
 * that nothing was sent. What follows after the mail was handed in (the copy, the mark on the original) does not change
 * the answer. Bare CR and LF MUST NOT leave as such. Answers without `last` MAY say that it goes on, and restart the
 * asker's patience; timeout_s holds for the silence between them. UNSUPPORTED: this connector sends nothing.
 *
 * SetOof MUST be durable when it is answered, and MUST leave alone whatever else filters the user's mails: what cannot be
 * had together with that is LIMIT. Done twice it is as done once; done in part, because somebody died, it is finished by the
 * one that comes again, and mails are filtered meanwhile as they were before or as they will be. GetOof tells texts as they
 * were set when they are asked for in the form that they were set in. What somebody else has changed since MUST NOT be told
 * as if it were in force. No byte of a text MUST ever be taken for a part of a script.
 *
 * --- the watch half ---
 * The collection "" in Watch and Check is the hierarchy: its position MUST differ when List would, and be the same
 * when it would not (connectors/hierarchy.h). One that cannot say answers NOT_FOUND in its place.
 * Watch{id} is answered at once: OK, LOGIN_NEEDED (no credentials for it: send a handle), UNSUPPORTED (only hooks
 * can), LIMIT. Then, without being asked, Positions{id 0} go to whoever sent the Watch: where each collection stands
 * once that is known, again after every change that the backend announced, and after each reconnect to the backend:
 * the asker compares. A watch that can go no longer (password changed) is told as Positions with LOGIN_NEEDED and no
 * positions, and is over. A watch whose asker's connection ended goes on for CONNECTOR_ORPHAN_S, to be taken over.
 * With `hooked` nothing is told unasked and no session is held.
 * Check{id} is answered by Positions in a Response of the same id, read from the backend after the Check arrived;
 * a collection that is not there is NOT_FOUND in its place. It works with and without a Watch, as far as there are
 * credentials: master, the handle, or those of the Watch; else LOGIN_NEEDED. UNSUPPORTED: rely on hooks only.
 */
#ifndef BELFRY_CONNECTORS_CONTRACT_H
#define BELFRY_CONNECTORS_CONTRACT_H

enum { CONNECTOR_LISTEN_FD = 3, CONNECTOR_SETTINGS_FD = 4 };

enum {
	CONNECTOR_EXIT_CONFIG = 78,        /* EX_CONFIG of sysexits.h */
	CONNECTOR_LOGIN_TTL_S = 300,       /* a disabled user whom nobody asks the backend about is out after this */
	CONNECTOR_ORPHAN_S = 60,           /* a hub restarts within this; then it watches anew */
	CONNECTOR_INLINE_MAX = 64 * 1024   /* of a body within a frame */
};

#endif
