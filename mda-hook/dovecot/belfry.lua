-- SPDX-License-Identifier: GPL-3.0-or-later
-- Dovecot's push notification driver for Belfry: tells the hub of every change of a mailbox, with UIDVALIDITY and UID,
-- so that a phone rings without a question to the server. Needs Debian's lua-socket.
--
--   protocol lmtp { mail_plugins = $mail_plugins mail_lua notify push_notification push_notification_lua }
--   (likewise protocol lda and protocol imap)
--   plugin { push_notification_driver = lua:file=/usr/share/belfry/belfry.lua }
--
-- It runs inside the delivery: it connects, writes and closes without ever waiting. When the hub cannot be reached the
-- event is lost and nothing else; Belfry looks again by itself.

local unix = require("socket.unix")

local SOCKET = os.getenv("BELFRY_HOOK_SOCKET") or "/run/belfry/hook.sock"
local LINES_MAX = 64    -- of one connection
local LINE_MAX = 1024   -- bytes

local function escape(text)
  return (text:gsub("[%c%%\127]", function(c) return string.format("%%%02X", c:byte()) end))
end

local function line(user, name, mailbox, event)
  local pairs = { "BELFRY1", "user=" .. escape(user), "event=" .. name, "source=lua" }
  if mailbox and mailbox ~= "" then table.insert(pairs, "mailbox=" .. escape(mailbox)) end
  if event.uid_validity and event.uid_validity > 0 then
    table.insert(pairs, string.format("uidvalidity=%d", event.uid_validity))
  end
  if event.uid and event.uid > 0 then table.insert(pairs, string.format("uid=%d", event.uid)) end
  local text = table.concat(pairs, "\t") .. "\n"
  return #text <= LINE_MAX and text or nil
end

local function send(lines)
  local hub = unix.stream and unix.stream() or unix()
  if not hub then return end
  hub:settimeout(0)
  if hub:connect(SOCKET) then hub:send(table.concat(lines)) end
  hub:close()
end

function dovecot_lua_notify_begin_txn(user)
  return { user = user.username, lines = {} }
end

local function note(context, event, mailbox)
  local text = line(context.user, event.name, mailbox or event.mailbox, event)
  if not text then return end
  if #context.lines == LINES_MAX then
    send(context.lines)
    context.lines = {}
  end
  table.insert(context.lines, text)
end

for _, name in ipairs({ "message_new", "message_append", "message_expunge", "message_read", "message_trash", "flags_set",
                        "flags_clear", "mailbox_create", "mailbox_delete", "mailbox_subscribe",
                        "mailbox_unsubscribe" }) do
  _G["dovecot_lua_notify_event_" .. name] = note
end

-- The old name is gone, the new one is there.
function dovecot_lua_notify_event_mailbox_rename(context, event)
  note(context, event)
  if event.mailbox_old then note(context, event, event.mailbox_old) end
end

function dovecot_lua_notify_end_txn(context)
  if #context.lines > 0 then send(context.lines) end
end
