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

-- How many entries there are, and on which days those of a page are, newest first.
-- The pages before take skip entries of the newest of these days.
-- name: audit_page :rows
with matching as (
  select day, n, sum(n) over (order by day desc) as up_to
    from (select day, case when $3::bool then calls - errors when $3::bool is null then calls
                           else errors end as n
            from usage_day
           where tool_name = coalesce($1::text, '') and user_key = coalesce($2::text, '')
             and day between coalesce($4::date, '-infinity') and coalesce($5::date, 'infinity')) d
   where n > 0)
select coalesce(sum(n), 0)::int as total,
       min(day) filter (where up_to - n < $6::bigint + $7::int) as oldest,
       max(day) filter (where up_to > $6) as newest,
       $6 - coalesce(max(up_to) filter (where up_to <= $6), 0) as skip
  from matching;

-- name: audit_list :many catalog.v1.UsageEntry :replan
select id::text, tool_name, resource_id, user_key, "timestamp", duration_ms, success, status,
       channel, request_id
  from usage_log
 where ($1::text is null or tool_name = $1)
   and ($2::text is null or user_key = $2)
   and ($3::text is null or resource_id = $3)
   and ($4::bool is null or success = $4)
   and ($5::date is null or "timestamp" >= $5::date::timestamp at time zone 'UTC')
   and ($6::date is null or "timestamp" < ($6::date + 1)::timestamp at time zone 'UTC')
 order by "timestamp" desc, usage_log.id desc
 limit $7 offset $8;

-- Calls on one thing.
-- name: audit_count :one catalog.v1.GetAuditLogResponse :replan
select count(*)::int as total
  from usage_log
 where ($1::text is null or tool_name = $1)
   and ($2::text is null or user_key = $2)
   and resource_id = $3
   and ($4::bool is null or success = $4)
   and ($5::date is null or "timestamp" >= $5::date::timestamp at time zone 'UTC')
   and ($6::date is null or "timestamp" < ($6::date + 1)::timestamp at time zone 'UTC');

-- name: audit_tools :many catalog.v1.ToolUsage :replan
with used as (
  select tool_name, duration_ms, sum(calls) as calls, sum(errors) as errors,
         sum(total_ms) as total_ms
    from usage_since($1::timestamptz, true)
   group by tool_name, duration_ms)
select tool_name, sum(calls)::int as calls, sum(errors)::int as errors,
       round(100 * sum(errors) / sum(calls), 1)::float8 as error_percent,
       round(sum(total_ms) / sum(calls))::int as average_ms,
       min(duration_ms) filter (where 20 * up_to >= 19 * of_all) as p95_ms
  from (select *, sum(calls) over (partition by tool_name order by duration_ms) as up_to,
               sum(calls) over (partition by tool_name) as of_all
          from used) u
 group by tool_name
having sum(calls) > 0
 order by calls desc, tool_name;

-- name: audit_points :many catalog.v1.SeriesPoint :replan
with used as (
  select date_trunc($1, at, 'UTC') as at, duration_ms, sum(calls) as calls,
         sum(errors) as errors, sum(total_ms) as total_ms
    from usage_since($2::timestamptz, $1::text = 'day')
   where $3::text is null or tool_name = $3
   group by 1, 2)
select at, sum(calls)::int as calls, sum(errors)::int as errors,
       round(sum(total_ms) / sum(calls))::int as average_ms,
       min(duration_ms) filter (where 20 * up_to >= 19 * of_all) as p95_ms
  from (select *, sum(calls) over (partition by at order by duration_ms) as up_to,
               sum(calls) over (partition by at) as of_all
          from used) u
 group by at
having sum(calls) > 0
 order by at;

-- name: audit_callers :many catalog.v1.CallerUsage :replan
with first as (
  select date_trunc('day', $1::timestamptz, 'UTC') + interval '1 day' as day)
select user_key, sum(calls)::int as calls, sum(errors)::int as errors
  from (select user_key, calls, errors
          from usage_day
         where tool_name = coalesce($2::text, '') and user_key <> ''
           and day >= (select (day at time zone 'UTC')::date from first)
         union all
        select user_key, count(*), count(*) filter (where not success)
          from usage_log
         where "timestamp" >= $1::timestamptz and "timestamp" < (select day from first)
           and user_key <> ''
           and ($2::text is null or tool_name = $2)
         group by user_key) u
 group by user_key
having sum(calls) > 0
 order by calls desc, user_key collate "default"
 limit 20;

-- Of one caller or one server, whose entries have their own index.
-- name: audit_points_of :many catalog.v1.SeriesPoint :replan
select date_trunc($1, "timestamp", 'UTC') as at, count(*)::int as calls,
       count(*) filter (where not success)::int as errors,
       round(avg(duration_ms))::int as average_ms,
       percentile_disc(0.95) within group (order by usage_step(duration_ms)) as p95_ms
  from usage_log
 where "timestamp" >= $2::timestamptz
   and ($3::text is null or tool_name = $3)
   and ($4::text is null or user_key = $4)
   and ($5::text is null or (resource_id = $5 and tool_name = 'mal_proxy_mcp_call'))
 group by 1
 order by 1;

-- name: audit_callers_of :many catalog.v1.CallerUsage :replan
select user_key, count(*)::int as calls, count(*) filter (where not success)::int as errors
  from usage_log
 where "timestamp" >= $1::timestamptz and user_key <> ''
   and ($2::text is null or tool_name = $2)
   and ($3::text is null or user_key = $3)
   and ($4::text is null or (resource_id = $4 and tool_name = 'mal_proxy_mcp_call'))
 group by user_key
 order by calls desc, user_key collate "default"
 limit 20;
