-- What reads payloads by the tables above.  Only arithmetic on numbers, so that Lua 5.1 to 5.4 do.

local expert_unknown = ProtoExpert.new("lorafuota.unknown_command", "Unknown command identifier",
  expert.group.UNDECODED, expert.severity.WARN)
local expert_malformed = ProtoExpert.new("lorafuota.malformed_command", "Malformed command",
  expert.group.MALFORMED, expert.severity.ERROR)
local expert_reserved = ProtoExpert.new("lorafuota.reserved_bits", "Reserved bits are set",
  expert.group.PROTOCOL, expert.severity.NOTE)
local expert_range = ProtoExpert.new("lorafuota.out_of_range", "A value the document excludes",
  expert.group.PROTOCOL, expert.severity.WARN)
local expert_trailing = ProtoExpert.new("lorafuota.trailing_octets", "Octets that do not belong here",
  expert.group.PROTOCOL, expert.severity.WARN)
proto.experts = { expert_unknown, expert_malformed, expert_reserved, expert_range, expert_trailing }

local general = {
  package = ProtoField.string("lorafuota.package", "Package"),
  cid = ProtoField.uint8("lorafuota.cid", "Command identifier", base.HEX),
  command = ProtoField.string("lorafuota.command", "Command"),
  package_id = ProtoField.uint8("lorafuota.package_id", "PackageID", base.DEC, nil, 0x7F),
  token = ProtoField.uint8("lorafuota.token", "Command Token", base.DEC, nil, 0x03),
  rest = ProtoField.bytes("lorafuota.not_read", "Not read"),
}
for name, field in pairs(general) do F["general " .. name] = field end
proto.fields = F

-- Preferences: a version and a port for each package.

