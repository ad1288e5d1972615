-- SPDX-License-Identifier: GPL-3.0-or-later
-- Dovecot's push notification driver for Belfry: tells the hub of every change of a mailbox, with UIDVALIDITY and UID,
-- so that a phone rings without a question to the server. Needs Debian's lua-socket.
--
--   protocol lmtp { mail_plugins = $mail_plugins mail_lua notify push_notification push_notification_lua }
--   (likewise protocol lda and protocol imap)
--   plugin { push_notification_driver = lua:file=/usr/share/belfry/belfry.lua }
--
-- It runs inside the delivery: it connects, writes and closes without ever waiting. What the hub does not take, because
-- it is being restarted or its backlog is full, it leaves in the spool beside the socket, as belfry-hook does. Whatever
-- goes wrong with telling is never the mail's problem.

local has_unix, unix = pcall(require, "socket.unix")

local SOCKET = os.getenv("BELFRY_HOOK_SOCKET") or "/run/belfry/hook.sock"
local SPOOL = SOCKET:match("^(.*)/") .. "/spool"
local LINES_MAX = 64    -- of one connection
local LINE_MAX = 1024   -- bytes
local SPOOL_MAX = 8     -- files a transaction leaves, so that a mailbox marked as read does not hold anybody up

local random = io.open("/dev/urandom", "rb")
if random then random:setvbuf("no") end

-- A change id nobody else makes: 16 hexadecimal digits; nil when there is no chance.
local function new_id()
  local bytes = random and random:read(8)
  return bytes and #bytes == 8 and (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end)) or nil
end

local function escape(text)
  return (text:gsub("[%c%%\127]", function(c) return string.format("%%%02X", c:byte()) end))
end

local line
function line(user, name, mailbox, event)
  local pairs = { "BELFRY1", "user=" .. escape(user), "event=" .. name, "source=lua" }
  local id = new_id()
  if id then table.insert(pairs, "id=" .. id) end
  if mailbox and mailbox ~= "" then table.insert(pairs, "mailbox=" .. escape(mailbox)) end
  if event.uid_validity and event.uid_validity > 0 then
    table.insert(pairs, string.format("uidvalidity=%d", event.uid_validity))
  end
  if event.uid and event.uid > 0 then table.insert(pairs, string.format("uid=%d", event.uid)) end
  local text = table.concat(pairs, "\t") .. "\n"
  if #text <= LINE_MAX then return text end
  return mailbox and line(user, name, nil, {}) -- somewhere
end

-- Whether the hub has all of it, or will have it as soon as it looks.
local function send(lines)
  local hub = has_unix and (unix.stream and unix.stream() or unix())
  if not hub then return false end
  hub:settimeout(0)
  local text = table.concat(lines)
  local sent = hub:connect(SOCKET) and hub:send(text) == #text
  hub:close()
  return sent
end

-- The hub looks at names without a dot only: it never sees half a file.
local function leave(text)
  local id = new_id()
  if not id then return end
  local hidden = SPOOL .. "/.lua-" .. id
  local file = io.open(hidden, "w")
  if not file then return end
  local written = file:write(text)
  if not (file:close() and written and os.rename(hidden, SPOOL .. "/hint-" .. id)) then os.remove(hidden) end
end

local function tell(context, lines)
  if send(lines) then return end
  for _, text in ipairs(lines) do
    if context.left < SPOOL_MAX then leave(text) end
    context.left = context.left + 1
  end
end

-- Nothing in it may ever end a delivery.
local function tell_safely(context)
  local lines = context.lines
  context.lines = {}
  if #lines > 0 then pcall(tell, context, lines) end
end

function dovecot_lua_notify_begin_txn(user)
  return { user = user.username, lines = {}, left = 0 }
end

local function note(context, event, mailbox)
  local text = line(context.user, event.name, mailbox or event.mailbox, event)
  if not text then return end
  if #context.lines == LINES_MAX then tell_safely(context) end
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

-- More than was left: something happened somewhere.
function dovecot_lua_notify_end_txn(context)
  tell_safely(context)
  if context.left > SPOOL_MAX then pcall(leave, line(context.user, "MessageNew", nil, {})) end
end
