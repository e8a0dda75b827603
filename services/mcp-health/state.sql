-- name: state_lock :one
select st.status, st.failures, st.outcomes, st.n_outcomes,
       $4 not in (0, s.revision) or
       (not $2 and coalesce(st.last_ok_at > clock_timestamp() - $3 * interval '1 millisecond',
                            false)) as outdated
  from mcp_state st join server s on s.id = st.mcp_id
 where st.mcp_id = $1 and not s.removed and not s.inactive
   for update of st;

-- name: state_put :exec
update mcp_state
   set status = $2, failures = $3, outcomes = $4, n_outcomes = $5,
       since = case when $6 then now() else since end,
       latency_ms = coalesce(nullif($7, 0), latency_ms),
       last_error = case when $8::text is null then last_error else $8 end,
       last_ok_at = case when $3 = 0 then now() else last_ok_at end,
       tools_count = coalesce(nullif($9, -1), tools_count),
       protocol_version = coalesce($10, protocol_version),
       checked_at = case when $11 then now() else checked_at end,
       next_check_at = case when $13 then now() + $12 * interval '1 millisecond'
                            else least(next_check_at, now() + $12 * interval '1 millisecond') end
 where mcp_id = $1;

-- name: state_probe :exec
insert into probe (mcp_id, ok, latency_ms, error) values ($1, $2, nullif($3, 0), $4);

-- name: state_transition :one
insert into transition (mcp_id, old_status, new_status, reason) values ($1, $2, $3, $4)
returning at;

-- name: state_due :many mcp_health.v1.Server
select s.id, name, description, transport, endpoint_url, command, args, env_vars, headers,
       coalesce(st.protocol_version, '') as protocol_version, tools_exposed, revision
  from server s join mcp_state st on st.mcp_id = s.id
 where st.next_check_at <= now() and not s.removed and not s.inactive
 order by st.next_check_at
 limit $1;

-- Whoever probes has this long; then another copy may.
-- name: state_claim :exec
update mcp_state set next_check_at = now() + $2 * interval '1 millisecond' where mcp_id = $1;

-- name: state_page :one
select health_check_url from server where id = $1;

-- name: state_hasten :exec
update mcp_state set next_check_at = now() where mcp_id = any ($1) and next_check_at > now();

-- name: state_off :many
select id from server where id = any ($1) and (removed or inactive);