local by_id = {}
for _, package in ipairs(packages) do
  by_id[package.id] = package
  local choices, newest = {}, 0
  for version, commands in pairs(package.versions) do
    choices[#choices + 1] = { version, "version " .. version .. " (" .. commands.document .. ")", version }
    if version > newest then newest = version end
  end
  table.sort(choices, function(a, b) return a[1] < b[1] end)
  proto.prefs[package.name] = Pref.enum(package.name .. " version", newest,
    "Which version of " .. package.title .. " devices speak", choices, false)
  proto.prefs[package.name .. "_port"] = Pref.uint(package.name .. " port", package.port,
    "FPort of " .. package.title)
end
proto.prefs.payload_in_the_clear = Pref.bool("FRMPayload is in the clear", false,
  "Read lorawan.frmpayload as it is, for captures that were decrypted before")

local function commands_of(package, uplink)
  local commands = package.versions[proto.prefs[package.name]]
  return uplink and commands.up or commands.down
end

-- One record: its steps, from an offset.  Returns the offset behind it, or nil and a reason.

local function bits(value, shift, width)
  return math.floor(value / 2 ^ shift) % 2 ^ width
end

local function whole(value) return string.format("%d", value) end

local function applies(condition, seen)
  if not condition then return true end
  local value = seen[condition.by]
  return value >= condition.low and value <= condition.high
end

local function needs(size, left)
  return "needs " .. size .. " octets here, has " .. left
end

local function read_slice(slice, octets, tree, seen)
  local value = bits(octets:le_uint(), slice.shift, slice.bits)
  if slice.signed and value >= 2 ^ (slice.bits - 1) then value = value - 2 ^ slice.bits end
  value = value * slice.step
  seen[slice.name] = value
  local item
  if slice.step > 1 then
    item = tree:add(F[slice.key], octets, value)
  else
    item = tree:add_le(F[slice.key], octets)
  end
  for _, flag in ipairs(slice.flags or {}) do item:add_le(F[flag], octets) end
  if slice.reserved and slice.reserved(value) then
    item:add_proto_expert_info(expert_reserved, slice.title .. " has reserved bits set")
  end
  if (value < slice.low or value > slice.high) and value ~= slice.also then
    item:add_proto_expert_info(expert_range, slice.title .. " is " .. whole(value)
      .. ", not " .. whole(slice.low) .. " to " .. whole(slice.high))
  end
end

local function read_run(step, buf, at, stop, tree, seen)
  if not applies(step.condition, seen) then return at end
  if at + step.size > stop then return nil, needs(step.size, stop - at) end
  for _, slice in ipairs(step) do
    read_slice(slice, buf(at + slice.at, slice.size), tree, seen)
  end
  for _, rfu in ipairs(step.rfu) do
    local octets = buf(at + rfu.at, rfu.size)
    if bits(octets:le_uint(), rfu.shift, rfu.bits) ~= 0 then
      tree:add_proto_expert_info(expert_reserved, "Reserved bits above " .. rfu.above .. " are set")
    end
  end
  return at + step.size
end

local read_record

local function count_of(step, seen)
  local value, many = seen[step.by], 0
  if not step.mask then return value end
  while value > 0 do
    many = many + value % 2
    value = math.floor(value / 2)
  end
  return many
end

local function read_step(step, buf, at, stop, tree, seen)
  if step.kind == "run" then return read_run(step, buf, at, stop, tree, seen) end
  if not applies(step.condition, seen) then return at end
  if step.kind == "repeat" then
    for i = 1, count_of(step, seen) do
      local item = tree:add(proto, buf(at, 0), step.title .. " " .. whole(i - 1))
      local behind, reason = read_record(step.item, buf, at, stop, item, {})
      if not behind then return nil, reason end
      item:set_len(behind - at)
      at = behind
    end
    return at
  end
  local size = step.size
  if step.kind == "rest" then size = math.max(stop - at - step.keep, 0) end
  if at + size > stop then return nil, needs(size, stop - at) end
  if size > 0 then tree:add(F[step.key], buf(at, size)) end
  if step.kind == "rest" and size < step.low then
    tree:add_proto_expert_info(expert_range, step.title .. " has " .. size .. " octets")
  end
  return at + size
end

function read_record(steps, buf, at, stop, tree, seen)
  for _, step in ipairs(steps) do
    local behind, reason = read_step(step, buf, at, stop, tree, seen)
    if not behind then return nil, reason end
    at = behind
  end
  return at
end

-- One command, from its identifier.  Returns the offset behind it, or nil where reading ends.

local function not_read(buf, at, stop, tree, kind, reason)
  local item = tree:add(general.rest, buf(at, stop - at))
  item:add_proto_expert_info(kind, reason)
end

local function stale(command, buf, at, stop, seen)
  local rule = command.stale
  return rule and seen[rule.by] == 1 and stop - at == rule.octets
    and not (buf(at, 1):uint() == 0 and buf(at + 1, 1):uint() == rule.package)
end

local function read_command(package, buf, at, stop, pinfo, tree, uplink, only)
  local cid = buf(at, 1):uint()
  local command = commands_of(package, uplink)[cid]
  local name = package.name .. "/" .. whole(proto.prefs[package.name])
  if not command then
    not_read(buf, at, stop, tree, expert_unknown, string.format("%s has no command 0x%02X", name, cid))
    return nil
  end
  local branch = tree:add(proto, buf(at, 1), string.format("%s (%s)", command.name, name))
  branch:add(general.package, buf(at, 1), package.name):set_generated()
  branch:add(general.cid, buf(at, 1))
  branch:add(general.command, buf(at, 1), command.name):set_generated()
  local seen = {}
  local behind, reason = read_record(command.steps, buf, at + 1, stop, branch, seen)
  if not behind then
    branch:set_len(stop - at)
    branch:add_proto_expert_info(expert_malformed, command.name .. " " .. reason)
    return nil
  end
  if only and stale(command, buf, behind, stop, seen) then
    branch:add_proto_expert_info(expert_trailing, "Stale octets, as LoRa Basics Modem sends them")
    behind = stop
  end
  branch:set_len(behind - at)
  if command.alone and (at > 0 or behind < stop) then
    branch:add_proto_expert_info(expert_trailing, command.name .. " must be alone in its payload")
  end
  pinfo.cols.info:append(" " .. command.name)
  return behind
end

-- FPort 225: commands of several packages, and a token.

local function alone_on_225(buf, uplink)
  if buf(0, 1):uint() ~= 2 then return false end
  return uplink or buf:len() == 3
end

local function read_set(own, buf, pinfo, tree, uplink)
  if alone_on_225(buf, uplink) then
    read_command(own, buf, 0, buf:len(), pinfo, tree, uplink, false)
    return
  end
  local stop, at, package, id = buf:len() - 1, 0, own, own.id
  while at < stop do
    local octet = buf(at, 1):uint()
    if octet >= 0x80 then
      id = octet - 0x80
      package = by_id[id]
      tree:add(general.package_id, buf(at, 1))
      at = at + 1
    elseif package == nil then
      not_read(buf, at, stop, tree, expert_unknown, "There is no package " .. whole(id))
      break
    elseif package == own and octet == 2 then
      not_read(buf, at, stop, tree, expert_trailing, "MultiPackBufferReq and ...Frag must be alone")
      break
    else
      at = read_command(package, buf, at, stop, pinfo, tree, uplink, false)
      if not at then break end
    end
  end
  tree:add(general.token, buf(stop, 1))
  if buf(stop, 1):uint() > 3 then
    tree:add_proto_expert_info(expert_reserved, "Reserved bits of the Command Token are set")
  end
end

local function package_at(port)
  for _, package in ipairs(packages) do
    if proto.prefs[package.name .. "_port"] == port then return package end
  end
end

local function read_payload(buf, pinfo, tree, port, uplink)
  local package = package_at(port)
  if package == nil or buf:len() == 0 then return end
  local way = uplink and "uplink" or "downlink"
  local branch = tree:add(proto, buf(), package.title .. ", " .. way)
  if package.id == 0 then
    read_set(package, buf, pinfo, branch, uplink)
    return
  end
  local at = 0
  while at and at < buf:len() do
    at = read_command(package, buf, at, buf:len(), pinfo, branch, uplink, true)
  end
end

-- Below Wireshark's own LoRaWAN dissector, which checks and decrypts; it has no table to register
-- in, so this looks at its fields afterwards.

local function field(name)
  local there, found = pcall(Field.new, name)
  return there and found or nil
end

local decrypted = field("lorawan.frmpayload_decrypted")
local as_captured = field("lorawan.frmpayload")
local fport = field("lorawan.fport")
local mic_status = field("lorawan.mic.status")
local ftype = field("lorawan.mhdr.ftype") or field("lorawan.mhdr.mtype")

function proto.dissector(tvb, pinfo, tree)
  if not (fport and ftype) then return end
  local payload = decrypted and decrypted()
  local checked = mic_status and mic_status()
  if payload and checked and checked.value == 0 then return end  -- 0: bad, so decrypted to noise
  if not payload and proto.prefs.payload_in_the_clear then payload = as_captured and as_captured() end
  local port, kind = fport(), ftype()
  if not (payload and port and kind) then return end
  local uplink = kind.value == 2 or kind.value == 4
  read_payload(payload.range:tvb(), pinfo, tree, port.value, uplink)
end

register_postdissector(proto)

-- For payloads without a frame around them: direction (0 up, 1 down), FPort, FRMPayload.  Choose the
-- protocol "lorafuota_payload" for a DLT_USER in the preferences of Wireshark.

local bare = Proto("lorafuota_payload", "FRMPayload with direction and FPort")
local bare_fields = {
  direction = ProtoField.uint8("lorafuota_payload.direction", "Direction", base.DEC,
    { [0] = "uplink", [1] = "downlink" }),
  fport = ProtoField.uint8("lorafuota_payload.fport", "FPort", base.DEC),
}
bare.fields = bare_fields

function bare.dissector(tvb, pinfo, tree)
  if tvb:len() < 2 then return 0 end
  pinfo.cols.protocol = "LoRaFUOTA"
  pinfo.cols.info = "port " .. tvb(1, 1):uint()
  local branch = tree:add(bare, tvb(0, 2))
  branch:add(bare_fields.direction, tvb(0, 1))
  branch:add(bare_fields.fport, tvb(1, 1))
  if tvb:len() > 2 then
    read_payload(tvb(2):tvb(), pinfo, tree, tvb(1, 1):uint(), tvb(0, 1):uint() == 0)
  end
  return tvb:len()
end
