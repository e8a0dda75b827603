-- One request again and again, MCP 2026-07-28. Arguments: API key, method, the
-- name or uri that Mcp-Name repeats, members of params as JSON; then, for a server
-- of 2025-11-25, its sessions separated by commas, which are asked in turn.
-- Headers are set at init: at load time wrk has no Host header yet.
local requests = {}
local next_one = 0

local function modern(method, name, params)
  wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
  wrk.headers["Mcp-Method"] = method
  wrk.headers["Mcp-Name"] = name
  requests[1] = wrk.format(nil, wrk.path, nil,
    '{"jsonrpc":"2.0","id":1,"method":"' .. method .. '","params":{' .. params ..
    ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' ..
    '"io.modelcontextprotocol/clientCapabilities":{}}}}')
end

-- Requests that are under way in a session at once have different ids.
local function legacy(method, params, sessions)
  local ids = {}
  for id in sessions:gmatch("[^,]+") do ids[#ids + 1] = id end
  wrk.headers["MCP-Protocol-Version"] = "2025-11-25"
  for i = 1, #ids * 64 do
    wrk.headers["Mcp-Session-Id"] = ids[i % #ids + 1]
    requests[i] = wrk.format(nil, wrk.path, nil, '{"jsonrpc":"2.0","id":' .. i ..
      ',"method":"' .. method .. '","params":{' .. params .. '}}')
  end
end

function init(args)
  local key, method, name, params, sessions = args[1], args[2], args[3], args[4], args[5]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json, text/event-stream"
  if key ~= "" then wrk.headers["x-api-key"] = key end
  if sessions then legacy(method, params, sessions) else modern(method, name, params) end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT %d %d %d %d %d\n', summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
