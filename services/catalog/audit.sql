-- name: audit_insert :exec
insert into usage_log (event_id, tool_name, resource_id, user_key, "timestamp", duration_ms,
                       success, status, channel, request_id)
select event_id, tool_name, nullif(resource_id, ''), user_key, called_at, duration_ms, success,
       status, channel, request_id
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int[],
              $7::bool[], $8::text[], $9::text[], $10::text[])
       as t (event_id, tool_name, resource_id, user_key, called_at, duration_ms, success,
             status, channel, request_id)
    on conflict (event_id) do nothing;

-- name: audit_list :many catalog.v1.UsageEntry
select id::text, tool_name, resource_id, user_key, "timestamp", duration_ms, success, status,
       channel, request_id
  from usage_log
 where ($1::text is null or tool_name = $1)
   and ($2::text is null or user_key = $2)
   and ($3::text is null or resource_id = $3)
   and ($4::bool is null or success = $4)
   and ($5::date is null or "timestamp" >= $5::date::timestamp at time zone 'UTC')
   and ($6::date is null or "timestamp" < ($6::date + 1)::timestamp at time zone 'UTC')
 order by "timestamp" desc, id desc
 limit $7 offset $8;

-- name: audit_count :one catalog.v1.GetAuditLogResponse
select count(*)::int as total
  from usage_log
 where ($1::text is null or tool_name = $1)
   and ($2::text is null or user_key = $2)
   and ($3::text is null or resource_id = $3)
   and ($4::bool is null or success = $4)
   and ($5::date is null or "timestamp" >= $5::date::timestamp at time zone 'UTC')
   and ($6::date is null or "timestamp" < ($6::date + 1)::timestamp at time zone 'UTC');

-- name: audit_tools :many catalog.v1.ToolUsage
select tool_name, count(*)::int as calls, count(*) filter (where not success)::int as errors,
       round(100.0 * count(*) filter (where not success) / count(*), 1)::float8 as error_percent,
       round(avg(duration_ms))::int as average_ms,
       percentile_disc(0.95) within group (order by duration_ms) as p95_ms
  from usage_log
 where "timestamp" >= $1::timestamptz
 group by tool_name
 order by calls desc, tool_name;

-- name: audit_points :many catalog.v1.SeriesPoint
select date_trunc($1, "timestamp", 'UTC') as at, count(*)::int as calls,
       count(*) filter (where not success)::int as errors,
       round(avg(duration_ms))::int as average_ms,
       percentile_disc(0.95) within group (order by duration_ms) as p95_ms
  from usage_log
 where "timestamp" >= $2::timestamptz
   and ($3::text is null or tool_name = $3)
   and ($4::text is null or user_key = $4)
   and ($5::text is null or (resource_id = $5 and tool_name = 'mal_proxy_mcp_call'))
 group by 1
 order by 1;

-- name: audit_callers :many catalog.v1.CallerUsage
select user_key, count(*)::int as calls, count(*) filter (where not success)::int as errors
  from usage_log
 where "timestamp" >= $1::timestamptz
   and ($2::text is null or tool_name = $2)
   and ($3::text is null or user_key = $3)
   and ($4::text is null or (resource_id = $4 and tool_name = 'mal_proxy_mcp_call'))
 group by user_key
 order by calls desc, user_key
 limit 20;
