-- name: policy_get :one mcp_health.v1.Policy
select coalesce(p.expose, false) as expose, prefix_mode, prefix,
       coalesce(forward_headers, '{}') as forward_headers,
       coalesce(per_caller, false) as per_caller,
       coalesce(idempotent_tools, '{}') as idempotent_tools,
       connect_timeout_ms, call_timeout_ms, coalesce(tool_timeouts, '{}') as tool_timeouts,
       max_inflight, pin_mode, newest_version, idle_stop_s
  from server s left join policy p on p.mcp_id = s.id
 where s.id = $1 and not s.removed;

-- name: policy_put :exec
insert into policy (mcp_id, expose, prefix_mode, prefix, forward_headers, per_caller,
                    idempotent_tools, connect_timeout_ms, call_timeout_ms, tool_timeouts,
                    max_inflight, pin_mode, newest_version, idle_stop_s)
values ($1, $2, $3, $4, $5, $6, $7, nullif($8, 0), nullif($9, 0), $10::jsonb, nullif($11, 0), $12,
        $13, nullif($14, 0))
    on conflict (mcp_id) do update
   set expose = excluded.expose, prefix_mode = excluded.prefix_mode, prefix = excluded.prefix,
       forward_headers = excluded.forward_headers, per_caller = excluded.per_caller,
       idempotent_tools = excluded.idempotent_tools,
       connect_timeout_ms = excluded.connect_timeout_ms,
       call_timeout_ms = excluded.call_timeout_ms, tool_timeouts = excluded.tool_timeouts,
       max_inflight = excluded.max_inflight, pin_mode = excluded.pin_mode,
       newest_version = excluded.newest_version, idle_stop_s = excluded.idle_stop_s;
