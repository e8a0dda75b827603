-- name: history_now :one mcp_health.v1.GetMcpHealthResponse
select s.id, case when s.inactive then 'inactive' else coalesce(st.status, 'active') end as status,
       coalesce(st.since, now()) as since,
       case when st.status = 'error' and not s.inactive then st.last_error end as last_error,
       st.protocol_version
  from server s left join mcp_state st on st.mcp_id = s.id
 where s.id = $1 and not s.removed;

-- name: history_uptime :one mcp_health.v1.GetMcpHealthResponse
select coalesce(round(100.0 * count(*) filter (where ok) / nullif(count(*), 0), 1), 100)::float8
       as uptime_percent
  from probe
 where mcp_id = $1 and at > now() - $2 * interval '1 hour';

-- Buckets are whole multiples of their length, which divides the time asked for
-- into at most 288.
-- name: history_buckets :many mcp_health.v1.HealthBucket
select to_timestamp(b * w.s) as at, count(*) filter (where ok)::int as ok,
       count(*) filter (where not ok)::int as failed,
       (percentile_cont(0.5) within group (order by latency_ms) filter (where ok))::int
         as latency_p50_ms,
       max(latency_ms) filter (where ok) as latency_max_ms
  from (select greatest(60, ceil($2 * 3600 / 287.0 / 60) * 60)::int as s) w,
       lateral (select floor(extract(epoch from at) / w.s)::bigint as b, ok, latency_ms
                  from probe
                 where mcp_id = $1 and at > now() - $2 * interval '1 hour') p
 group by b, w.s
 order by b;

-- name: history_transitions :many mcp_health.v1.Transition
select at, old_status, new_status, reason
  from transition
 where mcp_id = $1
 order by at desc, id desc
 limit 100;

-- Mean time from error to the active that follows it.
-- name: history_mttr :one
select avg(extract(epoch from back - at))::int as mttr_s
  from (select at, new_status,
               lead(at) over (order by at, id) as back,
               lead(new_status) over (order by at, id) as next
          from transition
         where mcp_id = $1 and at > now() - interval '90 days') t
 where new_status = 'error' and next = 'active';

-- name: history_probe_clean :exec
delete from probe where id in (select id from probe where at < now() - interval '7 days'
                                order by at limit 5000);

-- name: history_transition_clean :exec
delete from transition where id in (select id from transition
                                     where at < now() - interval '90 days' order by at limit 5000);
