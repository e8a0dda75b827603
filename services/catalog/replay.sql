-- The log of tool calls made anew from the event stream. All of this is one
-- transaction; the table that gathers the events is gone after it. The log is
-- never made shorter: an entry that the stream does not tell of stays, be it
-- older or lost there.

-- name: replay_make :exec
create unlogged table replay_call (
  number      bigint generated always as identity primary key,
  event_id    uuid not null unique,
  tool_name   text not null,
  resource_id text,
  user_key    text not null,
  "timestamp" timestamptz not null,
  duration_ms int not null,
  success     bool not null,
  status      text not null,
  channel     text not null,
  request_id  text not null
);

-- name: replay_take :exec
insert into replay_call (event_id, tool_name, resource_id, user_key, "timestamp", duration_ms,
                         success, status, channel, request_id)
select event_id, tool_name, nullif(resource_id, ''), user_key, called_at, duration_ms, success,
       status, channel, request_id
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int[],
              $7::bool[], $8::text[], $9::text[], $10::text[])
       as t (event_id, tool_name, resource_id, user_key, called_at, duration_ms, success,
             status, channel, request_id)
    on conflict (event_id) do nothing;

-- name: replay_lock :exec
lock table usage_log in share row exclusive mode;

-- name: replay_look :exec
analyze replay_call;

-- name: replay_change :exec
update usage_log u
   set tool_name = r.tool_name, resource_id = r.resource_id, user_key = r.user_key,
       "timestamp" = r."timestamp", duration_ms = r.duration_ms, success = r.success,
       status = r.status, channel = r.channel, request_id = r.request_id
  from replay_call r
 where r.event_id = u.event_id
   and (u.tool_name, u.resource_id, u.user_key, u."timestamp", u.duration_ms, u.success, u.status,
        u.channel, u.request_id)
       is distinct from
       (r.tool_name, r.resource_id, r.user_key, r."timestamp", r.duration_ms, r.success, r.status,
        r.channel, r.request_id);

-- name: replay_add :exec
insert into usage_log (event_id, tool_name, resource_id, user_key, "timestamp", duration_ms,
                       success, status, channel, request_id)
select event_id, tool_name, resource_id, user_key, "timestamp", duration_ms, success, status,
       channel, request_id
  from replay_call r
 where not exists (select from usage_log u where u.event_id = r.event_id)
 order by number;

-- Triggers took the changes over; what was wrong before is mended by this.
-- name: replay_recount :exec
call usage_recount();

-- name: replay_events :one
select count(*)::int from replay_call;

-- name: replay_rows :one mal.v1.ReplayedTable
select count(*)::int as rows,
       count(*) filter (where not exists (select from replay_call r
                                           where r.event_id = u.event_id))::int as kept
  from usage_log u;

-- name: replay_drop :exec
drop table replay_call;
