-- Which of the messages are new, by their place in the list.
-- name: tool_seen :many
with asked as (
  select id, min(n) as n from unnest($1::uuid[]) with ordinality as t (id, n) group by id
), new as (
  insert into inbox (event_id)
  select id from asked order by id
      on conflict do nothing
  returning event_id
)
select n from asked join new on event_id = id;

-- Keys that used a tool for the first time.
-- name: tool_add :many
with used as (
  insert into tool_use as t (user_key, tool_name, calls, first_at, last_at)
  select user_key, tool_name, calls, first_at, last_at
    from unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[])
         as u (user_key, tool_name, calls, first_at, last_at)
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
