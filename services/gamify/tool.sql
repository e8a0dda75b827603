-- Those of the events that are new.
-- name: tool_seen :many
insert into inbox (event_id)
select id from unnest($1::uuid[]) as t (id) order by id
    on conflict do nothing
returning event_id::text;

-- Keys that used a tool for the first time.
-- name: tool_add :many
with used as (
  insert into tool_use as t (user_key, tool_name, calls, first_at, last_at)
  select user_key, tool_name, count(*), min(called_at), max(called_at)
    from unnest($1::text[], $2::text[], $3::timestamptz[]) as u (user_key, tool_name, called_at)
   group by user_key, tool_name
   order by user_key, tool_name
      on conflict (user_key, tool_name) do update
     set calls = t.calls + excluded.calls, first_at = least(t.first_at, excluded.first_at),
         last_at = greatest(t.last_at, excluded.last_at)
  returning user_key, xmax = 0 as first
)
select distinct user_key from used where first;

-- Members whose keys these are, in the order of locking.
-- name: tool_members :many
select distinct m.id collate "C" as id
  from unnest($1::text[]) as k (key)
  join member m on m.id = k.key or lower(m.name) = lower(k.key)
                or m.metadata -> 'key_names' ? k.key
 order by 1;
